// SPDX-License-Identifier: Apache-2.0
// Decides which expressions are computed once into scratch instead of again in every nest:
// expensive ones that several nests need, those that a loop would repeat, and loads whose memory
// may be overwritten before a later nest needs them (a matter of correctness).
//
//   nest [1024]  reduce %e         nest [1024]  reduce %e
//   nest [1024]  store %p, %e        ->           materialize %e -> buffer0     (%e = exp ...)
//                                  nest [1024]  store %p, %e                    (reads buffer0)
//
// Input: the program of build_schedule.h. Output: the same with more roots and views, items sorted.
#pragma once

#include "compiler/passes/uses.h"
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

void materialize_shared(TileProgram& program, const UseMap& uses);

}  // namespace tilewise::compiler
