// SPDX-License-Identifier: Apache-2.0
// A driver's shared library, opened at run time so that libtilewise.so needs none to be loaded.
#pragma once

#include <string>

namespace tilewise::backends {

class DriverLibrary {
 public:
  // `names` are tried in order. Throws DeviceError that names the first, and `purpose`.
  DriverLibrary(std::initializer_list<const char*> names, const char* purpose);

  // Sets `function` to the symbol; throws DeviceError if the driver is too old to have it.
  template <class Function>
  void find(const char* symbol, Function*& function) const {
    function = reinterpret_cast<Function*>(address(symbol));
  }

 private:
  void* address(const char* symbol) const;

  std::string name_;
  void* handle_ = nullptr;  // Never closed: kernels live for the process.
};

}  // namespace tilewise::backends
