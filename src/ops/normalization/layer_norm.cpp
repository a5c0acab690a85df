// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/plain_op.h"
#include "ops/normalization/row_norm.h"

namespace tilewise::ops {
namespace {

using row_norm::OptionalTensor;

struct LayerNorm : PlainOp {
  static const char* refuse(const Tensor& input, c10::SymIntArrayRef shape, OptionalTensor weight,
                            OptionalTensor bias, double) {
    return row_norm::refuse_row_norm(input, C10_AS_INTARRAYREF_SLOW(shape), weight, bias);
  }
  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& input, c10::SymIntArrayRef shape,
                                                 OptionalTensor weight, OptionalTensor bias,
                                                 double eps) {
    // On a GPU PyTorch keeps the statistics of 16-bit input in f32, on a CPU only for f32
    // parameters.
    const bool wide = input.scalar_type() != at::kDouble &&
                      (!input.is_cpu() || row_norm::is_mixed(input, weight, bias));
    auto result =
        row_norm::forward(input, std::nullopt, C10_AS_INTARRAYREF_SLOW(shape), weight, bias, eps,
                          /*center=*/true, wide ? at::kFloat : input.scalar_type());
    return {std::move(result.out), std::move(result.mean), std::move(result.rstd)};
  }
};
TILEWISE_OPERATOR(LayerNorm, "native_layer_norm");

struct LayerNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_out, const Tensor& input, c10::SymIntArrayRef shape,
                            const Tensor&, const Tensor&, OptionalTensor weight,
                            OptionalTensor bias, std::array<bool, 3> mask) {
    if (grad_out.sizes() != input.sizes() || grad_out.scalar_type() != input.scalar_type())
      return "layer_norm: gradient unlike the input";
    if ((mask[1] && !row_norm::is_given(weight)) || (mask[2] && !row_norm::is_given(bias)))
      return "layer_norm: gradient of an absent parameter";
    return row_norm::refuse_row_norm(input, C10_AS_INTARRAYREF_SLOW(shape), weight, bias);
  }
  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& grad_out, const Tensor& input,
                                                 c10::SymIntArrayRef shape, const Tensor& mean,
                                                 const Tensor& rstd, OptionalTensor weight,
                                                 OptionalTensor bias, std::array<bool, 3> mask) {
    return row_norm::backward(grad_out, std::nullopt, input, C10_AS_INTARRAYREF_SLOW(shape), mean,
                              rstd, weight, bias, mask);
  }
};
TILEWISE_OPERATOR(LayerNormBackward, "native_layer_norm_backward");

}  // namespace
}  // namespace tilewise::ops
