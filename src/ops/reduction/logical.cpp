// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/all_meta.h>
#include <ATen/ops/any_meta.h>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

template <bool is_all>
void logical(const Tensor& self, DimensionSet dims, const Tensor& out) {
  static Reduction reduction{{.module = "reduction/logical",
                              .combine = is_all ? "both" : "either",
                              .prepare = "truth",
                              .accumulators = {{{Accumulator::i32, is_all ? "1" : "0"}}}}};
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(is_all);
    return;
  }
  reduction.run({&self}, dims, {&out}, self.scalar_type());
}

template <class Meta, bool is_all>
struct LogicalOfAll : StructuredOp<Meta> {
  void impl(const Tensor& self, const Tensor& out) {
    logical<is_all>(self, DimensionSet().set(), out);
  }
};
template <class Meta, bool is_all>
struct LogicalOfDim : StructuredOp<Meta> {
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& out) {
    logical<is_all>(self, reduced_dimensions(dim, self.dim()), out);
  }
};
// An empty list reduces nothing here: any.dims and all.dims make a bool of every element.
template <class Meta, bool is_all>
struct LogicalOfDims : StructuredOp<Meta> {
  void impl(const Tensor& self, at::OptionalIntArrayRef dim, bool, const Tensor& out) {
    logical<is_all>(
        self,
        dim.has_value() && dim->empty() ? DimensionSet() : reduced_dimensions(dim, self.dim()),
        out);
  }
};
using Any = LogicalOfAll<at::meta::structured_any, false>;
using All = LogicalOfAll<at::meta::structured_all, true>;
using AnyDim = LogicalOfDim<at::meta::structured_any_dim, false>;
using AllDim = LogicalOfDim<at::meta::structured_all_dim, true>;
using AnyDims = LogicalOfDims<at::meta::structured_any_dims, false>;
using AllDims = LogicalOfDims<at::meta::structured_all_dims, true>;
TILEWISE_STRUCTURED(Any, "any");
TILEWISE_STRUCTURED(All, "all");
TILEWISE_STRUCTURED(AnyDim, "any.dim");
TILEWISE_STRUCTURED(AllDim, "all.dim");
TILEWISE_STRUCTURED(AnyDims, "any.dims");
TILEWISE_STRUCTURED(AllDims, "all.dims");

struct BoolOfAllPreset : ReductionPreset {
  void meta(const Tensor& self) { set_result(0, self, std::nullopt, /*keepdim=*/false, at::kBool); }
};
template <bool is_all>
struct BoolOfAll : LogicalOfAll<BoolOfAllPreset, is_all> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return self.scalar_type() == at::kBool ? nullptr : "truth of a dtype other than bool";
  }
};
using IsAllTrue = BoolOfAll<true>;
using IsAnyTrue = BoolOfAll<false>;
TILEWISE_STRUCTURED(IsAllTrue, "_is_all_true");
TILEWISE_STRUCTURED(IsAnyTrue, "_is_any_true");

}  // namespace
}  // namespace tilewise::ops
