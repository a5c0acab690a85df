// SPDX-License-Identifier: Apache-2.0
// RMS norm. PyTorch has kernels of these two operators for GPUs alone; on a CPU autograd decomposes
// the forward one, unless a kernel of it exists: ours makes PyTorch's own derivative formula hold
// there too. Without a scope the formula then needs a backward kernel on the CPU: `without_scope`.
#include <limits>

#include "ops/framework/plain_op.h"
#include "ops/normalization/row_norm.h"

namespace tilewise::ops {
namespace {

using row_norm::OptionalTensor;

// The default eps is the rounding step of the type that the statistics have.
double eps_of(const Tensor& input, std::optional<double> eps) {
  if (eps.has_value()) return *eps;
  return input.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                            : std::numeric_limits<float>::epsilon();
}

struct RmsNorm : PlainOp {
  static const char* refuse(const Tensor& input, at::IntArrayRef shape, OptionalTensor weight,
                            std::optional<double>) {
    return row_norm::refuse_row_norm(input, shape, weight, std::nullopt);
  }
  static std::tuple<Tensor, Tensor> call(const Tensor& input, at::IntArrayRef shape,
                                         OptionalTensor weight, std::optional<double> eps) {
    const auto statistics = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    auto result = row_norm::forward(input, std::nullopt, shape, weight, std::nullopt,
                                    eps_of(input, eps), /*center=*/false, statistics);
    return {std::move(result.out), std::move(result.rstd)};
  }
};
TILEWISE_OPERATOR(RmsNorm, "_fused_rms_norm");

struct RmsNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_out, const Tensor& input, at::IntArrayRef shape,
                            const Tensor&, OptionalTensor weight, std::array<bool, 2> mask) {
    if (grad_out.sizes() != input.sizes() || grad_out.scalar_type() != input.scalar_type())
      return "rms_norm: gradient unlike the input";
    if (mask[1] && !row_norm::is_given(weight)) return "rms_norm: gradient of an absent parameter";
    return row_norm::refuse_row_norm(input, shape, weight, std::nullopt);
  }
  static std::tuple<Tensor, Tensor> call(const Tensor& grad_out, const Tensor& input,
                                         at::IntArrayRef shape, const Tensor& rstd,
                                         OptionalTensor weight, std::array<bool, 2> mask) {
    auto [grad_input, grad_weight, grad_bias] =
        row_norm::backward(grad_out, std::nullopt, input, shape, Tensor(), rstd, weight,
                           std::nullopt, {mask[0], mask[1], false});
    return {std::move(grad_input), std::move(grad_weight)};
  }
  static std::tuple<Tensor, Tensor> without_scope(const Tensor& grad_out, const Tensor& input,
                                                  at::IntArrayRef shape, const Tensor& rstd,
                                                  OptionalTensor weight, std::array<bool, 2> mask) {
    c10::SmallVector<int64_t, 8> outer, inner;
    const auto kept = input.dim() - static_cast<int64_t>(shape.size());
    for (int64_t i = 0; i < input.dim(); ++i) (i < kept ? outer : inner).push_back(i);
    const Tensor normalized = input.to(rstd.scalar_type()).mul(rstd);
    const Tensor grad = grad_out.to(rstd.scalar_type());
    Tensor grad_input, grad_weight;
    if (mask[0]) {
      const Tensor scaled = row_norm::is_given(weight) ? grad.mul(*weight) : grad;
      const Tensor projection = scaled.mul(normalized).mean(inner, /*keepdim=*/true);
      grad_input = scaled.sub(normalized.mul(projection)).mul(rstd).to(input.scalar_type());
    }
    if (mask[1] && row_norm::is_given(weight)) {
      const Tensor products = grad.mul(normalized);
      grad_weight = (outer.empty() ? products : products.sum(outer)).to(weight->scalar_type());
    }
    return {std::move(grad_input), std::move(grad_weight)};
  }
};
TILEWISE_OPERATOR(RmsNormBackward, "_fused_rms_norm_backward");

}  // namespace
}  // namespace tilewise::ops
