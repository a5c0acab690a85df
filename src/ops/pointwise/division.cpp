// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/div_meta.h>
#include <ATen/ops/fmod_meta.h>
#include <ATen/ops/gcd_meta.h>
#include <ATen/ops/lcm_meta.h>
#include <ATen/ops/remainder_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// Without a mode it is div.Tensor, and integers give floats.
struct DivideWithMode
    : PointwiseOp<DivideWithMode, Division<at::meta::structured_div_Tensor_mode>> {
  using Base = PointwiseOp<DivideWithMode, Division<at::meta::structured_div_Tensor_mode>>;
  TILEWISE_FUNCTION("division:divide_with_mode", kNumeric)
  void impl(const Tensor& self, const Tensor& other, std::optional<c10::string_view> mode,
            const Tensor& out) {
    static PointwiseFunction plain("arithmetic:divide", kFloating);
    if (mode.has_value())
      Base::impl(self, other, *mode, out);
    else
      plain.run(*this, common_dtype(), {});
  }
};
TILEWISE_STRUCTURED(DivideWithMode, "div.Tensor_mode");

// clang-format off: one operator a line
TILEWISE_POINTWISE("div.Tensor", at::meta::structured_div_Tensor, "arithmetic:divide", kFloating);
TILEWISE_POINTWISE("floor_divide", Division<BinaryPreset>, "division:floor_divide", kNumeric);
TILEWISE_POINTWISE("fmod.Tensor", Division<at::meta::structured_fmod_Tensor>, "division:fmod", kNumeric);
TILEWISE_POINTWISE("gcd", at::meta::structured_gcd, "division:greatest_common_divisor", kInteger | kIterates);
TILEWISE_POINTWISE("lcm", at::meta::structured_lcm, "division:least_common_multiple", kInteger | kIterates);
TILEWISE_POINTWISE("remainder.Tensor", Division<at::meta::structured_remainder_Tensor>, "division:remainder", kNumeric);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
