// SPDX-License-Identifier: Apache-2.0
// An addition and a norm in one kernel, as operators of our own: torch.ops.tilewise.add_layer_norm
// and add_rms_norm. They return the norm and the sum, which the next block adds to. Derivatives:
// fused_norm_autograd.cpp; fake implementations: python/tilewise/nn/norm_and_loss.py. What no
// kernel serves is composed of PyTorch's operators.
#include <ATen/ops/add.h>
#include <torch/library.h>

#include <limits>

#include "dispatch/refusal.h"
#include "ops/framework/eligibility.h"
#include "ops/framework/output.h"
#include "ops/normalization/row_norm.h"

namespace tilewise::ops {
namespace {

using at::Tensor;
using row_norm::OptionalTensor;

at::ScalarType statistics_type(const Tensor& input) {
  return input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

void check(const Tensor& x, const Tensor& residual, at::IntArrayRef shape, OptionalTensor weight,
           OptionalTensor bias) {
  TORCH_CHECK(x.sizes() == residual.sizes() && x.scalar_type() == residual.scalar_type() &&
                  x.device() == residual.device(),
              "x and residual must agree in shape, dtype and device, got ", x.sizes(), " ",
              x.scalar_type(), " and ", residual.sizes(), " ", residual.scalar_type());
  const auto rank = static_cast<size_t>(x.dim());
  TORCH_CHECK(
      !shape.empty() && shape.size() <= rank && x.sizes().slice(rank - shape.size()) == shape,
      "normalized_shape ", shape, " does not fit an input of shape ", x.sizes());
  for (const std::optional<Tensor>* parameter : {&weight, &bias})
    TORCH_CHECK(!row_norm::is_given(*parameter) || (*parameter)->sizes() == shape,
                "weight and bias must have normalized_shape ", shape);
}

bool serves(const Tensor& x, const Tensor& other, at::IntArrayRef shape, OptionalTensor weight,
            OptionalTensor bias) {
  TensorInspector inspect(x.is_cpu() ? dispatch::Backend::cpu : dispatch::Backend::gpu,
                          /*cpu_dims_allowed=*/-1, /*complex_is_allowed=*/false);
  visit_tensors(inspect, x);
  visit_tensors(inspect, other);
  visit_tensors(inspect, weight);
  visit_tensors(inspect, bias);
  return inspect.reason == nullptr && row_norm::refuse_row_norm(x, shape, weight, bias) == nullptr;
}

// The norm of x by PyTorch's operators, with the outputs of ours.
row_norm::Forward compose(const Tensor& x, const Tensor& residual, at::IntArrayRef shape,
                          OptionalTensor weight, OptionalTensor bias, double eps, bool center) {
  row_norm::Forward result;
  result.sum = at::add(x, residual);
  c10::SmallVector<int64_t, 8> inner;
  for (int64_t i = x.dim() - static_cast<int64_t>(shape.size()); i < x.dim(); ++i)
    inner.push_back(i);
  Tensor wide = result.sum.to(statistics_type(x));
  if (center) {
    result.mean = wide.mean(inner, /*keepdim=*/true);
    wide = wide.sub(result.mean);
  }
  result.rstd = wide.square().mean(inner, /*keepdim=*/true).add(eps).rsqrt();
  Tensor out = wide.mul(result.rstd);
  if (row_norm::is_given(weight)) out = out.mul(*weight);
  if (row_norm::is_given(bias)) out = out.add(*bias);
  result.out = out.to(x.scalar_type());
  return result;
}

row_norm::Forward forward(const Tensor& x, const Tensor& residual, at::IntArrayRef shape,
                          OptionalTensor weight, OptionalTensor bias, double eps, bool center) {
  check(x, residual, shape, weight, bias);
  if (serves(x, residual, shape, weight, bias)) {
    try {
      const DeviceGuard guard(x);
      return row_norm::forward(x, residual, shape, weight, bias, eps, center, statistics_type(x));
    } catch (const dispatch::Refusal&) {
      // No binary for this device, or not yet.
    }
  }
  return compose(x, residual, shape, weight, bias, eps, center);
}

using Gradients = std::tuple<Tensor, Tensor, Tensor>;

Gradients compose_backward(const Tensor& grad_out, OptionalTensor grad_sum, const Tensor& sum,
                           at::IntArrayRef shape, const Tensor& mean, const Tensor& rstd,
                           OptionalTensor weight, OptionalTensor bias, std::array<bool, 3> mask) {
  c10::SmallVector<int64_t, 8> outer, inner;
  const auto kept = sum.dim() - static_cast<int64_t>(shape.size());
  for (int64_t i = 0; i < sum.dim(); ++i) (i < kept ? outer : inner).push_back(i);
  Tensor normalized = sum.to(rstd.scalar_type());
  if (mean.defined()) normalized = normalized.sub(mean);
  normalized = normalized.mul(rstd);
  const Tensor grad = grad_out.to(rstd.scalar_type());
  const auto over_rows = [&](const Tensor& tensor, const Tensor& parameter) {
    return (outer.empty() ? tensor : tensor.sum(outer)).to(parameter.scalar_type());
  };
  Tensor grad_input, grad_weight, grad_bias;
  if (mask[0]) {
    const Tensor scaled = row_norm::is_given(weight) ? grad.mul(*weight) : grad;
    grad_input = scaled.sub(normalized.mul(scaled.mul(normalized).mean(inner, true)));
    if (mean.defined()) grad_input = grad_input.sub(scaled.mean(inner, true));
    grad_input = grad_input.mul(rstd);
    if (row_norm::is_given(grad_sum)) grad_input = grad_input.add(*grad_sum);
    grad_input = grad_input.to(sum.scalar_type());
  }
  if (mask[1]) grad_weight = over_rows(grad.mul(normalized), *weight);
  if (mask[2]) grad_bias = over_rows(grad, *bias);
  return {grad_input, grad_weight, grad_bias};
}

Gradients backward(const Tensor& grad_out, OptionalTensor grad_sum, const Tensor& sum,
                   at::IntArrayRef shape, const Tensor& mean, const Tensor& rstd,
                   OptionalTensor weight, OptionalTensor bias, std::array<bool, 3> mask) {
  mask[1] = mask[1] && row_norm::is_given(weight);
  mask[2] = mask[2] && row_norm::is_given(bias);
  if (serves(sum, grad_out, shape, weight, bias)) {
    try {
      const DeviceGuard guard(sum);
      return row_norm::backward(grad_out, grad_sum, sum, shape, mean, rstd, weight, bias, mask);
    } catch (const dispatch::Refusal&) {
      // No binary for this device, or not yet.
    }
  }
  return compose_backward(grad_out, grad_sum, sum, shape, mean, rstd, weight, bias, mask);
}

std::tuple<Tensor, Tensor, Tensor, Tensor> add_layer_norm(const Tensor& x, const Tensor& residual,
                                                          at::IntArrayRef shape,
                                                          OptionalTensor weight,
                                                          OptionalTensor bias, double eps) {
  auto r = forward(x, residual, shape, weight, bias, eps, /*center=*/true);
  return {r.out, r.sum, r.mean, r.rstd};
}

std::tuple<Tensor, Tensor, Tensor> add_rms_norm(const Tensor& x, const Tensor& residual,
                                                at::IntArrayRef shape, OptionalTensor weight,
                                                std::optional<double> eps) {
  const double step = x.scalar_type() == at::kDouble ? std::numeric_limits<double>::epsilon()
                                                     : std::numeric_limits<float>::epsilon();
  auto r = forward(x, residual, shape, weight, std::nullopt, eps.value_or(step),
                   /*center=*/false);
  return {r.out, r.sum, r.rstd};
}

std::tuple<Tensor, Tensor> add_rms_norm_backward(const Tensor& grad_out, OptionalTensor grad_sum,
                                                 const Tensor& sum, at::IntArrayRef shape,
                                                 const Tensor& rstd, OptionalTensor weight,
                                                 std::array<bool, 2> mask) {
  auto [grad_input, grad_weight, grad_bias] =
      backward(grad_out, grad_sum, sum, shape, Tensor(), rstd, weight, std::nullopt,
               {mask[0], mask[1], false});
  return {grad_input, grad_weight};
}

void register_kernels(torch::Library& library) {
  library.impl("add_layer_norm", &add_layer_norm);
  library.impl("add_layer_norm_backward", &backward);
  library.impl("add_rms_norm", &add_rms_norm);
  library.impl("add_rms_norm_backward", &add_rms_norm_backward);
}

TORCH_LIBRARY_FRAGMENT(tilewise, library) {
  library.def(
      "add_layer_norm(Tensor x, Tensor residual, int[] normalized_shape, Tensor? weight, "
      "Tensor? bias, float eps) -> (Tensor out, Tensor sum, Tensor mean, Tensor rstd)");
  library.def(
      "add_layer_norm_backward(Tensor grad_out, Tensor? grad_sum, Tensor sum, "
      "int[] normalized_shape, Tensor mean, Tensor rstd, Tensor? weight, Tensor? bias, "
      "bool[3] output_mask) -> (Tensor, Tensor, Tensor)");
  library.def(
      "add_rms_norm(Tensor x, Tensor residual, int[] normalized_shape, Tensor? weight, "
      "float? eps) -> (Tensor out, Tensor sum, Tensor rstd)");
  library.def(
      "add_rms_norm_backward(Tensor grad_out, Tensor? grad_sum, Tensor sum, "
      "int[] normalized_shape, Tensor rstd, Tensor? weight, bool[2] output_mask) "
      "-> (Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(tilewise, CPU, library) { register_kernels(library); }
TORCH_LIBRARY_IMPL(tilewise, CUDA, library) { register_kernels(library); }

}  // namespace
}  // namespace tilewise::ops
