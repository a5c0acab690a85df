// SPDX-License-Identifier: Apache-2.0
// Variance and standard deviation, with and without the mean.
#include <limits>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

constexpr ReductionDeclaration declare(const char* finish) {
  return {.module = "reduction/statistics",
          .combine = "merge",
          .update = "update",
          .finish = finish,
          .shifted = {"finite", "distances", "add", "from_distances"},
          .accumulators = {{{Accumulator::compute, "0"},
                            {Accumulator::compute, "0"},
                            {Accumulator::index, "0"}}},
          .finish_scalars = 1};
}

struct OnePreset : ReductionPreset {
  void meta(const Tensor& self, at::OptionalIntArrayRef dim, const std::optional<at::Scalar>&,
            bool keepdim) {
    set_result(0, self, dim, keepdim, self.scalar_type());
  }
};
struct WithMeanPreset : ReductionPreset {
  void meta(const Tensor& self, at::OptionalIntArrayRef dim, const std::optional<at::Scalar>&,
            bool keepdim) {
    set_result(0, self, dim, keepdim, self.scalar_type());
    set_result(1, self, dim, keepdim, self.scalar_type());
  }
};

template <class Preset, int Outputs, bool is_deviation>
struct Statistic : StructuredOp<Preset, Outputs> {
  static const char* refuse(const Tensor& self, at::OptionalIntArrayRef dim,
                            const std::optional<at::Scalar>& correction, const auto&...) {
    if (!self.is_floating_point()) return "variance of a dtype that is not floating";
    // PyTorch warns of too few degrees of freedom.
    const double subtracted = correction.value_or(1).toDouble();
    int64_t count = 1;
    const auto dims = reduced_dimensions(dim, self.dim());
    for (int64_t i = 0; i < self.dim(); ++i)
      if (dims[static_cast<size_t>(i)]) count *= self.size(i);
    return static_cast<double>(count) <= subtracted || count == 0 ? "variance of too few elements"
                                                                  : nullptr;
  }
  void impl(const Tensor& self, at::OptionalIntArrayRef dim,
            const std::optional<at::Scalar>& correction, bool, const auto&... outs) {
    static Reduction reduction{declare(Outputs == 1   ? is_deviation ? "deviation" : "variance"
                                       : is_deviation ? "deviation_and_mean"
                                                      : "variance_and_mean")};
    if (self.numel() == 0) return;
    // A CPU keeps float32 statistics in float64, as ATen does: the error then does not grow with
    // the mean (10000 +- 1: 1e-4 of the variance in float32).
    const bool is_wide = self.is_cpu() && self.scalar_type() == at::kFloat;
    reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&outs...},
                  is_wide ? at::kDouble : sum_dtype(self.scalar_type()),
                  {correction.value_or(1).toDouble()});
  }
};
using Var = Statistic<OnePreset, 1, false>;
using Std = Statistic<OnePreset, 1, true>;
using VarMean = Statistic<WithMeanPreset, 2, false>;
using StdMean = Statistic<WithMeanPreset, 2, true>;
TILEWISE_STRUCTURED(Var, "var.correction");
TILEWISE_STRUCTURED(Std, "std.correction");
TILEWISE_STRUCTURED(VarMean, "var_mean.correction");
TILEWISE_STRUCTURED(StdMean, "std_mean.correction");

}  // namespace
}  // namespace tilewise::ops
