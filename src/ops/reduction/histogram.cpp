// SPDX-License-Identifier: Apache-2.0
// histc and bincount. The result is the same on every run, weights included, for which PyTorch's
// kernel for GPUs does not promise it.
#include <ATen/ops/aminmax.h>
#include <ATen/ops/sort.h>

#include <algorithm>
#include <cmath>

#include "ops/framework/plain_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

// As in kernels/reduction/histogram.py.
enum Binning : uint8_t { linear, value };

// Counters that a program holds. CPU: 64 KiB, in the second cache. GPU: a warp counts
// by ballots into registers, 2350 instructions for 2048 bins; 4096 take all 255 registers.
constexpr int64_t kMostCpuBins = 16384;
constexpr int64_t kMostGpuBins = 2048;
// Elements of a program at least, and programs at most.
constexpr int64_t kSmallestChunk[2] = {8192, 65536};  // GPU, CPU
constexpr int64_t kMostPrograms[2] = {264, 16};

struct Limits {
  at::Scalar low = 0;
  at::Scalar high = 0;
};

// Counts the elements of `self` into `out` [bins], of any dtype.
void count(const Tensor& self, Binning binning, const Limits& limits, int64_t bins,
           const Tensor& out) {
  static const Kernel partial_counts("reduction/histogram", "count_partial");
  static const Kernel atomic_counts("reduction/histogram", "count_atomic");
  static Reduction sum{
      {.module = "reduction/sum",
       .combine = "add",
       .accumulators = {{{Accumulator::compute, "0"}, Accumulator{}, Accumulator{}}}}};
  if (self.numel() == 0) {
    out.zero_();
    return;
  }
  Tensor source = self;
  const auto find_view = [&source] {
    Dimensions dimensions;
    for (int64_t i = 0; i < source.dim(); ++i) dimensions.add(source.size(i), {source.stride(i)});
    return dimensions.collapse();
  };
  auto view = find_view();
  if (!view) {  // as ATen, which copies all that is not contiguous
    source = self.contiguous();
    view = find_view();
    if (!view) throw dispatch::Refusal{"histogram of an odd view"};
  }
  const bool is_flat = view->outer == 1;
  const bool on_cpu = self.is_cpu();
  const bool is_floating = self.is_floating_point();
  const DType acc = is_floating ? accumulate_type(element_type(self)) : DType::i64;
  const int64_t n = self.numel();
  LaunchOptions options;
  options.num_warps = 8;
  options.num_stages = 1;
  const auto start = [&](const Kernel& kernel, const Tensor& counts, Grid grid,
                         const auto&... rest) {
    const auto run = [&](auto low, auto high) {
      launch(kernel, options, grid, self, source, written(counts), n, stride(view->inner),
             stride(view->outer_stride[0]), stride(view->inner_stride[0]), low, high, int64(bins),
             rest...);
    };
    if (!is_floating)
      run(int64(limits.low.toLong()), int64(limits.high.toLong()));
    else if (acc == DType::fp64)
      run(fp64(limits.low.toDouble()), fp64(limits.high.toDouble()));
    else
      run(limits.low.toDouble(), limits.high.toDouble());
  };
  const int64_t block = on_cpu ? 4096 : 2048;
  if (bins > (on_cpu ? kMostCpuBins : kMostGpuBins)) {
    const auto counter = n > INT32_MAX ? at::kLong : at::kInt;
    const Tensor counts = allocate_output({bins}, {}, self.options().dtype(counter));
    counts.zero_();
    start(atomic_counts, counts, grid_1d(ceil_div(n, block)), constant(acc), constant(binning),
          constant(is_flat), constant(block));
    out.copy_(counts);
    return;
  }
  const int64_t wanted = std::clamp<int64_t>(n / kSmallestChunk[on_cpu], 1, kMostPrograms[on_cpu]);
  const int64_t chunk = ceil_div(ceil_div(n, wanted), block) * block;
  if (chunk > INT32_MAX) throw dispatch::Refusal{"histogram of too many elements"};
  const int64_t programs = ceil_div(n, chunk);
  const Tensor partial =
      programs == 1 ? out : allocate_output({programs, bins}, {}, self.options().dtype(at::kInt));
  start(partial_counts, partial, grid_1d(programs), stride(chunk), constant(acc), constant(binning),
        constant(is_flat), constant(next_power_of_2(bins)), constant(block));
  if (programs > 1) sum.run({&partial}, reduced_dimensions(0, 2), {&out}, at::kLong);
}

