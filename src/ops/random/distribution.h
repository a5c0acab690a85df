// SPDX-License-Identifier: Apache-2.0
// Filling a dense tensor from one of the distributions of kernels/random/distribution.py.
#pragma once

#include <ATen/core/Generator.h>
#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/framework/launch.h"

namespace tilewise::ops {

using OptionalGenerator = std::optional<at::Generator>;

// The kernel's constants.
enum class Distribution : int64_t {
  uniform,
  normal,
  log_normal,
  exponential,
  cauchy,
  bernoulli,
  geometric,
  integer,
};

// Why `self` cannot be filled, or nullptr. What is drawn follows memory, not logical order.
const char* refuse_fill(const at::Tensor& self);
const char* refuse_floating_fill(const at::Tensor& self);
const char* refuse_uniform(const at::Tensor& self, double from, double to);

// a and b: the distribution's parameters.
void fill_random(Distribution distribution, const at::Tensor& self,
                 const OptionalGenerator& generator, double a, double b);
// first + {0, ..., range - 1}; a range of 0 is 2^64.
void fill_integers(const at::Tensor& self, const OptionalGenerator& generator, int64_t first,
                   uint64_t range);
// Launches a kernel that draws a number for each probability: out, p, both dense.
void draw_for_each(const Kernel& kernel, const at::Tensor& out, const at::Tensor& p,
                   const OptionalGenerator& generator);

}  // namespace tilewise::ops
