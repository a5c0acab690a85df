// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/gelu_backward_meta.h>
#include <ATen/ops/gelu_meta.h>
#include <ATen/ops/sigmoid_backward_meta.h>
#include <ATen/ops/sigmoid_meta.h>
#include <ATen/ops/silu_backward_meta.h>
#include <ATen/ops/silu_meta.h>
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
  static PointwiseFunction& function() {
    static PointwiseFunction instance("activation:gelu", kFloating);
    return instance;
  }
};
TILEWISE_STRUCTURED(Gelu, "gelu");

struct GeluBackward : PointwiseOp<GeluBackward, at::meta::structured_gelu_backward> {
  static const char* refuse(const Tensor&, const Tensor&, c10::string_view approximate,
                            const auto&...) {
    return refuse_gelu(approximate);
  }
  static PointwiseFunction& function() {
    static PointwiseFunction instance("activation:gelu_backward", kFloating);
    return instance;
  }
};
TILEWISE_STRUCTURED(GeluBackward, "gelu_backward");

// clang-format off: one operator a line
TILEWISE_POINTWISE("relu", UnaryPreset, "activation:relu", kNumeric);
TILEWISE_POINTWISE("sigmoid", at::meta::structured_sigmoid, "activation:sigmoid", kFloating);
TILEWISE_POINTWISE("sigmoid_backward", at::meta::structured_sigmoid_backward, "activation:sigmoid_backward", kFloating);
TILEWISE_POINTWISE("silu", at::meta::structured_silu, "activation:silu", kFloating);
TILEWISE_POINTWISE("silu_backward", at::meta::structured_silu_backward, "activation:silu_backward", kFloating);
TILEWISE_POINTWISE("threshold", at::meta::structured_threshold, "activation:threshold", kNumeric);
TILEWISE_POINTWISE("threshold_backward", at::meta::structured_threshold_backward, "activation:threshold_backward", kNumeric);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
