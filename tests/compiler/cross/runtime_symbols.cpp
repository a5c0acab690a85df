// SPDX-License-Identifier: Apache-2.0
// What the linker takes for the functions that LLVM calls: those that the product's loader finds.
#include "backends/cpu/compiler_runtime.h"

namespace {

template <class From>
float call(const char* name, From value) {
  return reinterpret_cast<float (*)(From)>(tilewise::backends::find_runtime_function(name))(value);
}

}  // namespace

extern "C" {
float __truncsfhf2(float value) { return call("__truncsfhf2", value); }
float __truncdfhf2(double value) { return call("__truncdfhf2", value); }
float __truncsfbf2(float value) { return call("__truncsfbf2", value); }
float __truncdfbf2(double value) { return call("__truncdfbf2", value); }
float __extendhfsf2(float value) { return call("__extendhfsf2", value); }
}
