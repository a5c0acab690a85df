// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/clamp_max_meta.h>
#include <ATen/ops/clamp_meta.h>
#include <ATen/ops/clamp_min_meta.h>

#include "ops/framework/pointwise.h"

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

// clang-format off: one operator a line
TILEWISE_POINTWISE("clamp_max", at::meta::structured_clamp_max, "arithmetic:clamp_max", kNumeric);
TILEWISE_POINTWISE("clamp_min", at::meta::structured_clamp_min, "arithmetic:clamp_min", kNumeric);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
