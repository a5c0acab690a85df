// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/elu_backward_meta.h>
#include <ATen/ops/elu_meta.h>
#include <ATen/ops/gelu_backward_meta.h>
#include <ATen/ops/gelu_meta.h>
#include <ATen/ops/hardshrink_backward_meta.h>
#include <ATen/ops/hardshrink_meta.h>
#include <ATen/ops/hardsigmoid_backward_meta.h>
#include <ATen/ops/hardsigmoid_meta.h>
#include <ATen/ops/leaky_relu_backward_meta.h>
#include <ATen/ops/leaky_relu_meta.h>
#include <ATen/ops/logit_backward_meta.h>
#include <ATen/ops/mish_meta.h>
#include <ATen/ops/sigmoid_backward_meta.h>
#include <ATen/ops/sigmoid_meta.h>
#include <ATen/ops/silu_backward_meta.h>
#include <ATen/ops/silu_meta.h>
#include <ATen/ops/softplus_backward_meta.h>
#include <ATen/ops/softplus_meta.h>
#include <ATen/ops/softshrink_backward_meta.h>
#include <ATen/ops/softshrink_meta.h>
#include <ATen/ops/threshold_backward_meta.h>
#include <ATen/ops/threshold_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// ATen's kernel, not its meta function, knows which approximations there are.
const char* refuse_gelu(c10::string_view approximate) {
  return approximate == "none" || approximate == "tanh" ? nullptr : "unknown approximation";
}

struct Gelu : PointwiseOp<Gelu, at::meta::structured_gelu> {
  static const char* refuse(const Tensor&, c10::string_view approximate, const auto&...) {
    return refuse_gelu(approximate);
  }
  void impl(const Tensor& self, c10::string_view approximate, const Tensor&) {
    if (numel() == 0) return;
    static PointwiseFunction on_gpu("activation:gelu_by_power", kFloating);
    PointwiseArguments arguments;
    arguments.add(approximate);
    (self.is_cpu() ? function() : on_gpu).run(*this, common_dtype(), arguments);
  }
  TILEWISE_FUNCTION("activation:gelu", kFloating)
};
TILEWISE_STRUCTURED(Gelu, "gelu");

struct GeluBackward : PointwiseOp<GeluBackward, at::meta::structured_gelu_backward> {
  static const char* refuse(const Tensor&, const Tensor&, c10::string_view approximate,
                            const auto&...) {
    return refuse_gelu(approximate);
  }
  TILEWISE_FUNCTION("activation:gelu_backward", kFloating)
};
TILEWISE_STRUCTURED(GeluBackward, "gelu_backward");

struct Celu : PointwiseOp<Celu, UnaryWith<const at::Scalar&>> {
  static const char* refuse(const Tensor&, const at::Scalar& alpha, const auto&...) {
    return !alpha.isComplex() && alpha.toDouble() != 0 ? nullptr : "celu: alpha is 0";
  }
  TILEWISE_FUNCTION("activation:celu", kFloating)
};
TILEWISE_STRUCTURED(Celu, "celu");

// Without eps, the input is taken as it is.
struct Logit : PointwiseOp<Logit, UnaryFloatWith<std::optional<double>>> {
  void impl(const Tensor&, std::optional<double> eps, const Tensor&) {
    static PointwiseFunction plain("activation:logit", kFloating);
    static PointwiseFunction clamped("activation:logit_clamped", kFloating);
    PointwiseArguments arguments;
    if (eps.has_value()) arguments.add(*eps);
    (eps.has_value() ? clamped : plain).run(*this, common_dtype(), arguments);
  }
};
TILEWISE_STRUCTURED(Logit, "logit");

struct LogitBackward : StructuredOp<at::meta::structured_logit_backward> {
  void impl(const Tensor&, const Tensor&, std::optional<double> eps, const Tensor&) {
    static PointwiseFunction plain("activation:logit_backward", kFloating);
    static PointwiseFunction clamped("activation:logit_clamped_backward", kFloating);
    PointwiseArguments arguments;
    if (eps.has_value()) arguments.add(*eps);
    (eps.has_value() ? clamped : plain).run(*this, common_dtype(), arguments);
  }
};
TILEWISE_STRUCTURED(LogitBackward, "logit_backward");

