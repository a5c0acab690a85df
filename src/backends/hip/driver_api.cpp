// SPDX-License-Identifier: Apache-2.0
#include "backends/hip/driver_api.h"

namespace tilewise::backends {
namespace {

// hipDeviceAttribute_t of HIP 6.
constexpr int kMultiprocessorCount = 63;
constexpr int kMaxSharedMemoryPerBlock = 74;
constexpr int kWarpSize = 87;
// hipDeviceProp_t of the R0600 interface: where gcnArchName lies, and room for all of it.
constexpr size_t kArchNameOffset = 1160;
constexpr size_t kPropertiesBytes = 4096;

}  // namespace

const HipApi& HipApi::instance() {
  static const HipApi* const api = new HipApi;
  return *api;
}

HipApi::HipApi()
    : library_({"libamdhip64.so.6", "libamdhip64.so.7", "libamdhip64.so"},
               "HIP kernels cannot run") {
  library_.find("hipInit", hipInit);
  library_.find("hipGetDevice", hipGetDevice);
  library_.find("hipSetDevice", hipSetDevice);
  library_.find("hipDeviceGetAttribute", hipDeviceGetAttribute);
  library_.find("hipGetDevicePropertiesR0600", hipGetDeviceProperties);
  library_.find("hipModuleLoadData", hipModuleLoadData);
  library_.find("hipModuleGetFunction", hipModuleGetFunction);
  library_.find("hipModuleLaunchKernel", hipModuleLaunchKernel);
  library_.find("hipGetErrorString", hipGetErrorString);
  check(hipInit(0), "hipInit");
}

std::string HipApi::error_text(int status) const {
  const char* const text = hipGetErrorString(status);
  return std::string(text ? text : "unknown HIP error") + " (" + std::to_string(status) + ")";
}

void HipApi::check(int status, const char* what) const {
  if (status != 0) throw runtime::DeviceError(std::string(what) + ": " + error_text(status));
}

std::string HipApi::target_name(int device) const {
  alignas(16) char properties[kPropertiesBytes] = {};
  check(hipGetDeviceProperties(properties, device), "hipGetDeviceProperties");
  const std::string architecture = properties + kArchNameOffset;  // "gfx942:sramecc+:xnack-"
  return "hip:" + architecture.substr(0, architecture.find(':'));
}

runtime::DeviceProperties HipApi::properties(int device) const {
  const auto attribute = [&](int which) {
    int value = 0;
    check(hipDeviceGetAttribute(&value, which, device), "hipDeviceGetAttribute");
    return value;
  };
  return {.multiprocessors = attribute(kMultiprocessorCount),
          .shared_bytes_per_program = attribute(kMaxSharedMemoryPerBlock),
          .capability = 0,
          .warp_size = attribute(kWarpSize)};
}

HipApi::Context HipApi::enter(int device) const {
  int previous = 0;
  check(hipGetDevice(&previous), "hipGetDevice");
  check(hipSetDevice(device), "hipSetDevice");
  return previous;
}

void HipApi::leave(Context previous) const noexcept { hipSetDevice(previous); }

HipApi::Module HipApi::load_module(const std::string& image) const {
  Module module = nullptr;
  check(hipModuleLoadData(&module, image.data()), "hipModuleLoadData");
  return module;
}

HipApi::Function HipApi::find_function(Module module, const char* name) const {
  Function function = nullptr;
  check(hipModuleGetFunction(&function, module, name), "hipModuleGetFunction");
  return function;
}

}  // namespace tilewise::backends
