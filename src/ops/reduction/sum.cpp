// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/mean_meta.h>
#include <ATen/ops/sum_meta.h>

#include <limits>

#include "dispatch/refusal.h"
#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction_plan.h"

namespace tilewise::ops {
namespace {

// Integers and bool add up in 64 bits, whatever the type of the result.
at::ScalarType sum_dtype(const Tensor& out) {
  if (!out.is_floating_point()) return at::kLong;
  return out.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
}

void sum(const Tensor& self, at::OptionalIntArrayRef dim, const Tensor& out, bool is_mean) {
  static const Kernel inner("reduction/sum", "sum_inner");
  static const Kernel outer("reduction/sum", "sum_outer");
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(is_mean ? std::numeric_limits<double>::quiet_NaN() : 0.0);
    return;
  }
  const at::ScalarType accumulator = sum_dtype(out);
  const int64_t count = self.numel() / out.numel();
  reduce(self, dim, out, accumulator, [&](const ReductionPass& pass) {
    pass.launch(inner, outer, count, constant(*element_type(accumulator)),
                constant(is_mean && pass.is_last));
  });
}

struct Sum : StructuredOp<at::meta::structured_sum_dim_IntList> {
  static const char* refuse(const Tensor& self, at::OptionalIntArrayRef, bool,
                            std::optional<at::ScalarType>, const auto&...) {
    return c10::isBarebonesUnsignedType(self.scalar_type()) ? "sum of a dtype ATen refuses"
                                                            : nullptr;
  }
  void impl(const Tensor& self, at::OptionalIntArrayRef dim, bool, std::optional<at::ScalarType>,
            const Tensor& out) {
    sum(self, dim, out, false);
  }
};
TILEWISE_STRUCTURED(Sum, "sum.dim_IntList");

struct Mean : StructuredOp<at::meta::structured_mean_dim> {
  void impl(const Tensor& self, at::OptionalIntArrayRef dim, bool, std::optional<at::ScalarType>,
            const Tensor& out) {
    // ATen's own error names the type of out=.
    if (!out.is_floating_point()) throw dispatch::Refusal{"mean into a dtype that is not floating"};
    sum(self, dim, out, true);
  }
};
TILEWISE_STRUCTURED(Mean, "mean.dim");

}  // namespace
}  // namespace tilewise::ops
