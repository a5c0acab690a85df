// SPDX-License-Identifier: Apache-2.0
#include <ATen/WrapDimUtils.h>

#include <algorithm>
#include <limits>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
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

// GPU: rows that one tile holds, enough of them to keep the machine busy with one a program.
constexpr int64_t kManyRows = 132;
constexpr int64_t kShortestRow = 1024;
constexpr int64_t kLongestRow = 16384;

// Whether it was a case for the kernel of whole rows: (8192, 8192) bf16 takes 58 us on an H100,
// where every lane's own maximum and sum take 66, and the fastest of 36 shapes (4 to 32 warps, one
// to four rows a program, tiles with a maximum so far, cheaper exponentials) 57.3.
bool log_sum_exp_rows(const Tensor& self, at::IntArrayRef dim, const Tensor& out) {
  static const Kernel kernel("reduction/log_sum_exp", "log_sum_exp_rows");
  if (self.is_cpu() || dim.size() != 1 || self.dim() == 0 || !self.is_floating_point())
    return false;
  const int64_t axis = at::maybe_wrap_dim(dim[0], self.dim()), length = self.size(axis);
  if (length > kLongestRow) return false;
  const auto rows = find_long_rows(self, axis, out, kShortestRow, kManyRows);
  if (!rows) return false;
  const int64_t lanes = next_power_of_2(length);
  LaunchOptions options;
  options.num_warps = static_cast<int>(std::max<int64_t>(lanes / 1024, 4));
  options.num_stages = 1;
  launch(kernel, options, grid_1d(rows->numel()), self, self, written(out), stride(rows->inner),
         stride(length), stride(rows->outer_stride[0]), stride(rows->inner_stride[0]),
         stride(rows->outer_stride[1]), stride(rows->inner_stride[1]),
         constant(self.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32), constant(lanes));
  return true;
}

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
    if (log_sum_exp_rows(self, dim, out)) return;
    reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&out},
                  sum_dtype(out.scalar_type()));
  }
};
TILEWISE_STRUCTURED(LogSumExp, "logsumexp");

}  // namespace
}  // namespace tilewise::ops
