// SPDX-License-Identifier: Apache-2.0
// Checks a parsed module once, so that later stages may rely on operand counts, shapes and types;
// sets Operation::info, and rewrites numeric attributes of the generic form into the words of the
// pretty form (predicate = 2 -> slt). Throws CompileError for what is wrong or not supported.
#pragma once

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

void verify_and_normalize(Module& module);

}  // namespace tilewise::compiler