// Its iterator does not promote.
struct Prelu : PointwiseOp<Prelu, BinaryPreset> {
  static const char* refuse(const Tensor& self, const Tensor& weight, const auto&...) {
    return self.scalar_type() == weight.scalar_type() ? nullptr : "prelu: dtypes differ";
  }
  TILEWISE_FUNCTION("activation:leaky_relu", kFloating)
};
TILEWISE_STRUCTURED(Prelu, "_prelu_kernel");

using HardtanhBackwardPreset = BinaryWith<const at::Scalar&, const at::Scalar&>;

// The buffer with exp(-|x|) is not read: it costs more than computing it again, and on GPUs PyTorch
// leaves it empty.
struct LogSigmoidBackwardPreset : at::TensorIteratorBase {
  void meta(const Tensor& grad_output, const Tensor& self, const Tensor&) {
    build_borrowing_binary_op(maybe_get_output(), grad_output, self);
  }
};

// clang-format off: one operator a line
TILEWISE_POINTWISE("elu", at::meta::structured_elu, "activation:elu", kFloating);
TILEWISE_POINTWISE("elu_backward", at::meta::structured_elu_backward, "activation:elu_backward", kFloating);
TILEWISE_POINTWISE("hardshrink", at::meta::structured_hardshrink, "activation:hardshrink", kFloating | kNumbersAsStored);
TILEWISE_POINTWISE("hardshrink_backward", at::meta::structured_hardshrink_backward, "activation:shrink_backward", kFloating | kNumbersAsStored);
TILEWISE_POINTWISE("hardsigmoid", at::meta::structured_hardsigmoid, "activation:hardsigmoid", kFloating);
TILEWISE_POINTWISE("hardsigmoid_backward", at::meta::structured_hardsigmoid_backward, "activation:hardsigmoid_backward", kFloating);
TILEWISE_POINTWISE("hardswish", UnaryPreset, "activation:hardswish", kFloating);
TILEWISE_POINTWISE("hardswish_backward", BinaryPreset, "activation:hardswish_backward", kFloating);
TILEWISE_POINTWISE("hardtanh_backward", HardtanhBackwardPreset, "activation:hardtanh_backward", kFloating);
TILEWISE_POINTWISE("leaky_relu", at::meta::structured_leaky_relu, "activation:leaky_relu", kFloating);
TILEWISE_POINTWISE("leaky_relu_backward", at::meta::structured_leaky_relu_backward, "activation:leaky_relu_backward", kFloating);
TILEWISE_POINTWISE("log_sigmoid_backward", LogSigmoidBackwardPreset, "activation:log_sigmoid_backward", kFloating);
TILEWISE_POINTWISE("mish", at::meta::structured_mish, "activation:mish", kFloating);
TILEWISE_POINTWISE("mish_backward", BinaryPreset, "activation:mish_backward", kFloating);
TILEWISE_POINTWISE("relu", UnaryPreset, "activation:relu", kNumeric);
TILEWISE_POINTWISE("sigmoid", at::meta::structured_sigmoid, "activation:sigmoid", kFloating);
TILEWISE_POINTWISE("sigmoid_backward", at::meta::structured_sigmoid_backward, "activation:sigmoid_backward", kFloating);
TILEWISE_POINTWISE("silu", at::meta::structured_silu, "activation:silu", kFloating);
TILEWISE_POINTWISE("silu_backward", at::meta::structured_silu_backward, "activation:silu_backward", kFloating);
TILEWISE_POINTWISE("softplus", at::meta::structured_softplus, "activation:softplus", kFloating);
TILEWISE_POINTWISE("softplus_backward", at::meta::structured_softplus_backward, "activation:softplus_backward", kFloating);
TILEWISE_POINTWISE("softshrink", at::meta::structured_softshrink, "activation:softshrink", kFloating);
TILEWISE_POINTWISE("softshrink_backward", at::meta::structured_softshrink_backward, "activation:shrink_backward", kFloating | kNumbersAsStored);
TILEWISE_POINTWISE("threshold", at::meta::structured_threshold, "activation:threshold", kNumeric);
TILEWISE_POINTWISE("threshold_backward", at::meta::structured_threshold_backward, "activation:threshold_backward", kNumeric);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
