// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/acos_meta.h>
#include <ATen/ops/acosh_meta.h>
#include <ATen/ops/asin_meta.h>
#include <ATen/ops/asinh_meta.h>
#include <ATen/ops/atan2_meta.h>
#include <ATen/ops/atan_meta.h>
#include <ATen/ops/atanh_meta.h>
#include <ATen/ops/cos_meta.h>
#include <ATen/ops/cosh_meta.h>
#include <ATen/ops/erf_meta.h>
#include <ATen/ops/erfc_meta.h>
#include <ATen/ops/exp2_meta.h>
#include <ATen/ops/exp_meta.h>
#include <ATen/ops/expm1_meta.h>
#include <ATen/ops/log10_meta.h>
#include <ATen/ops/log1p_meta.h>
#include <ATen/ops/log2_meta.h>
#include <ATen/ops/log_meta.h>
#include <ATen/ops/logaddexp2_meta.h>
#include <ATen/ops/logaddexp_meta.h>
#include <ATen/ops/sin_meta.h>
#include <ATen/ops/sinc_meta.h>
#include <ATen/ops/sinh_meta.h>
#include <ATen/ops/special_xlog1py_meta.h>
#include <ATen/ops/tan_meta.h>
#include <ATen/ops/tanh_backward_meta.h>
#include <ATen/ops/tanh_meta.h>
#include <ATen/ops/xlogy_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// clang-format off: one operator a line
TILEWISE_POINTWISE("acos", at::meta::structured_acos, "exponential:acos", kFloating);
TILEWISE_POINTWISE("acosh", at::meta::structured_acosh, "exponential:acosh", kFloating);
TILEWISE_POINTWISE("angle", UnaryFloatPreset, "exponential:angle", kFloating);
TILEWISE_POINTWISE("asin", at::meta::structured_asin, "exponential:asin", kFloating);
TILEWISE_POINTWISE("asinh", at::meta::structured_asinh, "exponential:asinh", kFloating);
TILEWISE_POINTWISE("atan", at::meta::structured_atan, "exponential:atan", kFloating);
TILEWISE_POINTWISE("atan2", at::meta::structured_atan2, "exponential:atan2", kFloating);
TILEWISE_POINTWISE("atanh", at::meta::structured_atanh, "exponential:atanh", kFloating);
TILEWISE_POINTWISE("cos", at::meta::structured_cos, "exponential:cos", kFloating);
TILEWISE_POINTWISE("cosh", at::meta::structured_cosh, "exponential:cosh", kFloating);
TILEWISE_POINTWISE("erf", at::meta::structured_erf, "exponential:erf", kFloating);
TILEWISE_POINTWISE("erfc", at::meta::structured_erfc, "exponential:erfc", kFloating);
TILEWISE_POINTWISE("exp", at::meta::structured_exp, "exponential:exp", kFloating);
TILEWISE_POINTWISE("exp2", at::meta::structured_exp2, "exponential:exp2", kFloating);
TILEWISE_POINTWISE("expm1", at::meta::structured_expm1, "exponential:expm1", kFloating);
TILEWISE_POINTWISE("log", at::meta::structured_log, "exponential:log", kFloating);
TILEWISE_POINTWISE("log10", at::meta::structured_log10, "exponential:log10", kFloating);
TILEWISE_POINTWISE("log1p", at::meta::structured_log1p, "exponential:log1p", kFloating);
TILEWISE_POINTWISE("log2", at::meta::structured_log2, "exponential:log2", kFloating);
TILEWISE_POINTWISE("logaddexp", at::meta::structured_logaddexp, "exponential:log_add_exp", kFloating);
TILEWISE_POINTWISE("logaddexp2", at::meta::structured_logaddexp2, "exponential:log_add_exp2", kFloating);
TILEWISE_POINTWISE("sin", at::meta::structured_sin, "exponential:sin", kFloating);
TILEWISE_POINTWISE("sinc", at::meta::structured_sinc, "exponential:sinc", kFloating);
TILEWISE_POINTWISE("sinh", at::meta::structured_sinh, "exponential:sinh", kFloating);
TILEWISE_POINTWISE("special_xlog1py", at::meta::structured_special_xlog1py, "exponential:x_log1p_y", kFloating);
TILEWISE_POINTWISE("tan", at::meta::structured_tan, "exponential:tan", kFloating);
TILEWISE_POINTWISE("tanh", at::meta::structured_tanh, "exponential:tanh", kFloating);
TILEWISE_POINTWISE("tanh_backward", at::meta::structured_tanh_backward, "exponential:tanh_backward", kFloating);
TILEWISE_POINTWISE("xlogy.Tensor", at::meta::structured_xlogy_Tensor, "exponential:x_log_y", kFloating);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
