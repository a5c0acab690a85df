// SPDX-License-Identifier: Apache-2.0
// Gives every edge of a conditional branch that passes values a block of its own, so that only
// unconditional branches pass values and each passes them to one block:
//
//   cf.cond_br %c, ^bb1(%x), ^bb2      ->      cf.cond_br %c, ^edge, ^bb2
//                                            ^edge: cf.br ^bb1(%x)
//
// Input and output: a verified function.
#pragma once

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

void split_edges(Function& function);

}  // namespace tilewise::compiler
