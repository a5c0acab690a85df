// SPDX-License-Identifier: Apache-2.0
// Seed and offset of PyTorch's default generator for one call of a random operator; the layout of
// the numbers is in kernels/common/philox.py, Note [Random number layout].
#pragma once

#include <ATen/core/Generator.h>
#include <c10/core/Device.h>

#include <cstdint>
#include <optional>

namespace tilewise::ops {

struct PhiloxState {
  int64_t seed;
  int64_t offset;
};

// Takes `count` numbers. On a GPU the generator's own seed and offset, which it advances; throws a
// Refusal while a graph is captured, where these live in device memory. PyTorch's CPU generator has
// no offset: one 64-bit draw from it is the seed, so that it advances, and its state can be saved,
// as ever.
PhiloxState take_random_numbers(const std::optional<at::Generator>& generator, c10::Device device,
                                int64_t count);

}  // namespace tilewise::ops
