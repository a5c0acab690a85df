// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/add_meta.h>
#include <ATen/ops/addcdiv_meta.h>
#include <ATen/ops/addcmul_meta.h>
#include <ATen/ops/ceil_meta.h>
#include <ATen/ops/div_meta.h>
#include <ATen/ops/floor_meta.h>
#include <ATen/ops/lerp_meta.h>
#include <ATen/ops/maximum_meta.h>
#include <ATen/ops/minimum_meta.h>
#include <ATen/ops/mul_meta.h>
#include <ATen/ops/neg_meta.h>
#include <ATen/ops/reciprocal_meta.h>
#include <ATen/ops/round_meta.h>
#include <ATen/ops/rsqrt_meta.h>
#include <ATen/ops/sign_meta.h>
#include <ATen/ops/sqrt_meta.h>
#include <ATen/ops/sub_meta.h>
#include <ATen/ops/trunc_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// clang-format off: one operator a line
TILEWISE_POINTWISE("abs", UnaryPreset, "arithmetic:absolute", kNumeric);
TILEWISE_POINTWISE("add.Tensor", at::meta::structured_add_Tensor, "arithmetic:add");
TILEWISE_POINTWISE("addcdiv", at::meta::structured_addcdiv, "arithmetic:add_quotient", kFloating);
TILEWISE_POINTWISE("addcmul", at::meta::structured_addcmul, "arithmetic:add_product", kNumeric);
TILEWISE_POINTWISE("ceil", at::meta::structured_ceil, "arithmetic:ceil", kFloating);
TILEWISE_POINTWISE("div.Tensor", at::meta::structured_div_Tensor, "arithmetic:divide", kFloating);
TILEWISE_POINTWISE("floor", at::meta::structured_floor, "arithmetic:floor", kFloating);
TILEWISE_POINTWISE("lerp.Scalar", at::meta::structured_lerp_Scalar, "arithmetic:interpolate", kFloating);
TILEWISE_POINTWISE("lerp.Tensor", at::meta::structured_lerp_Tensor, "arithmetic:interpolate", kFloating);
TILEWISE_POINTWISE("maximum", at::meta::structured_maximum, "arithmetic:maximum");
TILEWISE_POINTWISE("minimum", at::meta::structured_minimum, "arithmetic:minimum");
TILEWISE_POINTWISE("mul.Tensor", at::meta::structured_mul_Tensor, "arithmetic:multiply");
TILEWISE_POINTWISE("neg", at::meta::structured_neg, "arithmetic:negate", kNumeric);
TILEWISE_POINTWISE("reciprocal", at::meta::structured_reciprocal, "arithmetic:reciprocal", kFloating);
TILEWISE_POINTWISE("round", at::meta::structured_round, "arithmetic:round_half_even", kFloating);
TILEWISE_POINTWISE("rsqrt", at::meta::structured_rsqrt, "arithmetic:reciprocal_square_root", kFloating);
TILEWISE_POINTWISE("sign", at::meta::structured_sign, "arithmetic:sign", kNumeric);
TILEWISE_POINTWISE("sqrt", at::meta::structured_sqrt, "arithmetic:square_root", kFloating);
TILEWISE_POINTWISE("sub.Tensor", at::meta::structured_sub_Tensor, "arithmetic:subtract", kNumeric);
TILEWISE_POINTWISE("trunc", at::meta::structured_trunc, "arithmetic:truncate", kFloating);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
