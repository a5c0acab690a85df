// SPDX-License-Identifier: Apache-2.0
// Puts the bodies of called functions in place of the calls. Triton's own inliner leaves those of
// noinline functions and, in loops, combine regions and maps, those of functions with an early
// return. A body of one block is spliced in. One of several blocks becomes the region of its call,
// whose blocks end in branches or in a tt.return that gives the call's results:
//
//   scf.for ... {                             scf.for ... {
//     %v = tt.call @f(%x)                       %v = tt.call @f(%x) ({ cf.cond_br %c, ^bb1, ^bb2
//   }                                     ->      ^bb1: tt.return %a
//   @f(%p) { cf.cond_br %c, ^bb1, ^bb2            ^bb2: tt.return %b })
//     ^bb1: tt.return %a  ^bb2: ... }         }
//
// Input: verified functions. Output: the kernel calls nothing; the other functions are gone.
#pragma once

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

void inline_calls(Module& module);

}  // namespace tilewise::compiler
