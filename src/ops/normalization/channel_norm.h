// SPDX-License-Identifier: Apache-2.0
// Norms of channels over images and pixels: what the batch norm operators share. `forward` and
// `backward` choose layout, chunks and tiles of kernels/normalization/batch_norm.py and launch
// them; the operators allocate the outputs, whose shapes and dtypes are ATen's.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>

namespace tilewise::ops::channel_norm {

using at::Tensor;
using OptionalTensor = const std::optional<Tensor>&;

inline bool is_given(OptionalTensor tensor) { return tensor.has_value() && tensor->defined(); }

// Where the mean and the deviation of a channel come from.
enum class Statistics : uint8_t {
  given,     // mean and 1 / deviation are arguments
  batch,     // of the batch itself
  variance,  // mean and variance are arguments (inference)
};

struct Parameters {
  Tensor weight, bias;               // undefined where absent
  Tensor running_mean, running_var;  // batch: updated, if defined; variance: read
  double momentum = 0.0;
  double eps = 0.0;
};

// Writes the normalized input, and (if defined) the mean and 1 / deviation that were used.
void forward(const Tensor& input, const Parameters& parameters, Statistics statistics,
             const Tensor& out, const Tensor& save_mean, const Tensor& save_rstd);

struct Gradients {
  Tensor input, weight, bias;  // those that are defined are written
};

// `statistics` is given or variance: `mean` and `rstd` hold what it says. `training`: they depend
// on the input.
void backward(const Tensor& grad_out, const Tensor& input, const Tensor& weight, const Tensor& mean,
              const Tensor& rstd, Statistics statistics, bool training, double eps,
              const Gradients& gradients);

}  // namespace tilewise::ops::channel_norm
