// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

struct LogSumExpPreset : ReductionPreset {
  void meta(const Tensor& self, at::IntArrayRef dim, bool keepdim) {
    const auto dtype = at::isIntegralType(self.scalar_type(), /*includeBool=*/true)
                           ? c10::get_default_dtype_as_scalartype()
                           : self.scalar_type();
    set_result(0, self, dim, keepdim, dtype);
  }
};

struct LogSumExp : StructuredOp<LogSumExpPreset> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return is_barebones(self) ? "logsumexp of a dtype ATen refuses" : nullptr;
  }
  void impl(const Tensor& self, at::IntArrayRef dim, bool, const Tensor& out) {
    static Reduction reduction{
        {.module = "reduction/log_sum_exp",
         .combine = "maximum_and_total",
         .update = "with_element",
         .finish = "logarithm",
         .accumulators = {{{Accumulator::compute, "lowest"}, {Accumulator::compute, "0"}}}}};
    if (out.numel() == 0) return;
    if (self.numel() == 0) {
      out.fill_(-std::numeric_limits<double>::infinity());
      return;
    }
    reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&out},
                  sum_dtype(out.scalar_type()));
  }
};
TILEWISE_STRUCTURED(LogSumExp, "logsumexp");

}  // namespace
}  // namespace tilewise::ops
