// SPDX-License-Identifier: Apache-2.0
// Seed and offset of PyTorch's generator for one call of a random operator; the layout of the
// numbers is in kernels/common/philox.py, Note [Random number layout].
#pragma once

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

#include "runtime/argument_pack.h"

namespace tilewise::ops {

// While a graph is captured, seed and offset are addresses in the GPU's memory, which a replay
// reads anew, and the offset within the graph is added.
struct PhiloxState {
  uint64_t seed;
  uint64_t offset;
  uint64_t offset_in_graph;
  bool is_captured;

  // Adds the kernel's parameters seed, offset and offset_in_graph.
  void add_to(runtime::ArgumentPack& pack) const;
};

// Takes `count` numbers: the generator's own seed and offset, which moves on by `count`, rounded up
// to 1024. PyTorch's CPU generator has no offset; 1024 times its engine's position serves
// (engine_position.h), so the same seed gives the same numbers on a CPU and on a GPU. Beyond what
// can be counted, two numbers drawn from the engine are the seed.
PhiloxState take_random_numbers(const std::optional<at::Generator>& generator, c10::Device device,
                                int64_t count);

// Chunks (Note [Random number layout]) that one program of four warps draws. On a GPU a warp has a
// chunk, and so a thread 8 neighbors of each lane: 16 bytes of a 16-bit float in one access.
inline int64_t chunks_per_program(c10::Device device) { return device.is_cpu() ? 1 : 4; }

}  // namespace tilewise::ops
