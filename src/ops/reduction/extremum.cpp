// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/amax_meta.h>
#include <ATen/ops/amin_meta.h>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction_plan.h"

namespace tilewise::ops {
namespace {

template <class Meta, bool is_maximum>
struct Extremum : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, const auto&...) {
    if (self.numel() == 0) return "extremum of no elements";
    return c10::isBarebonesUnsignedType(self.scalar_type()) ? "extremum of a dtype ATen refuses"
                                                            : nullptr;
  }
  void impl(const Tensor& self, at::IntArrayRef dim, bool, const Tensor& out) {
    static const Kernel inner("reduction/extremum", "extremum_inner");
    static const Kernel outer("reduction/extremum", "extremum_outer");
    const at::ScalarType accumulator = !self.is_floating_point()           ? at::kLong
                                       : self.scalar_type() == at::kDouble ? at::kDouble
                                                                           : at::kFloat;
    reduce(self, dim, out, accumulator, [&](const ReductionPass& pass) {
      pass.launch(inner, outer, constant(*element_type(accumulator)), constant(is_maximum));
    });
  }
};
using Amax = Extremum<at::meta::structured_amax, true>;
using Amin = Extremum<at::meta::structured_amin, false>;
TILEWISE_STRUCTURED(Amax, "amax");
TILEWISE_STRUCTURED(Amin, "amin");

}  // namespace
}  // namespace tilewise::ops
