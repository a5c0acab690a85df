// SPDX-License-Identifier: Apache-2.0
// Pieces of Python text that all generators write.
#pragma once

#include <string>
#include <vector>

#include "runtime/dtype.h"

namespace tilewise::codegen {

// The Triton type in source text ("tl.float32"), which is spelled otherwise than in a signature.
std::string type_expression(runtime::DType dtype);

// "pointwise/arithmetic" -> "pointwise.arithmetic".
std::string dotted(std::string module);

// "a, b, c".
std::string join(const std::vector<std::string>& parts);

}  // namespace tilewise::codegen
