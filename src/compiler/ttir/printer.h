// SPDX-License-Identifier: Apache-2.0
// Prints a module in MLIR's generic form, which parser.h reads back to an equal module.
#pragma once

#include <string>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

std::string print_module(const Module& module);

}  // namespace tilewise::compiler
