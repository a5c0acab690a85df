// SPDX-License-Identifier: Apache-2.0
// Triton IR -> tile IR: finds the roots, fuses adjacent roots of one shape into one nest, gives
// loop-carried and branch results their scratch buffers.
//
//   %x = tt.load %p, %m                       nest [1024]
//   %s = "tt.reduce"(%x) (add)                  reduce %x
//   tt.store %q, %x, %m                         store %q, %x, %m
//   tt.store %r, %s                           tt.store %r, %s
//
// Input: a verified function. Output: a program whose shared expressions are still evaluated once
// per nest; materialize_shared.h must follow, and is needed for correctness of loads (program
// order).
#pragma once

#include "compiler/passes/uses.h"
#include "compiler/target.h"
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

TileProgram build_schedule(Function& function, const UseMap& uses, const Target& target);

// A new scratch buffer for elements of a tensor type.
BufferView allocate_buffer(TileProgram& program, ScalarKind kind,
                           const std::vector<int64_t>& shape);

// Gives the buffer the next place in scratch memory.
void place_buffer(TileProgram& program, Buffer& buffer);

}  // namespace tilewise::compiler
