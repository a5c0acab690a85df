// SPDX-License-Identifier: Apache-2.0
// The functions of libdevice that backends/cpu/device_functions.h provides, by name and types. The
// compiler calls them one lane at a time.
#pragma once

#include <string>
#include <string_view>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

// True if the runtime has the function `symbol` with the operation's operand and result types.
bool is_runtime_function(std::string_view symbol, const Operation& op);

}  // namespace tilewise::compiler
