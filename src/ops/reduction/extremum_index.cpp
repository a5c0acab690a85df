// SPDX-License-Identifier: Apache-2.0
// The index of the largest or smallest element, with or without the element.
#include <ATen/ops/argmax_meta.h>
#include <ATen/ops/argmin_meta.h>
#include <ATen/ops/max_meta.h>
#include <ATen/ops/min_meta.h>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

template <bool is_maximum>
constexpr ReductionDeclaration declare(const char* finish) {
  return {.module = "reduction/extremum",
          .combine = is_maximum ? "larger" : "smaller",
          .update = is_maximum ? "update_larger" : "update_smaller",
          .finish = finish,
          .accumulators = {{{Accumulator::compute, is_maximum ? "lowest" : "highest"},
                            {Accumulator::index, "0"}}},
          .is_indexed = true};
}

const char* refuse_index(const Tensor& self) {
  return is_barebones(self) ? "extremum of a dtype ATen refuses" : nullptr;
}

template <class Meta, bool is_maximum>
struct ExtremumIndex : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, const auto&...) {
    // ATen raises for bool, in its kernel.
    if (self.scalar_type() == at::kBool) return "index of an extremum of bools";
    return refuse_index(self);
  }
  void impl(const Tensor& self, std::optional<int64_t> dim, bool, const Tensor& out) {
    static Reduction reduction{declare<is_maximum>("only_index")};
    const auto dims = dim.has_value() ? reduced_dimensions(*dim, self.dim()) : DimensionSet().set();
    if (out.numel() == 0) return;
    reduction.run({&self}, dims, {&out}, comparison_dtype(self.scalar_type()));
  }
};
using Argmax = ExtremumIndex<at::meta::structured_argmax, true>;
using Argmin = ExtremumIndex<at::meta::structured_argmin, false>;
TILEWISE_STRUCTURED(Argmax, "argmax");
TILEWISE_STRUCTURED(Argmin, "argmin");

template <class Meta, bool is_maximum>
struct ExtremumAndIndex : StructuredOp<Meta, 2> {
  static const char* refuse(const Tensor& self, const auto&...) { return refuse_index(self); }
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& values, const Tensor& indices) {
    static Reduction reduction{declare<is_maximum>("")};
    if (values.numel() == 0) return;
    reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&values, &indices},
                  comparison_dtype(self.scalar_type()));
  }
};
using MaxDim = ExtremumAndIndex<at::meta::structured_max_dim, true>;
using MinDim = ExtremumAndIndex<at::meta::structured_min_dim, false>;
TILEWISE_STRUCTURED(MaxDim, "max.dim");
TILEWISE_STRUCTURED(MinDim, "min.dim");

}  // namespace
}  // namespace tilewise::ops
