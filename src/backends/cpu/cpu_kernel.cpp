// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/cpu_kernel.h"

#include "backends/cpu/kernel_messages.h"
#include "backends/cpu/parallel_for.h"
#include "backends/cpu/scratch_arena.h"

namespace tilewise::backends {
namespace {

LoadedObject load_object(std::string_view object) {
  try {
    return LoadedObject::load(std::as_bytes(std::span(object.data(), object.size())));
  } catch (const ObjectError& error) {
    throw runtime::DeviceError(error.what());
  }
}

CpuEntry find_entry(const LoadedObject& object, const std::string& name) {
  try {
    return reinterpret_cast<CpuEntry>(object.symbol(name));
  } catch (const ObjectError& error) {
    throw runtime::DeviceError(error.what());
  }
}

struct Programs {
  CpuEntry entry;
  const uint64_t* slots;
  int32_t grid[3];
  size_t scratch_bytes;
  std::atomic<const char*>* failure;
};

void run_programs(void* context, int64_t begin, int64_t end) {
  const auto& work = *static_cast<const Programs*>(context);
  char* const scratch =
      work.scratch_bytes > 0 ? ScratchArena::of_this_thread().reserve(work.scratch_bytes) : nullptr;
  const AssertionScope scope(*work.failure);
  work.entry(work.slots, work.grid, begin, end, scratch);
}

}  // namespace

CpuKernel::CpuKernel(std::string_view object, const std::string& entry, int64_t scratch_bytes)
    : object_(load_object(object)),
      entry_(find_entry(object_, entry)),
      scratch_bytes_(static_cast<size_t>(scratch_bytes)) {}

void CpuKernel::launch(const uint64_t* slots, int, const runtime::Grid& grid,
                       const runtime::LaunchOptions& options, void*) const {
  std::atomic<const char*> failure{nullptr};
  Programs work = {entry_, slots, {grid.x, grid.y, grid.z}, scratch_bytes_, &failure};
  const int64_t programs = grid.programs();
  const int64_t grain = options.grain > 0 ? options.grain : 1;
  if (programs <= grain) {
    // Waking a pool costs microseconds, more than a small kernel.
    run_programs(&work, 0, programs);
  } else {
    parallel_for()(0, programs, grain, run_programs, &work);
  }
  if (const char* message = failure.load()) {
    throw runtime::DeviceError(std::string("device assertion failed: ") + message);
  }
}

}  // namespace tilewise::backends
