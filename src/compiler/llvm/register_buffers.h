// SPDX-License-Identifier: Apache-2.0
// Small tiles live in registers. A loop that carries an accumulator of 256 floats would otherwise
// load and store all of it in every iteration:
//
//   buffer0: f32 x 256                    %buffer0 = alloca [256 x float]
//   scf.for { nest [256]            ->    for { four additions of <64 x float> at constant
//     materialize %sum -> buffer0 }             offsets }
//
// LLVM turns an alloca into registers if all its addresses are constants, so nests that touch such
// a buffer have no loops: see NestEmitter::emit_unrolled.
#pragma once

#include "compiler/target.h"
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

// Sets Buffer::in_registers and Item::unrolled, and lays out scratch memory without those buffers.
void choose_register_buffers(TileProgram& program, const Target& target);

}  // namespace tilewise::compiler
