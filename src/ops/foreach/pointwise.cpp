// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/foreach_op.h"

namespace tilewise::ops {
namespace {

constexpr const char* kAlphaOne = ", 1";

// clang-format off: one overload a line
TILEWISE_FOREACH("_foreach_abs", "", "arithmetic:absolute", "", TensorList);
TILEWISE_FOREACH("_foreach_ceil", "", "arithmetic:ceil", "", TensorList);
TILEWISE_FOREACH("_foreach_cos", "", "exponential:cos", "", TensorList);
TILEWISE_FOREACH("_foreach_erf", "", "exponential:erf", "", TensorList);
TILEWISE_FOREACH("_foreach_exp", "", "exponential:exp", "", TensorList);
TILEWISE_FOREACH("_foreach_expm1", "", "exponential:expm1", "", TensorList);
TILEWISE_FOREACH("_foreach_floor", "", "arithmetic:floor", "", TensorList);
TILEWISE_FOREACH("_foreach_log", "", "exponential:log", "", TensorList);
TILEWISE_FOREACH("_foreach_log1p", "", "exponential:log1p", "", TensorList);
TILEWISE_FOREACH("_foreach_log2", "", "exponential:log2", "", TensorList);
TILEWISE_FOREACH("_foreach_neg", "", "arithmetic:negate", "", TensorList);
TILEWISE_FOREACH("_foreach_reciprocal", "", "arithmetic:reciprocal", "", TensorList);
TILEWISE_FOREACH("_foreach_round", "", "arithmetic:round_half_even", "", TensorList);
TILEWISE_FOREACH("_foreach_rsqrt", "", "arithmetic:reciprocal_square_root", "", TensorList);
TILEWISE_FOREACH("_foreach_sigmoid", "", "activation:sigmoid", "", TensorList);
TILEWISE_FOREACH("_foreach_sign", "", "arithmetic:sign", "", TensorList);
TILEWISE_FOREACH("_foreach_sin", "", "exponential:sin", "", TensorList);
TILEWISE_FOREACH("_foreach_sqrt", "", "arithmetic:square_root", "", TensorList);
TILEWISE_FOREACH("_foreach_tanh", "", "exponential:tanh", "", TensorList);
TILEWISE_FOREACH("_foreach_trunc", "", "arithmetic:truncate", "", TensorList);
TILEWISE_FOREACH_IN_PLACE("_foreach_zero_", "arithmetic:zero", "", TensorList);

TILEWISE_FOREACH("_foreach_add", ".List", "arithmetic:add", "", TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_add", ".Scalar", "arithmetic:add", kAlphaOne, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_add", ".ScalarList", "arithmetic:add", kAlphaOne, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_add", ".Tensor", "arithmetic:add", "", TensorList, const Tensor&, const Scalar&);
TILEWISE_FOREACH("_foreach_sub", ".List", "arithmetic:subtract", "", TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_sub", ".Scalar", "arithmetic:subtract", kAlphaOne, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_sub", ".ScalarList", "arithmetic:subtract", kAlphaOne, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_mul", ".List", "arithmetic:multiply", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_mul", ".Scalar", "arithmetic:multiply", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_mul", ".ScalarList", "arithmetic:multiply", "", TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_mul", ".Tensor", "arithmetic:multiply", "", TensorList, const Tensor&);
TILEWISE_FOREACH("_foreach_div", ".List", "arithmetic:divide", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_div", ".Scalar", "arithmetic:divide", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_div", ".ScalarList", "arithmetic:divide", "", TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_div", ".Tensor", "arithmetic:divide", "", TensorList, const Tensor&);

TILEWISE_FOREACH("_foreach_clamp_max", ".List", "arithmetic:clamp_max", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_clamp_max", ".Scalar", "arithmetic:clamp_max", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_clamp_max", ".ScalarList", "arithmetic:clamp_max", "", TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_clamp_min", ".List", "arithmetic:clamp_min", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_clamp_min", ".Scalar", "arithmetic:clamp_min", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_clamp_min", ".ScalarList", "arithmetic:clamp_min", "", TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_maximum", ".List", "arithmetic:maximum", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_maximum", ".Scalar", "arithmetic:maximum", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_maximum", ".ScalarList", "arithmetic:maximum", "", TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_minimum", ".List", "arithmetic:minimum", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_minimum", ".Scalar", "arithmetic:minimum", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_minimum", ".ScalarList", "arithmetic:minimum", "", TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_pow", ".List", "arithmetic:power", "", TensorList, TensorList);
TILEWISE_FOREACH("_foreach_pow", ".Scalar", "arithmetic:power", "", TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_pow", ".ScalarList", "arithmetic:power", "", TensorList, ScalarList);
TILEWISE_FOREACH_FUNCTIONAL("_foreach_pow.ScalarAndTensor", "arithmetic:power", "", const Scalar&, TensorList);

TILEWISE_FOREACH("_foreach_addcdiv", ".Scalar", "arithmetic:add_quotient", "", TensorList, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_addcdiv", ".ScalarList", "arithmetic:add_quotient", "", TensorList, TensorList, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_addcmul", ".Scalar", "arithmetic:add_product", "", TensorList, TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_addcmul", ".ScalarList", "arithmetic:add_product", "", TensorList, TensorList, TensorList, ScalarList);
TILEWISE_FOREACH("_foreach_lerp", ".List", "arithmetic:interpolate", "", TensorList, TensorList, TensorList);
TILEWISE_FOREACH("_foreach_lerp", ".Scalar", "arithmetic:interpolate", "", TensorList, TensorList, const Scalar&);
TILEWISE_FOREACH("_foreach_lerp", ".ScalarList", "arithmetic:interpolate", "", TensorList, TensorList, ScalarList);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
