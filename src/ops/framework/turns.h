// SPDX-License-Identifier: Apache-2.0
// Launches whose programs take turns, so that the second reading of a tensor comes from a GPU's L2
// cache: Note [Second reading] in kernels/common/turns.py.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

#include "ops/framework/launch.h"

namespace tilewise::ops {

struct Turns {
  int64_t groups;
  int64_t chunks;  // of a group
  int64_t delay;   // groups between the two readings

  Grid grid() const { return grid_1d(2 * (groups + delay) * chunks); }
  // Zeros, next to `like`.
  at::Tensor counters(const at::Tensor& like) const;
};

// None on CPUs, where a GPU's cache holds the tensors or all groups at work anyway, and where it
// does not hold a few groups. `group_bytes` are those of all tensors that are read twice.
std::optional<Turns> find_turns(const at::Tensor& self, int64_t groups, int64_t chunks,
                                int64_t group_bytes);

}  // namespace tilewise::ops
