// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/all_meta.h>
#include <ATen/ops/any_meta.h>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction_plan.h"

namespace tilewise::ops {
namespace {

void logical(const Tensor& self, at::OptionalIntArrayRef dim, const Tensor& out, bool is_all) {
  static const Kernel inner("reduction/logical", "logical_inner");
  static const Kernel outer("reduction/logical", "logical_outer");
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(is_all);
    return;
  }
  reduce(self, dim, out, at::kInt,
         [&](const ReductionPass& pass) { pass.launch(inner, outer, constant(is_all)); });
}

template <class Meta, bool is_all>
struct LogicalOfAll : StructuredOp<Meta> {
  void impl(const Tensor& self, const Tensor& out) { logical(self, std::nullopt, out, is_all); }
};
template <class Meta, bool is_all>
struct LogicalOfDim : StructuredOp<Meta> {
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& out) {
    logical(self, dim, out, is_all);
  }
};
using Any = LogicalOfAll<at::meta::structured_any, false>;
using All = LogicalOfAll<at::meta::structured_all, true>;
using AnyDim = LogicalOfDim<at::meta::structured_any_dim, false>;
using AllDim = LogicalOfDim<at::meta::structured_all_dim, true>;
TILEWISE_STRUCTURED(Any, "any");
TILEWISE_STRUCTURED(All, "all");
TILEWISE_STRUCTURED(AnyDim, "any.dim");
TILEWISE_STRUCTURED(AllDim, "all.dim");

}  // namespace
}  // namespace tilewise::ops
