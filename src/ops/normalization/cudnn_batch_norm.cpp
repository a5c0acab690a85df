// SPDX-License-Identifier: Apache-2.0
// Batch norm as PyTorch calls it on CUDA for f32 and f16 images: an operator of its own, with f32
// parameters and statistics, and a reserve that only cuDNN needs.
#include <ATen/ops/native_batch_norm_backward.h>

#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/normalization/channel_norm.h"

namespace tilewise::ops {
namespace {

using channel_norm::is_given;
using channel_norm::OptionalTensor;
using channel_norm::Parameters;
using channel_norm::Statistics;

// cuDNN's wrapper has the errors for everything that this refuses.
const char* refuse_parameters(const Tensor& input, const Tensor& weight,
                              std::initializer_list<const std::optional<Tensor>*> others) {
  if (!input.is_floating_point()) return "batch_norm of a dtype that is not floating";
  if (input.dim() < 2 || input.dim() > 5 || input.numel() == 0)
    return "batch_norm of another rank, or of no elements";
  if (!input.is_contiguous(input.suggest_memory_format())) return "batch_norm of a strided view";
  const bool is_16_bit = input.scalar_type() == at::kHalf || input.scalar_type() == at::kBFloat16;
  const auto expected = is_16_bit ? at::kFloat : input.scalar_type();
  const auto fits = [&](const Tensor& tensor) {
    return tensor.scalar_type() == expected && tensor.is_contiguous() && tensor.dim() == 1 &&
           tensor.size(0) == input.size(1);
  };
  if (!weight.defined() || !fits(weight)) return "batch_norm: weight";
  for (const std::optional<Tensor>* other : others)
    if (is_given(*other) && !fits(**other)) return "batch_norm: parameter";
  return nullptr;
}

struct CudnnBatchNorm : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, const Tensor& weight, OptionalTensor bias,
                            OptionalTensor running_mean, OptionalTensor running_var, bool training,
                            const auto&...) {
    if (!is_given(bias) || is_given(running_mean) != is_given(running_var))
      return "batch_norm: absent parameter";
    if (!training && !is_given(running_mean)) return "inference without running statistics";
    return refuse_parameters(input, weight, {&bias, &running_mean, &running_var});
  }
  static std::tuple<Tensor, Tensor, Tensor, Tensor> call(const Tensor& input, const Tensor& weight,
                                                         OptionalTensor bias,
                                                         OptionalTensor running_mean,
                                                         OptionalTensor running_var, bool training,
                                                         double exponential_average_factor,
                                                         double epsilon) {
    const Parameters parameters{weight,
                                *bias,
                                running_mean.value_or(Tensor()),
                                running_var.value_or(Tensor()),
                                exponential_average_factor,
                                epsilon};
    const Tensor out = allocate_output(
        input.sizes(), {}, input.options().memory_format(input.suggest_memory_format()));
    const int64_t count = training ? input.size(1) : 0;
    const Tensor save_mean = allocate_output({count}, {}, weight.options());
    const Tensor save_var = allocate_output({count}, {}, weight.options());
    const Tensor none;
    channel_norm::forward(input, parameters, training ? Statistics::batch : Statistics::variance,
                          out, training ? save_mean : none, training ? save_var : none);
    return {out, save_mean, save_var, allocate_output({0}, {}, input.options().dtype(at::kByte))};
  }
};
TILEWISE_OPERATOR(CudnnBatchNorm, "cudnn_batch_norm");

struct CudnnBatchNormBackward : PlainOp {
  static constexpr bool kGpuOnly = true;
  static const char* refuse(const Tensor& input, const Tensor& grad_output, const Tensor& weight,
                            OptionalTensor, OptionalTensor, OptionalTensor save_mean,
                            OptionalTensor save_var, double, const Tensor&) {
    if (grad_output.sizes() != input.sizes() || grad_output.scalar_type() != input.scalar_type())
      return "batch_norm: gradient unlike the input";
    if (!is_given(save_mean) || !is_given(save_var)) return "batch_norm: no saved statistics";
    return refuse_parameters(input, weight, {&save_mean, &save_var});
  }
  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& input, const Tensor& grad_output,
                                                 const Tensor& weight, OptionalTensor,
                                                 OptionalTensor, OptionalTensor save_mean,
                                                 OptionalTensor save_var, double epsilon,
                                                 const Tensor&) {
    channel_norm::Gradients gradients;
    gradients.input = allocate_output(input.sizes(), {},
                                      input.options().memory_format(input.suggest_memory_format()));
    gradients.weight = allocate_output(weight.sizes(), {}, weight.options());
    gradients.bias = allocate_output(weight.sizes(), {}, weight.options());
    channel_norm::backward(grad_output, input, weight, *save_mean, *save_var, Statistics::given,
                           /*training=*/true, epsilon, gradients);
    return {std::move(gradients.input), std::move(gradients.weight), std::move(gradients.bias)};
  }
  // cuDNN cannot go on from a forward pass of ours, which left no reserve.
  static bool previous_cannot(const Tensor&, const Tensor&, const Tensor&, OptionalTensor,
                              OptionalTensor, OptionalTensor, OptionalTensor, double,
                              const Tensor& reserve) {
    return reserve.defined() && reserve.numel() == 0;
  }
  static std::tuple<Tensor, Tensor, Tensor> without_scope(
      const Tensor& input, const Tensor& grad_output, const Tensor& weight,
      OptionalTensor running_mean, OptionalTensor running_var, OptionalTensor save_mean,
      OptionalTensor save_var, double epsilon, const Tensor&) {
    return at::native_batch_norm_backward(grad_output, input, weight, running_mean, running_var,
                                          save_mean, save_var, true, epsilon, {true, true, true});
  }
};
TILEWISE_OPERATOR(CudnnBatchNormBackward, "cudnn_batch_norm_backward");

}  // namespace
}  // namespace tilewise::ops
