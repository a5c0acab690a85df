// SPDX-License-Identifier: Apache-2.0
// Turns loop-carried tensors of pointers or integers that move by something uniform into a tensor
// that stays and a carried scalar, so that address arithmetic stays visible to the later stages:
//
//   scf.for iter_args(%p = %p0)            scf.for iter_args(%o = 0)
//     tt.load %p                       ->    %p = tt.addptr %p0, splat(%o)
//     yield tt.addptr %p, splat(%d)          tt.load %p;  yield %o + %d
//
// Input and output: a verified function (operations renumbered).
#pragma once

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

void scalarize_loop_offsets(Function& function);

}  // namespace tilewise::compiler
