// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/driver_api.h"

namespace tilewise::backends {
namespace {

// CUdevice_attribute and CUfunction_attribute, from the driver's interface.
constexpr int kWarpSize = 10;
constexpr int kMultiprocessorCount = 16;
constexpr int kComputeCapabilityMajor = 75;
constexpr int kComputeCapabilityMinor = 76;
constexpr int kMaxSharedMemoryPerBlockOptin = 97;
constexpr int kFunctionMaxDynamicSharedSize = 8;

}  // namespace

// A throw leaves the static unset, so a driver that appears later (a container's hook) is found.
const CudaApi& CudaApi::instance() {
  static const CudaApi* const api = new CudaApi;
  return *api;
}

CudaApi::CudaApi() : library_({"libcuda.so.1"}, "CUDA kernels cannot run") {
  library_.find("cuInit", cuInit);
  library_.find("cuDeviceGet", cuDeviceGet);
  library_.find("cuDeviceGetAttribute", cuDeviceGetAttribute);
  library_.find("cuDevicePrimaryCtxRetain", cuDevicePrimaryCtxRetain);
  library_.find("cuCtxGetCurrent", cuCtxGetCurrent);
  library_.find("cuCtxSetCurrent", cuCtxSetCurrent);
  library_.find("cuModuleLoadData", cuModuleLoadData);
  library_.find("cuModuleGetFunction", cuModuleGetFunction);
  library_.find("cuFuncSetAttribute", cuFuncSetAttribute);
  library_.find("cuLaunchKernel", cuLaunchKernel);
  library_.find("cuGetErrorName", cuGetErrorName);
  library_.find("cuGetErrorString", cuGetErrorString);
  check(cuInit(0), "cuInit");
}

std::string CudaApi::error_text(int status) const {
  const char* name = nullptr;
  const char* text = nullptr;
  cuGetErrorName(status, &name);
  cuGetErrorString(status, &text);
  return std::string(name ? name : "unknown CUDA error") + " (" + std::to_string(status) +
         (text ? std::string("): ") + text : ")");
}

void CudaApi::check(int status, const char* what) const {
  if (status != 0) throw runtime::DeviceError(std::string(what) + ": " + error_text(status));
}

int CudaApi::attribute(int device, int which) const {
  int handle = 0, value = 0;
  check(cuDeviceGet(&handle, device), "cuDeviceGet");
  check(cuDeviceGetAttribute(&value, which, handle), "cuDeviceGetAttribute");
  return value;
}

std::string CudaApi::target_name(int device) const {
  return "cuda:" + std::to_string(properties(device).capability);
}

runtime::DeviceProperties CudaApi::properties(int device) const {
  return {
      .multiprocessors = attribute(device, kMultiprocessorCount),
      .shared_bytes_per_program = attribute(device, kMaxSharedMemoryPerBlockOptin),
      .capability = attribute(device, kComputeCapabilityMajor) * 10 +
                    attribute(device, kComputeCapabilityMinor),
      .warp_size = attribute(device, kWarpSize),
  };
}

// The primary context is the one that PyTorch (the CUDA runtime) uses. It is retained once per call
// and never released: PyTorch keeps it for the process anyway.
CudaApi::Context CudaApi::enter(int device) const {
  Context previous = nullptr, primary = nullptr;
  int handle = 0;
  check(cuCtxGetCurrent(&previous), "cuCtxGetCurrent");
  check(cuDeviceGet(&handle, device), "cuDeviceGet");
  check(cuDevicePrimaryCtxRetain(&primary, handle), "cuDevicePrimaryCtxRetain");
  if (primary != previous) check(cuCtxSetCurrent(primary), "cuCtxSetCurrent");
  // A thread without a context keeps this one, or each of its launches would come here.
  return previous != nullptr ? previous : primary;
}

void CudaApi::leave(Context previous) const noexcept { cuCtxSetCurrent(previous); }

CudaApi::Module CudaApi::load_module(const std::string& image) const {
  Module module = nullptr;
  check(cuModuleLoadData(&module, image.data()), "cuModuleLoadData");
  return module;
}

CudaApi::Function CudaApi::find_function(Module module, const char* name) const {
  Function function = nullptr;
  check(cuModuleGetFunction(&function, module, name), "cuModuleGetFunction");
  return function;
}

void CudaApi::allow_shared(Function function, unsigned bytes) const {
  check(cuFuncSetAttribute(function, kFunctionMaxDynamicSharedSize, static_cast<int>(bytes)),
        "cuFuncSetAttribute");
}

}  // namespace tilewise::backends
