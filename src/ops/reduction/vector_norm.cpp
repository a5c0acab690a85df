// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/linalg_vector_norm_meta.h>

#include <cmath>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction_plan.h"

namespace tilewise::ops {
namespace {

// The kernel's ORDER: 1, 2, 0 for the maximum norm, -1 for those it does not have.
int64_t kernel_order(const at::Scalar& ord) {
  if (ord.isComplex()) return -1;
  const double order = ord.toDouble();
  if (order == 1 || order == 2) return static_cast<int64_t>(order);
  return std::isinf(order) && order > 0 ? 0 : -1;
}

struct VectorNorm : StructuredOp<at::meta::structured_linalg_vector_norm> {
  static const char* refuse(const Tensor& self, const at::Scalar& ord, at::OptionalIntArrayRef,
                            bool, std::optional<at::ScalarType> dtype, const auto&...) {
    if (kernel_order(ord) < 0) return "norm of an order other than 1, 2 and infinity";
    if (self.numel() == 0) return "norm of no elements";
    if (dtype.has_value() && *dtype != self.scalar_type()) return "norm in another dtype";
    return self.is_floating_point() ? nullptr : "norm of a dtype that is not floating";
  }
  void impl(const Tensor& self, const at::Scalar& ord, at::OptionalIntArrayRef dim, bool,
            std::optional<at::ScalarType>, const Tensor& out) {
    static const Kernel inner("reduction/vector_norm", "norm_inner");
    static const Kernel outer("reduction/vector_norm", "norm_outer");
    const at::ScalarType accumulator = self.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    reduce(self, dim, out, accumulator, [&](const ReductionPass& pass) {
      pass.launch(inner, outer, constant(*element_type(accumulator)), constant(kernel_order(ord)),
                  constant(pass.is_first), constant(pass.is_last));
    });
  }
};
TILEWISE_STRUCTURED(VectorNorm, "linalg_vector_norm");

}  // namespace
}  // namespace tilewise::ops
