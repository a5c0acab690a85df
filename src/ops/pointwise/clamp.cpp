// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/clamp_max_meta.h>
#include <ATen/ops/clamp_meta.h>
#include <ATen/ops/clamp_min_meta.h>

#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"
#include "ops/framework/scalar_range.h"

namespace tilewise::ops {
namespace {

// Either bound may be missing, and the order of the two matters: min first, so that the upper bound
// wins where they cross, as in ATen.
struct Clamp : StructuredOp<at::meta::structured_clamp> {
  void impl(const Tensor&, at::OptionalScalarRef min, at::OptionalScalarRef max, const Tensor&) {
    static PointwiseFunction both("arithmetic:clamp", kNumeric);
    static PointwiseFunction only_min("arithmetic:clamp_min", kNumeric);
    static PointwiseFunction only_max("arithmetic:clamp_max", kNumeric);
    PointwiseArguments arguments;
    if (min.has_value()) arguments.add(min.get());
    if (max.has_value()) arguments.add(max.get());
    PointwiseFunction& function = !max.has_value() ? only_min : !min.has_value() ? only_max : both;
    function.run(*this, common_dtype(), arguments);
  }
};
TILEWISE_STRUCTURED(Clamp, "clamp");

// Bounds that are tensors; NaN in any of the three gives NaN.
struct ClampByTensors : StructuredOp<at::meta::structured_clamp_Tensor> {
  void impl(const Tensor&, at::OptionalTensorRef min, at::OptionalTensorRef max, const Tensor&) {
    static PointwiseFunction both("arithmetic:clamp", kNumeric);
    static PointwiseFunction only_min("arithmetic:clamp_min", kNumeric);
    static PointwiseFunction only_max("arithmetic:clamp_max", kNumeric);
    PointwiseFunction& function = !max.has_value() ? only_min : !min.has_value() ? only_max : both;
    function.run(*this, common_dtype(), {});
  }
};
TILEWISE_STRUCTURED(ClampByTensors, "clamp.Tensor");

// Like clamp, but the bounds never change the type.
struct Hardtanh : PointwiseOp<Hardtanh, UnaryWith<const at::Scalar&, const at::Scalar&>> {
  static const char* refuse(const Tensor& self, const at::Scalar& min, const at::Scalar& max,
                            const auto&...) {
    const at::ScalarType dtype = self.scalar_type();
    const bool fits = is_representable(min, dtype) && is_representable(max, dtype);
    return fits ? nullptr : "bounds do not fit the dtype";
  }
  TILEWISE_FUNCTION("arithmetic:clamp", kNumeric)
};
TILEWISE_STRUCTURED(Hardtanh, "hardtanh");

// clang-format off: one operator a line
TILEWISE_POINTWISE("clamp_max", at::meta::structured_clamp_max, "arithmetic:clamp_max", kNumeric);
TILEWISE_POINTWISE("clamp_max.Tensor", at::meta::structured_clamp_max_Tensor, "arithmetic:clamp_max", kNumeric);
TILEWISE_POINTWISE("clamp_min", at::meta::structured_clamp_min, "arithmetic:clamp_min", kNumeric);
TILEWISE_POINTWISE("clamp_min.Tensor", at::meta::structured_clamp_min_Tensor, "arithmetic:clamp_min", kNumeric);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
