// SPDX-License-Identifier: Apache-2.0
// The part of runtime/c_api.h that needs the CPU backend: users' own kernels on CPU tensors.
#include "runtime/c_api.h"

#include "backends/cpu/cpu_kernel.h"
#include "backends/cpu/cpu_target.h"
#include "base/c_string.h"
#include "compiler/target.h"
#include "runtime/json_writer.h"

using tilewise::backends::CpuKernel;

int tilewise_load_object(const void* object, int64_t object_bytes, const char* entry,
                         int64_t scratch_bytes, void** kernel, char** error) {
  try {
    const std::string_view bytes(static_cast<const char*>(object),
                                 static_cast<size_t>(object_bytes));
    *kernel = new CpuKernel(bytes, entry, scratch_bytes);
    return 0;
  } catch (const std::exception& failure) {
    *error = tilewise::to_c_string(failure.what());
    return 1;
  }
}

int tilewise_cpu_launch(const void* kernel, const uint64_t* slots, int slot_count,
                        const int32_t* grid, char** error) {
  try {
    const tilewise::runtime::Grid size = {grid[0], grid[1], grid[2]};
    if (size.x > 0 && size.y > 0 && size.z > 0) {
      static_cast<const CpuKernel*>(kernel)->launch(slots, slot_count, size, {}, nullptr);
    }
    return 0;
  } catch (const std::exception& failure) {
    *error = tilewise::to_c_string(failure.what());
    return 1;
  }
}

int tilewise_cpu_target(const char** target, char** error) {
  try {
    *target = tilewise::backends::cpu_target().c_str();
    return 0;
  } catch (const std::exception& failure) {
    *error = tilewise::to_c_string(failure.what());
    return 1;
  }
}

int tilewise_describe_cpu_target(const char* target, char** json, char** error) {
  try {
    const tilewise::compiler::Target found = tilewise::compiler::target_from_name(target);
    tilewise::runtime::JsonWriter writer;
    writer.begin_object()
        .field("triple", found.triple)
        .field("cpu", found.cpu)
        .field("features", found.features)
        .end_object();
    *json = tilewise::to_c_string(writer.text());
    return 0;
  } catch (const std::exception& failure) {
    *error = tilewise::to_c_string(failure.what());
    return 1;
  }
}
