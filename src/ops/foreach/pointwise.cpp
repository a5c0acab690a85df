// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/foreach_op.h"

namespace tilewise::ops {
namespace {

constexpr const char* kAlphaOne = ", 1";

// clang-format off: one overload a line
TILEWISE_FOREACH("_foreach_abs", "", "arithmetic:absolute", "", kNumeric, TensorList);
TILEWISE_FOREACH("_foreach_acos", "", "exponential:acos", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_asin", "", "exponential:asin", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_atan", "", "exponential:atan", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_ceil", "", "arithmetic:ceil", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_cos", "", "exponential:cos", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_cosh", "", "exponential:cosh", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_erf", "", "exponential:erf", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_erfc", "", "exponential:erfc", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_exp", "", "exponential:exp", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_expm1", "", "exponential:expm1", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_floor", "", "arithmetic:floor", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_frac", "", "arithmetic:fraction", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_lgamma", "", "special_gamma:lgamma", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_log", "", "exponential:log", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_log10", "", "exponential:log10", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_log1p", "", "exponential:log1p", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_log2", "", "exponential:log2", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_neg", "", "arithmetic:negate", "", kNumeric, TensorList);
TILEWISE_FOREACH("_foreach_reciprocal", "", "arithmetic:reciprocal", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_round", "", "arithmetic:round_half_even", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_rsqrt", "", "arithmetic:reciprocal_square_root", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_sigmoid", "", "activation:sigmoid", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_sign", "", "arithmetic:sign", "", kNumeric, TensorList);
TILEWISE_FOREACH("_foreach_sin", "", "exponential:sin", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_sinh", "", "exponential:sinh", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_sqrt", "", "arithmetic:square_root", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_tan", "", "exponential:tan", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_tanh", "", "exponential:tanh", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_trunc", "", "arithmetic:truncate", "", kFloating, TensorList);
TILEWISE_FOREACH("_foreach_zero", "", "arithmetic:zero", "", kNumeric, TensorList);

TILEWISE_FOREACH("_foreach_add", ".List", "arithmetic:add", "", kNumeric, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_add", ".Scalar", "arithmetic:add", kAlphaOne, kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_add", ".ScalarList", "arithmetic:add", kAlphaOne, kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_add", ".Tensor", "arithmetic:add", "", kNumeric, TensorList, const Tensor&, const Scalar&);
TILEWISE_FOREACH("_foreach_sub", ".List", "arithmetic:subtract", "", kNumeric, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_sub", ".Scalar", "arithmetic:subtract", kAlphaOne, kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_sub", ".ScalarList", "arithmetic:subtract", kAlphaOne, kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_mul", ".List", "arithmetic:multiply", "", kNumeric, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_mul", ".Scalar", "arithmetic:multiply", "", kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_mul", ".ScalarList", "arithmetic:multiply", "", kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_mul", ".Tensor", "arithmetic:multiply", "", kNumeric, TensorList, const Tensor&);
TILEWISE_FOREACH("_foreach_div", ".List", "arithmetic:divide", "", kFloating, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_div", ".Scalar", "arithmetic:divide", "", kFloating, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_div", ".ScalarList", "arithmetic:divide", "", kFloating, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_div", ".Tensor", "arithmetic:divide", "", kFloating, TensorList, const Tensor&);

TILEWISE_FOREACH("_foreach_clamp_max", ".List", "arithmetic:clamp_max", "", kNumeric, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_clamp_max", ".Scalar", "arithmetic:clamp_max", "", kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_clamp_max", ".ScalarList", "arithmetic:clamp_max", "", kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_clamp_min", ".List", "arithmetic:clamp_min", "", kNumeric, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_clamp_min", ".Scalar", "arithmetic:clamp_min", "", kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_clamp_min", ".ScalarList", "arithmetic:clamp_min", "", kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_maximum", ".List", "arithmetic:maximum", "", kNumeric, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_maximum", ".Scalar", "arithmetic:maximum", "", kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_maximum", ".ScalarList", "arithmetic:maximum", "", kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_minimum", ".List", "arithmetic:minimum", "", kNumeric, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_minimum", ".Scalar", "arithmetic:minimum", "", kNumeric, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_minimum", ".ScalarList", "arithmetic:minimum", "", kNumeric, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_pow", ".List", "arithmetic:power", "", kFloating, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_pow", ".Scalar", "arithmetic:power_by_number", "", kFloating, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_pow", ".ScalarList", "arithmetic:power_by_number", "", kFloating, TensorList, ScalarList);
TILEWISE_FOREACH_FUNCTIONAL("_foreach_pow.ScalarAndTensor", "arithmetic:power", "", kFloating, const Scalar&, TensorList);

TILEWISE_FOREACH("_foreach_addcdiv", ".Scalar", "arithmetic:add_quotient", "", kFloating, TensorList, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_addcdiv", ".ScalarList", "arithmetic:add_quotient", "", kFloating, TensorList, TensorList, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_addcmul", ".Scalar", "arithmetic:add_product", "", kNumeric, TensorList, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_addcmul", ".ScalarList", "arithmetic:add_product", "", kNumeric, TensorList, TensorList, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_lerp", ".List", "arithmetic:interpolate", "", kFloating, TensorList, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_lerp", ".Scalar", "arithmetic:interpolate", "", kFloating, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_lerp", ".ScalarList", "arithmetic:interpolate", "", kFloating, TensorList, TensorList, ScalarList);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
