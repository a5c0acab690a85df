// SPDX-License-Identifier: Apache-2.0
// A compiled object in memory and its launch. The kernel's programs are numbered x first, then y,
// then z; the function runs a range of them in one loop of its own.
#pragma once

#include <string>
#include <string_view>

#include "backends/cpu/object_loader.h"
#include "runtime/backend.h"

namespace tilewise::backends {

// The interface of every function that the CPU compiler writes. `args` holds the arguments that are
// not constexpr, 8 bytes each; `scratch` is 64-byte aligned.
using CpuEntry = void (*)(const uint64_t* args, const int32_t* grid, int64_t first, int64_t last,
                          char* scratch);

class CpuKernel final : public runtime::LoadedKernel {
 public:
  // Throws DeviceError if the object cannot be loaded or has no such function.
  CpuKernel(std::string_view object, const std::string& entry, int64_t scratch_bytes);

  void launch(const uint64_t* slots, int slot_count, const runtime::Grid& grid,
              const runtime::LaunchOptions& options, void* stream) const override;

 private:
  const LoadedObject object_;
  const CpuEntry entry_;
  const size_t scratch_bytes_;
};

}  // namespace tilewise::backends
