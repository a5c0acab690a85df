// SPDX-License-Identifier: Apache-2.0
#include <ATen/TensorMeta.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/cumprod_meta.h>
#include <ATen/ops/cumsum_meta.h>

#include <algorithm>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/framework/plain_op.h"
#include "ops/reduction/reduction_presets.h"
#include "ops/scan_sort/scan.h"

namespace tilewise::ops {
namespace {

// On a CPU float32 in float64, as ATen does.
at::ScalarType cumulative_dtype(const Tensor& out) {
  const at::ScalarType dtype = sum_dtype(out.scalar_type());
  return out.is_cpu() && out.scalar_type() == at::kFloat ? at::kDouble : dtype;
}

const char* refuse_scan(const Tensor& self) {
  return is_barebones(self) ? "scan of a dtype ATen refuses" : nullptr;
}

template <class Meta, bool is_sum>
struct Cumulative : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, int64_t, std::optional<at::ScalarType> dtype,
                            const auto&...) {
    if (dtype.has_value() && !has_kernel_dtype(*dtype)) return "scan in a complex dtype";
    return refuse_scan(self);
  }
  void impl(const Tensor& self, int64_t dim, std::optional<at::ScalarType>, const Tensor& out) {
    static Scan scan{{.module = "scan_sort/cumulative",
                      .combine = is_sum ? "add" : "multiply",
                      .accumulators = {{{Accumulator::compute, is_sum ? "0" : "1"}}}}};
    if (out.numel() == 0) return;
    scan.run(self, dim, {&out}, cumulative_dtype(out));
  }
};
using Cumsum = Cumulative<at::meta::structured_cumsum, true>;
using Cumprod = Cumulative<at::meta::structured_cumprod, false>;
TILEWISE_STRUCTURED(Cumsum, "cumsum");
TILEWISE_STRUCTURED(Cumprod, "cumprod");

template <bool is_maximum>
void cumulative_extremum(const Tensor& self, int64_t dim, const Tensor& values,
                         const Tensor& indices) {
  static Scan scan{{.module = "scan_sort/cumulative",
                    .combine = is_maximum ? "later_larger" : "later_smaller",
                    .prepare = "with_index",
                    .merge = is_maximum ? "larger" : "smaller",
                    .accumulators = {{{Accumulator::compute, is_maximum ? "lowest" : "highest"},
                                      {Accumulator::index, "0"}}},
                    .is_indexed = true}};
  if (self.numel() == 0) return;
  scan.run(self, dim, {&values, &indices}, comparison_dtype(self.scalar_type()));
}

template <bool is_maximum>
struct CumulativeExtremumHelper : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& values, const Tensor& indices,
                            int64_t) {
    if (values.sizes() != self.sizes() || indices.sizes() != self.sizes() ||
        indices.scalar_type() != at::kLong || values.scalar_type() != self.scalar_type())
      return "outputs of another shape or dtype";
    return refuse_scan(self);
  }
  static void call(const Tensor& self, Tensor& values, Tensor& indices, int64_t dim) {
    cumulative_extremum<is_maximum>(self, dim, values, indices);
  }
};
TILEWISE_OPERATOR(CumulativeExtremumHelper<true>, "_cummax_helper");
TILEWISE_OPERATOR(CumulativeExtremumHelper<false>, "_cummin_helper");

// What PyTorch composes of the former: one call less through its dispatcher.
struct WithIndicesPreset : at::impl::MetaBase {
  void meta(const Tensor& self, int64_t dim) {
    at::maybe_wrap_dim(dim, self.dim());
    set_output_raw_strided(0, self.sizes(), {}, self.options());
    set_output_raw_strided(1, self.sizes(), {}, self.options().dtype(at::kLong));
  }
};
template <bool is_maximum>
struct CumulativeExtremum : StructuredOp<WithIndicesPreset, 2> {
  static const char* refuse(const Tensor& self, const auto&...) { return refuse_scan(self); }
  void impl(const Tensor& self, int64_t dim, const Tensor& values, const Tensor& indices) {
    cumulative_extremum<is_maximum>(self, dim, values, indices);
  }
};
TILEWISE_STRUCTURED(CumulativeExtremum<true>, "cummax");
TILEWISE_STRUCTURED(CumulativeExtremum<false>, "cummin");

struct SameShapePreset : at::impl::MetaBase {
  void meta(const Tensor& self, int64_t dim) {
    at::maybe_wrap_dim(dim, self.dim());
    set_output_raw_strided(0, self.sizes(), {}, self.options());
  }
};

// GPU: rows that a program each keeps the machine busy with, of neighboring elements.
constexpr int64_t kManyRows = 132;
constexpr int64_t kShortestRow = 512;
// Of one tile, and of one warp. (8192, 8192) bf16 on an H100, where a copy takes 93 us: 103 with
// four warps of 256 lanes and the next tile read ahead, 104 with one or two warps, 110 to 120
// without.
constexpr int64_t kLanes = 1024;
constexpr int64_t kWarpLanes = 256;

// Whether it was a case for the kernel of whole rows.
bool log_cumulative_rows(const Tensor& self, int64_t dim, const Tensor& out) {
  static const Kernel kernel("scan_sort/cumulative", "log_cumulative_rows");
  if (self.is_cpu() || self.dim() == 0) return false;
  const int64_t axis = at::maybe_wrap_dim(dim, self.dim()), length = self.size(axis);
  const auto rows = find_long_rows(self, axis, out, kShortestRow, kManyRows);
  if (!rows) return false;
  const int64_t lanes = std::min(next_power_of_2(length), kLanes);
  LaunchOptions options;
  options.num_warps = static_cast<int>(lanes / kWarpLanes);
  options.num_stages = 1;
  const bool is_wide = out.scalar_type() == at::kDouble;
  launch(kernel, options, grid_1d(rows->numel()), self, self, written(out), stride(rows->inner),
         stride(length), stride(rows->outer_stride[0]), stride(rows->inner_stride[0]),
         stride(rows->outer_stride[1]), stride(rows->inner_stride[1]), stride(out.stride(axis)),
         constant(is_wide ? DType::fp64 : DType::fp32), constant(out.element_size() == 2),
         constant(lanes));
  return true;
}

struct LogCumulativeSumExp : StructuredOp<SameShapePreset> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return self.is_floating_point() ? nullptr : "logcumsumexp of a dtype that is not floating";
  }
  void impl(const Tensor& self, int64_t dim, const Tensor& out) {
    static Scan scan{
        {.module = "scan_sort/cumulative",
         .combine = "add_exponentials",
         .prepare = "exponential",
         .finish = "logarithm",
         .accumulators = {{{Accumulator::compute, "lowest"}, {Accumulator::compute, "0"}}}}};
    if (out.numel() == 0 || log_cumulative_rows(self, dim, out)) return;
    scan.run(self, dim, {&out}, cumulative_dtype(out));
  }
};
struct PublicLogCumulativeSumExp : LogCumulativeSumExp {};
TILEWISE_STRUCTURED(LogCumulativeSumExp, "_logcumsumexp");
TILEWISE_STRUCTURED(PublicLogCumulativeSumExp, "logcumsumexp");

}  // namespace
}  // namespace tilewise::ops
