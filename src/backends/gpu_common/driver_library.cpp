// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu_common/driver_library.h"

#include <dlfcn.h>

#include "runtime/backend.h"

namespace tilewise::backends {

DriverLibrary::DriverLibrary(std::initializer_list<const char*> names, const char* purpose)
    : name_(*names.begin()) {
  for (const char* name : names) {
    // PyTorch has loaded the driver already where its tensors are on the device.
    handle_ = dlopen(name, RTLD_LAZY | RTLD_LOCAL);
    if (handle_ != nullptr) {
      name_ = name;
      return;
    }
  }
  throw runtime::DeviceError(std::string(purpose) + ": cannot load " + name_ +
                             "; install the device's driver");
}

void* DriverLibrary::address(const char* symbol) const {
  void* const found = dlsym(handle_, symbol);
  if (found == nullptr) {
    throw runtime::DeviceError(name_ + " has no " + symbol + "; update the device's driver");
  }
  return found;
}

}  // namespace tilewise::backends