struct HistcPreset : ReductionPreset {
  void meta(const Tensor& self, int64_t bins, const at::Scalar&, const at::Scalar&) {
    set_output_raw_strided(0, {bins}, {}, self.options());
  }
};

struct Histc : StructuredOp<HistcPreset> {
  static const char* refuse(const Tensor& self, int64_t bins, const at::Scalar& min,
                            const at::Scalar& max, const auto&...) {
    if (is_barebones(self) || self.scalar_type() == at::kBool) return "histc of this dtype";
    // PyTorch has integers on GPUs alone, and 16-bit floats on CPUs alone.
    const bool is_single = self.scalar_type() == at::kFloat || self.scalar_type() == at::kDouble;
    if (!is_single && self.is_floating_point() != self.is_cpu()) return "histc of this dtype";
    if (bins <= 0 || min.isComplex() || max.isComplex()) return "histc: bins";
    if (!std::isfinite(min.toDouble()) || !std::isfinite(max.toDouble()) ||
        min.toDouble() > max.toDouble())
      return "histc: range";
    return nullptr;
  }
  void impl(const Tensor& self, int64_t bins, const at::Scalar& min, const at::Scalar& max,
            const Tensor& out) {
    const bool is_floating = self.is_floating_point();
    // The range is the data's own if none is given.
    Limits limits{min, max};
    const auto is_empty = [&] {
      return is_floating ? limits.low.toDouble() == limits.high.toDouble()
                         : limits.low.toLong() == limits.high.toLong();
    };
    if (is_empty() && self.numel() > 0) {
      const auto [least, greatest] = at::aminmax(self);
      limits = {least.item(), greatest.item()};
      if (!std::isfinite(limits.low.toDouble()) || !std::isfinite(limits.high.toDouble()))
        throw dispatch::Refusal{"histc: range of the elements"};
    }
    if (is_empty()) {
      if (is_floating)
        limits = {limits.low.toDouble() - 1, limits.high.toDouble() + 1};
      else
        limits = {limits.low.toLong() - 1, limits.high.toLong() + 1};
    }
    count(self, Binning::linear, limits, bins, out);
  }
};
TILEWISE_STRUCTURED(Histc, "histc");

// Sums of weights, in the order of the elements or by bins of sorted elements.
void sum_weights(const Tensor& self, const Tensor& weights, const Tensor& out) {
  static const Kernel in_order("reduction/histogram", "sum_in_order");
  static const Kernel segments("reduction/histogram", "sum_segments");
  LaunchOptions options;
  options.num_stages = 1;
  if (self.is_cpu()) {
    out.zero_();
    launch(in_order, options, grid_1d(1), self, self, weights, written(out), self.numel(),
           stride(self.stride(0)), stride(weights.stride(0)));
    return;
  }
  const auto [sorted, order] = at::sort(self, /*stable=*/true, 0, /*descending=*/false);
  launch(segments, options, grid_1d(out.numel()), self, sorted, order, weights, written(out),
         self.numel(), stride(weights.stride(0)), constant(512));
}

struct Bincount : PlainOp {
  static const char* refuse(const Tensor& self, const std::optional<Tensor>& weights,
                            int64_t minlength) {
    if (self.dim() != 1 || minlength < 0 || is_barebones(self) ||
        !at::isIntegralType(self.scalar_type(), /*includeBool=*/false))
      return "bincount of this dtype, rank or length";
    if (!weights.has_value() || !weights->defined()) return nullptr;
    return weights->sizes() == self.sizes() ? nullptr : "bincount: shape of the weights";
  }
  static Tensor call(const Tensor& self, const std::optional<Tensor>& weights, int64_t minlength) {
    const bool is_weighted = weights.has_value() && weights->defined();
    int64_t bins = minlength;
    if (self.numel() > 0) {
      const auto [least, greatest] = at::aminmax(self);
      if (least.item<int64_t>() < 0) throw dispatch::Refusal{"bincount of a negative number"};
      bins = std::max(bins, greatest.item<int64_t>() + 1);
    }
    // No elements: counts, whatever the weights.
    const at::ScalarType dtype = !is_weighted || self.numel() == 0      ? at::kLong
                                 : weights->scalar_type() == at::kFloat ? at::kFloat
                                                                        : at::kDouble;
    const Tensor out = allocate_output({bins}, {}, self.options().dtype(dtype));
    if (!is_weighted || self.numel() == 0)
      count(self, Binning::value, {}, bins, out);
    else
      sum_weights(self, *weights, out);
    return out;
  }
};
TILEWISE_OPERATOR(Bincount, "bincount");

}  // namespace
}  // namespace tilewise::ops
