// SPDX-License-Identifier: Apache-2.0
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/renorm_meta.h>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// Slices along a dimension whose norm exceeds maxnorm are scaled down to it: the norms are a
// reduction of their own, the rest is pointwise.
struct Renorm : StructuredOp<at::meta::structured_renorm> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return self.is_floating_point() ? nullptr : "renorm of a dtype that is not floating";
  }
  void impl(const Tensor& self, const at::Scalar& p, int64_t dim, const at::Scalar& maxnorm,
            const Tensor& out) {
    static PointwiseFunction function("arithmetic:limit_norm", kFloating);
    if (out.numel() == 0) return;
    const int64_t kept = at::maybe_wrap_dim(dim, self.dim());
    c10::SmallVector<int64_t, 8> reduced;
    for (int64_t i = 0; i < self.dim(); ++i)
      if (i != kept) reduced.push_back(i);
    const auto accumulate = self.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    const Tensor norm =
        at::linalg_vector_norm(self, p.toDouble(), reduced, /*keepdim=*/true, accumulate);
    at::TensorIterator iter = at::TensorIteratorConfig()
                                  .check_all_same_dtype(false)
                                  .resize_outputs(false)
                                  .set_check_mem_overlap(false)  // in place: element by element
                                  .add_output(out)
                                  .add_const_input(self)
                                  .add_const_input(norm)
                                  .build();
    PointwiseArguments arguments;
    arguments.add(maxnorm.toDouble());
    function.run(iter, self.scalar_type(), arguments);
  }
};
TILEWISE_STRUCTURED(Renorm, "renorm");

}  // namespace
}  // namespace tilewise::ops
