// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/eq_meta.h>
#include <ATen/ops/ge_meta.h>
#include <ATen/ops/gt_meta.h>
#include <ATen/ops/heaviside_meta.h>
#include <ATen/ops/isneginf_meta.h>
#include <ATen/ops/isposinf_meta.h>
#include <ATen/ops/le_meta.h>
#include <ATen/ops/lt_meta.h>
#include <ATen/ops/ne_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// clang-format off: one operator a line
TILEWISE_POINTWISE("eq.Scalar", at::meta::structured_eq_Scalar, "comparison:equal", kAll | kUnsigned);
TILEWISE_POINTWISE("eq.Tensor", at::meta::structured_eq_Tensor, "comparison:equal", kAll | kUnsigned);
TILEWISE_POINTWISE("ge.Scalar", at::meta::structured_ge_Scalar, "comparison:greater_equal");
TILEWISE_POINTWISE("ge.Tensor", at::meta::structured_ge_Tensor, "comparison:greater_equal");
TILEWISE_POINTWISE("gt.Scalar", at::meta::structured_gt_Scalar, "comparison:greater");
TILEWISE_POINTWISE("gt.Tensor", at::meta::structured_gt_Tensor, "comparison:greater");
TILEWISE_POINTWISE("heaviside", at::meta::structured_heaviside, "comparison:heaviside");
TILEWISE_POINTWISE("isinf", PredicatePreset, "comparison:is_infinite", kAll | kUnsigned);
TILEWISE_POINTWISE("isnan", PredicatePreset, "comparison:is_nan", kFloating);
TILEWISE_POINTWISE("isneginf", at::meta::structured_isneginf, "comparison:is_negative_infinity", kAll | kUnsigned);
TILEWISE_POINTWISE("isposinf", at::meta::structured_isposinf, "comparison:is_positive_infinity", kAll | kUnsigned);
TILEWISE_POINTWISE("le.Scalar", at::meta::structured_le_Scalar, "comparison:less_equal");
TILEWISE_POINTWISE("le.Tensor", at::meta::structured_le_Tensor, "comparison:less_equal");
TILEWISE_POINTWISE("logical_and", LogicalBinaryPreset, "comparison:logical_and");
TILEWISE_POINTWISE("logical_not", PredicatePreset, "comparison:logical_not");
TILEWISE_POINTWISE("logical_or", LogicalBinaryPreset, "comparison:logical_or");
TILEWISE_POINTWISE("logical_xor", LogicalBinaryPreset, "comparison:logical_xor");
TILEWISE_POINTWISE("lt.Scalar", at::meta::structured_lt_Scalar, "comparison:less");
TILEWISE_POINTWISE("lt.Tensor", at::meta::structured_lt_Tensor, "comparison:less");
TILEWISE_POINTWISE("ne.Scalar", at::meta::structured_ne_Scalar, "comparison:not_equal", kAll | kUnsigned);
TILEWISE_POINTWISE("ne.Tensor", at::meta::structured_ne_Tensor, "comparison:not_equal", kAll | kUnsigned);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
