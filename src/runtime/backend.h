// SPDX-License-Identifier: Apache-2.0
// What a kind of device offers to the runtime: its target name, loading a binary, launching it.
// A backend registers itself; the runtime knows none of them.
#pragma once

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <string>

#include "runtime/artifact.h"
#include "runtime/launch_options.h"

namespace tilewise::runtime {

// The driver refused an operation; carries its own name for the error.
class DeviceError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A binary that is loaded on one device. Immutable; launched from any thread.
class LoadedKernel {
 public:
  virtual ~LoadedKernel() = default;

  // `slots` are the arguments without constexpr ones. Must not allocate. Throws DeviceError.
  virtual void launch(const uint64_t* slots, int slot_count, const Grid& grid,
                      const LaunchOptions& options, void* stream) const = 0;
};

// What kernel choice and tile sizes depend on. Zero: unknown.
struct DeviceProperties {
  int multiprocessors = 0;               // GPUs: SMs or CUs. CPU: threads of the machine.
  int64_t shared_bytes_per_program = 0;  // GPUs: dynamic shared memory that one program can have.
  int capability = 0;                    // CUDA: 90 for 9.0.
  int warp_size = 1;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // What Triton compiles for: "cuda:90", "hip:gfx942", "cpu:x86-64-v4". Throws DeviceError.
  virtual std::string target_name(int device_index) = 0;

  virtual DeviceProperties properties(int device_index) = 0;  // Throws DeviceError.

  // Throws DeviceError with a sentence that says why the binary cannot run here.
  virtual std::unique_ptr<LoadedKernel> load(const Artifact& artifact, int device_index) = 0;
};

// The backend lives for the process. Replaces the one before (tests do that).
void register_backend(DeviceKind kind, Backend* backend);
Backend* find_backend(DeviceKind kind);  // nullptr: none in this build.

}  // namespace tilewise::runtime
