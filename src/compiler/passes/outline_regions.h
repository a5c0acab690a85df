// SPDX-License-Identifier: Apache-2.0
// Makes the regions of reductions, scans and maps what the later stages evaluate in lanes: one
// block of elementwise operations. A region with branches, loops or several blocks becomes a
// function of scalars, which tilewise.apply calls lane by lane. A map is spliced in as tensor
// operations, or becomes a tilewise.apply on tensors.
//
//   "tt.reduce"(%x) ({ ^bb0(%a, %b):        "tt.reduce"(%x) ({ ^bb0(%a, %b):
//      %r = scf.if %c { ... } else { ... }    %r = "tilewise.apply"(%a, %b) <{callee = @region0}>
//      tt.reduce.return %r })                 tt.reduce.return %r })
//                                   ->      tt.func private @region0(%a, %b) { ... tt.return %r }
//
// Input: a module whose kernel calls no functions. Output: the same with one private function for
// each outlined region.
#pragma once

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

void outline_regions(Module& module);

}  // namespace tilewise::compiler
