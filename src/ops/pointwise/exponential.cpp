// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/cos_meta.h>
#include <ATen/ops/erf_meta.h>
#include <ATen/ops/exp2_meta.h>
#include <ATen/ops/exp_meta.h>
#include <ATen/ops/expm1_meta.h>
#include <ATen/ops/log1p_meta.h>
#include <ATen/ops/log2_meta.h>
#include <ATen/ops/log_meta.h>
#include <ATen/ops/sin_meta.h>
#include <ATen/ops/tanh_backward_meta.h>
#include <ATen/ops/tanh_meta.h>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// clang-format off: one operator a line
TILEWISE_POINTWISE("cos", at::meta::structured_cos, "exponential:cos", kFloating);
TILEWISE_POINTWISE("erf", at::meta::structured_erf, "exponential:erf", kFloating);
TILEWISE_POINTWISE("exp", at::meta::structured_exp, "exponential:exp", kFloating);
TILEWISE_POINTWISE("exp2", at::meta::structured_exp2, "exponential:exp2", kFloating);
TILEWISE_POINTWISE("expm1", at::meta::structured_expm1, "exponential:expm1", kFloating);
TILEWISE_POINTWISE("log", at::meta::structured_log, "exponential:log", kFloating);
TILEWISE_POINTWISE("log1p", at::meta::structured_log1p, "exponential:log1p", kFloating);
TILEWISE_POINTWISE("log2", at::meta::structured_log2, "exponential:log2", kFloating);
TILEWISE_POINTWISE("sin", at::meta::structured_sin, "exponential:sin", kFloating);
TILEWISE_POINTWISE("tanh", at::meta::structured_tanh, "exponential:tanh", kFloating);
TILEWISE_POINTWISE("tanh_backward", at::meta::structured_tanh_backward, "exponential:tanh_backward", kFloating);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
