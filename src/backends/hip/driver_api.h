// SPDX-License-Identifier: Apache-2.0
// The few functions of HIP that Tilewise calls, found in libamdhip64.so at run time. Compiled
// everywhere; not yet run on an AMD GPU.
#pragma once

#include <string>

#include "backends/gpu_common/driver_library.h"
#include "runtime/argument_pack.h"
#include "runtime/backend.h"

namespace tilewise::backends {

class HipApi {
 public:
  using Context = int;  // HIP's current device.
  using Module = void*;
  using Function = void*;
  static constexpr runtime::PayloadKind kPayload = runtime::PayloadKind::hsaco;

  static const HipApi& instance();

  std::string target_name(int device) const;
  runtime::DeviceProperties properties(int device) const;
  Context enter(int device) const;
  void leave(Context previous) const noexcept;
  Module load_module(const std::string& image) const;
  Function find_function(Module module, const char* name) const;
  // A module function may use all shared memory of the device without asking.
  void allow_shared(Function, unsigned) const {}
  std::string error_text(int status) const;

  int launch(Function function, const runtime::Grid& grid, unsigned threads, unsigned shared_bytes,
             void* stream, void** parameters) const {
    return hipModuleLaunchKernel(function, static_cast<unsigned>(grid.x),
                                 static_cast<unsigned>(grid.y), static_cast<unsigned>(grid.z),
                                 threads, 1, 1, shared_bytes, stream, parameters, nullptr);
  }
  bool is_wrong_context(int status) const {
    constexpr int kInvalidContext = 201;
    constexpr int kInvalidResourceHandle = 400;
    return status == kInvalidContext || status == kInvalidResourceHandle;
  }

 private:
  HipApi();
  void check(int status, const char* what) const;  // Throws DeviceError.

  const DriverLibrary library_;
  int (*hipInit)(unsigned flags);
  int (*hipGetDevice)(int* device);
  int (*hipSetDevice)(int device);
  int (*hipDeviceGetAttribute)(int* value, int attribute, int device);
  int (*hipGetDeviceProperties)(void* properties, int device);
  int (*hipModuleLoadData)(Module* module, const void* image);
  int (*hipModuleGetFunction)(Function* function, Module module, const char* name);
  int (*hipModuleLaunchKernel)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                               unsigned block_x, unsigned block_y, unsigned block_z,
                               unsigned shared_bytes, void* stream, void** parameters,
                               void** extra);
  const char* (*hipGetErrorString)(int status);
};

}  // namespace tilewise::backends
