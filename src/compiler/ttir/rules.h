// SPDX-License-Identifier: Apache-2.0
// What the verifier checks of each operation beyond operand counts and shapes. Triton's own
// verifier has checked all of it; texts that were damaged or written by hand are refused here,
// where the source line is known, instead of by LLVM or not at all.
#pragma once

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

// The kinds of elements: floats are added by arith.addf and integers by arith.addi. Of operations
// with a result of another shape (reductions, join, split), also that shape.
void check_element_kinds(const Operation& op);

// Terminators end blocks and nothing else, each kind its own kind of block, and branches pass what
// the blocks' arguments are. For the blocks of one region; `parent` is null for a function's.
void check_blocks(const Region& region, const Operation* parent);

}  // namespace tilewise::compiler
