// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/add_meta.h>
#include <ATen/ops/addcdiv_meta.h>
#include <ATen/ops/addcmul_meta.h>
#include <ATen/ops/ceil_meta.h>
#include <ATen/ops/floor_meta.h>
#include <ATen/ops/fmax_meta.h>
#include <ATen/ops/fmin_meta.h>
#include <ATen/ops/hypot_meta.h>
#include <ATen/ops/lerp_meta.h>
#include <ATen/ops/maximum_meta.h>
#include <ATen/ops/minimum_meta.h>
#include <ATen/ops/mul_meta.h>
#include <ATen/ops/neg_meta.h>
#include <ATen/ops/reciprocal_meta.h>
#include <ATen/ops/round_meta.h>
#include <ATen/ops/rsqrt_meta.h>
#include <ATen/ops/sgn_meta.h>
#include <ATen/ops/sign_meta.h>
#include <ATen/ops/sqrt_meta.h>
#include <ATen/ops/sub_meta.h>
#include <ATen/ops/trunc_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// other - alpha * self
struct ReversedSub : at::meta::structured_sub_Tensor {
  void meta(const Tensor& self, const Tensor& other, const at::Scalar& alpha) {
    at::meta::structured_sub_Tensor::meta(other, self, alpha);
  }
};

// clang-format off: one operator a line
TILEWISE_POINTWISE("abs", AbsolutePreset, "arithmetic:absolute", kNumeric);
TILEWISE_POINTWISE("add.Tensor", at::meta::structured_add_Tensor, "arithmetic:add");
TILEWISE_POINTWISE("addcdiv", at::meta::structured_addcdiv, "arithmetic:add_quotient", kFloating);
TILEWISE_POINTWISE("addcmul", at::meta::structured_addcmul, "arithmetic:add_product", kNumeric);
TILEWISE_POINTWISE("ceil", at::meta::structured_ceil, "arithmetic:ceil", kNumeric | kUnsigned);
TILEWISE_POINTWISE("deg2rad", UnaryFloatPreset, "arithmetic:degrees_to_radians", kFloating);
TILEWISE_POINTWISE("floor", at::meta::structured_floor, "arithmetic:floor", kNumeric | kUnsigned);
TILEWISE_POINTWISE("fmax", at::meta::structured_fmax, "arithmetic:maximum_number");
TILEWISE_POINTWISE("fmin", at::meta::structured_fmin, "arithmetic:minimum_number");
TILEWISE_POINTWISE("hypot", at::meta::structured_hypot, "arithmetic:hypotenuse", kFloating);
TILEWISE_POINTWISE("lerp.Scalar", at::meta::structured_lerp_Scalar, "arithmetic:interpolate", kFloating);
TILEWISE_POINTWISE("lerp.Tensor", at::meta::structured_lerp_Tensor, "arithmetic:interpolate", kFloating);
TILEWISE_POINTWISE("maximum", at::meta::structured_maximum, "arithmetic:maximum");
TILEWISE_POINTWISE("minimum", at::meta::structured_minimum, "arithmetic:minimum");
TILEWISE_POINTWISE("mul.Tensor", at::meta::structured_mul_Tensor, "arithmetic:multiply", kAll | kUnsigned);
TILEWISE_POINTWISE("neg", at::meta::structured_neg, "arithmetic:negate", kNumeric | kAsStored);
TILEWISE_POINTWISE("rad2deg", UnaryFloatPreset, "arithmetic:radians_to_degrees", kFloating);
TILEWISE_POINTWISE("reciprocal", at::meta::structured_reciprocal, "arithmetic:reciprocal", kFloating);
TILEWISE_POINTWISE("round", at::meta::structured_round, "arithmetic:round_half_even", kNumeric | kUnsigned);
TILEWISE_POINTWISE("rsqrt", at::meta::structured_rsqrt, "arithmetic:reciprocal_square_root", kFloating);
TILEWISE_POINTWISE("rsub.Tensor", ReversedSub, "arithmetic:subtract", kNumeric);
TILEWISE_POINTWISE("sgn", at::meta::structured_sgn, "arithmetic:sign");
TILEWISE_POINTWISE("sign", at::meta::structured_sign, "arithmetic:sign");
TILEWISE_POINTWISE("sqrt", at::meta::structured_sqrt, "arithmetic:square_root", kFloating);
TILEWISE_POINTWISE("sub.Tensor", at::meta::structured_sub_Tensor, "arithmetic:subtract", kNumeric);
TILEWISE_POINTWISE("trunc", at::meta::structured_trunc, "arithmetic:truncate", kNumeric | kUnsigned);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
