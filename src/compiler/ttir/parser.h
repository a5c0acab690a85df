// SPDX-License-Identifier: Apache-2.0
// Reads MLIR text as `str(module)` of Triton prints it, in the pretty and in the generic form.
// Any text gives a module or a CompileError; the module is not yet checked (verifier.h).
#pragma once

#include <memory>
#include <string_view>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

std::unique_ptr<Module> parse_module(std::string_view text);

}  // namespace tilewise::compiler
