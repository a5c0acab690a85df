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

TILEWISE_POINTWISE("gelu", at::meta::structured_gelu, "activation:gelu", kFloating);
TILEWISE_POINTWISE("gelu_backward", at::meta::structured_gelu_backward, "activation:gelu_backward", kFloating);
TILEWISE_POINTWISE("relu", UnaryPreset, "activation:relu", kNumeric);
TILEWISE_POINTWISE("sigmoid", at::meta::structured_sigmoid, "activation:sigmoid", kFloating);
TILEWISE_POINTWISE("sigmoid_backward", at::meta::structured_sigmoid_backward, "activation:sigmoid_backward", kFloating);
TILEWISE_POINTWISE("silu", at::meta::structured_silu, "activation:silu", kFloating);
TILEWISE_POINTWISE("silu_backward", at::meta::structured_silu_backward, "activation:silu_backward", kFloating);
TILEWISE_POINTWISE("threshold", at::meta::structured_threshold, "activation:threshold", kNumeric);
TILEWISE_POINTWISE("threshold_backward", at::meta::structured_threshold_backward, "activation:threshold_backward", kNumeric);

}  // namespace
}  // namespace tilewise::ops
