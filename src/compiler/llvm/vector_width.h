// SPDX-License-Identifier: Apache-2.0
// How wide a kernel's vector registers are, where the target has several widths.
//
// A kernel that does little more than to move memory is faster with 32 bytes than with 64 on chips
// that execute wide vectors in halves: two loads of a line have more lines fetched ahead. Zen 4,
// one core, f32, (4096, 4096): sum of rows 2710 us with 64 bytes, 2400 with 32; add 9000 and 7900,
// past the cache 5640 and 5390; (1024, 4096): 262 and 238. Where there is more to compute,
// registers and instructions count instead: bf16 with its conversions takes 1.1 times as long
// with 32.
#pragma once

#include "compiler/target.h"
#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

// After choose_register_buffers.
int choose_vector_bytes(const TileProgram& program, const Target& target);

}  // namespace tilewise::compiler
