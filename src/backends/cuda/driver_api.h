// SPDX-License-Identifier: Apache-2.0
// The few functions of the CUDA driver that Tilewise calls, declared here so that no CUDA toolkit
// is needed to build, and found in libcuda.so.1 at run time. Names with _v2 are the driver's own.
#pragma once

#include <string>

#include "backends/gpu_common/driver_library.h"
#include "runtime/argument_pack.h"
#include "runtime/backend.h"

namespace tilewise::backends {

class CudaApi {
 public:
  using Context = void*;
  using Module = void*;
  using Function = void*;
  static constexpr runtime::PayloadKind kPayload = runtime::PayloadKind::cubin;

  static const CudaApi& instance();

  std::string target_name(int device) const;
  runtime::DeviceProperties properties(int device) const;
  Context enter(int device) const;
  void leave(Context previous) const noexcept;
  Module load_module(const std::string& image) const;
  Function find_function(Module module, const char* name) const;
  void allow_shared(Function function, unsigned bytes) const;
  std::string error_text(int status) const;

  int launch(Function function, const runtime::Grid& grid, unsigned threads, unsigned shared_bytes,
             void* stream, void** parameters) const {
    return cuLaunchKernel(function, static_cast<unsigned>(grid.x), static_cast<unsigned>(grid.y),
                          static_cast<unsigned>(grid.z), threads, 1, 1, shared_bytes, stream,
                          parameters, nullptr);
  }
  bool is_wrong_context(int status) const {
    constexpr int kInvalidContext = 201;
    constexpr int kInvalidHandle = 400;
    return status == kInvalidContext || status == kInvalidHandle;
  }

 private:
  CudaApi();
  void check(int status, const char* what) const;  // Throws DeviceError.
  int attribute(int device, int which) const;

  const DriverLibrary library_;
  int (*cuInit)(unsigned flags);
  int (*cuDeviceGet)(int* device, int ordinal);
  int (*cuDeviceGetAttribute)(int* value, int attribute, int device);
  int (*cuDevicePrimaryCtxRetain)(Context* context, int device);
  int (*cuCtxGetCurrent)(Context* context);
  int (*cuCtxSetCurrent)(Context context);
  int (*cuModuleLoadData)(Module* module, const void* image);
  int (*cuModuleGetFunction)(Function* function, Module module, const char* name);
  int (*cuFuncSetAttribute)(Function function, int attribute, int value);
  int (*cuLaunchKernel)(Function function, unsigned grid_x, unsigned grid_y, unsigned grid_z,
                        unsigned block_x, unsigned block_y, unsigned block_z, unsigned shared_bytes,
                        void* stream, void** parameters, void** extra);
  int (*cuGetErrorName)(int status, const char** text);
  int (*cuGetErrorString)(int status, const char** text);
};

}  // namespace tilewise::backends
