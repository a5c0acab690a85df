// SPDX-License-Identifier: Apache-2.0
// How many 32-bit numbers PyTorch's CPU generator has given since it was seeded: the place of a
// Philox offset, which that generator does not keep.
//
// Note [Random numbers of the CPU generator]
// A random operator must continue where the last one ended, and must give the same numbers again
// after set_state() or a fork, in this process or in another one. So its offset has to be a
// function of the generator's state, which holds the seed and a block of 624 words of Mersenne
// Twister 19937. Given the seed, the number of the block is found by running a second engine
// forward until it holds the same words; engines that were found are kept, so that a call costs a
// comparison, and one block in 624 calls 1.5 us. Blocks beyond kMaxBlock (41 million numbers; stock
// PyTorch fills tensors from this engine, one or two numbers an element) count as not found,
// whichever way their state was reached.
#pragma once

#include <ATen/core/MT19937RNGEngine.h>

#include <cstdint>
#include <optional>

namespace tilewise::ops {

inline constexpr int64_t kMaxBlock = 65536;

// The position of the engine's next number; none beyond kMaxBlock, or for a state that its seed
// does not lead to.
std::optional<int64_t> engine_position(const at::mt19937& engine);

}  // namespace tilewise::ops
