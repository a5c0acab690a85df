// SPDX-License-Identifier: Apache-2.0
// Functions of CUDA's libdevice that kernels call by name, one lane at a time: those too rare for
// vector code of their own (compiler/llvm/extern_functions.h lists them). Results are within a few
// ulp of libdevice's; roundings are exact.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

namespace tilewise::backends {

using FunctionTable = std::unordered_map<std::string, void*>;

// "__nv_erfinvf" and the like; nullptr if there is none of that name.
void* find_device_function(std::string_view name);

// The functions that round in a stated direction: device_rounding.cpp.
void add_rounding_functions(FunctionTable& table);

}  // namespace tilewise::backends
