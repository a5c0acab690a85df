// SPDX-License-Identifier: Apache-2.0
// The matrix product of tiles of f64 and of i32, as text of an LLVM function with the interface of
// dot_kernel.h. Their use in kernels is rare, so there is no register blocking of rows here: each
// row of c is a few vectors that stay in registers while k runs.
#pragma once

#include <string>

#include "compiler/llvm/dot_kernel.h"
#include "compiler/ttir/types.h"

namespace tilewise::compiler {

// Adds a[m][k] times b[k][n] to c[m][n], all row-major and of one kind, f64 or i32 (which wraps).
std::string plain_dot_function(const DotShape& shape, ScalarKind kind, const Target& target,
                               std::string& name);

}  // namespace tilewise::compiler
