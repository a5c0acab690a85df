// SPDX-License-Identifier: Apache-2.0
// Largest and smallest elements without their index.
#include <ATen/ops/amax_meta.h>
#include <ATen/ops/amin_meta.h>
#include <ATen/ops/aminmax_meta.h>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

const char* refuse_extremum(const Tensor& self) {
  return is_barebones(self) ? "extremum of a dtype ATen refuses" : nullptr;
}

template <bool is_maximum>
void extremum(const Tensor& self, DimensionSet dims, const Tensor& out) {
  static Reduction reduction{
      {.module = "reduction/extremum",
       .combine = is_maximum ? "maximum" : "minimum",
       .accumulators = {{{Accumulator::compute, is_maximum ? "lowest" : "highest"}}},
       .is_exact = true}};
  // ATen's meta functions raise for results of no elements.
  if (out.numel() == 0) return;
  reduction.run({&self}, dims, {&out}, comparison_dtype(self.scalar_type()));
}

template <class Meta, bool is_maximum>
struct Extremum : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, const auto&...) { return refuse_extremum(self); }
  void impl(const Tensor& self, at::IntArrayRef dim, bool, const Tensor& out) {
    extremum<is_maximum>(self, reduced_dimensions(dim, self.dim()), out);
  }
};
using Amax = Extremum<at::meta::structured_amax, true>;
using Amin = Extremum<at::meta::structured_amin, false>;
TILEWISE_STRUCTURED(Amax, "amax");
TILEWISE_STRUCTURED(Amin, "amin");

struct ExtremumOfAllPreset : ReductionPreset {
  void meta(const Tensor& self) {
    set_result(0, self, std::nullopt, /*keepdim=*/false, self.scalar_type());
  }
};
template <bool is_maximum>
struct ExtremumOfAll : StructuredOp<ExtremumOfAllPreset> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return self.numel() == 0 ? "extremum of no elements" : refuse_extremum(self);
  }
  void impl(const Tensor& self, const Tensor& out) {
    extremum<is_maximum>(self, DimensionSet().set(), out);
  }
};
using Max = ExtremumOfAll<true>;
using Min = ExtremumOfAll<false>;
TILEWISE_STRUCTURED(Max, "max");
TILEWISE_STRUCTURED(Min, "min");

struct Aminmax : StructuredOp<at::meta::structured_aminmax, 2> {
  static const char* refuse(const Tensor& self, const auto&...) { return refuse_extremum(self); }
  void impl(const Tensor& self, std::optional<int64_t> dim, bool, const Tensor& min,
            const Tensor& max) {
    static Reduction reduction{
        {.module = "reduction/extremum",
         .combine = "minimum_and_maximum",
         .prepare = "both",
         .accumulators = {{{Accumulator::compute, "highest"}, {Accumulator::compute, "lowest"}}},
         .is_exact = true}};
    const auto dims = dim.has_value() ? reduced_dimensions(*dim, self.dim()) : DimensionSet().set();
    if (min.numel() == 0) return;
    reduction.run({&self}, dims, {&min, &max}, comparison_dtype(self.scalar_type()));
  }
};
TILEWISE_STRUCTURED(Aminmax, "aminmax");

}  // namespace
}  // namespace tilewise::ops
