// SPDX-License-Identifier: Apache-2.0
// Norms of rows, shared by layer norm, RMS norm and their fused forms: `forward` and `backward`
// choose tiles of kernels/normalization/row_norm.py and launch them. The callers check their
// arguments first (`refuse_row_norm`) and name the dtype of the statistics, which is ATen's.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

namespace tilewise::ops::row_norm {

using at::Tensor;
using OptionalTensor = const std::optional<Tensor>&;

struct Forward {
  Tensor out;
  Tensor mean;  // layer norm only
  Tensor rstd;
  Tensor sum;  // of input and residual, if there is one
};

inline bool is_given(OptionalTensor tensor) { return tensor.has_value() && tensor->defined(); }

// 16-bit input with f32 parameters is the one mixture that PyTorch takes.
bool is_mixed(const Tensor& input, OptionalTensor weight, OptionalTensor bias);

// The reason why PyTorch's own kernel must serve (it has the errors), or nullptr.
const char* refuse_row_norm(const Tensor& input, at::IntArrayRef shape, OptionalTensor weight,
                            OptionalTensor bias);

// `center`: layer norm; else RMS norm.
Forward forward(const Tensor& input, OptionalTensor residual, at::IntArrayRef shape,
                OptionalTensor weight, OptionalTensor bias, double eps, bool center,
                at::ScalarType statistics);

// Gradients of input, weight and bias, as far as `mask` asks for them. `mean` is undefined for RMS
// norm; `grad_sum` is added to the input's gradient.
std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& grad_out, OptionalTensor grad_sum,
                                            const Tensor& input, at::IntArrayRef shape,
                                            const Tensor& mean, const Tensor& rstd,
                                            OptionalTensor weight, OptionalTensor bias,
                                            std::array<bool, 3> mask);

}  // namespace tilewise::ops::row_norm
