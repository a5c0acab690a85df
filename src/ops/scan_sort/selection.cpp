// SPDX-License-Identifier: Apache-2.0
// kthvalue, median, nanmedian and mode. Of equal elements the first one's index is returned (mode:
// the last one's); PyTorch leaves open which.
#include <ATen/MemoryOverlap.h>
#include <ATen/TensorMeta.h>
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/gather.h>
#include <ATen/ops/sort.h>

#include <algorithm>

#include "ops/framework/structured_op.h"
#include "ops/normalization/row_kernel.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

// As in kernels/scan_sort/selection.py.
enum class Which : uint8_t { kth, median, nanmedian };

const char* literal(Which which) {
  constexpr const char* kText[] = {", 0", ", 1", ", 2"};
  return kText[static_cast<size_t>(which)];
}

// Keys that a tile holds: on a CPU in the first cache, on a GPU in 32 registers a thread.
constexpr int64_t kLongestCpuTile = 8192;
constexpr int64_t kLongestGpuTile = 8192;
constexpr int64_t kLongestRow = INT32_MAX - 65536;

struct SelectionTile : RowTile {
  bool holds_row;
};

SelectionTile choose_tile(const Rows& rows, bool on_cpu) {
  const Dimension& kept0 = rows.kept.back();
  const int64_t length = next_power_of_2(rows.length);
  const int64_t longest = on_cpu ? kLongestCpuTile : kLongestGpuTile;
  SelectionTile tile;
  tile.options.num_stages = 1;
  tile.lanes_are_last = kept0.strides[0] != 1 || rows.strides[0] == 1 || kept0.size < 8;
  if (tile.lanes_are_last) {
    tile.holds_row = length <= longest;
    // CPU: the three counters of a lane stay in registers.
    tile.lanes = tile.holds_row ? std::max<int64_t>(length, 16) : on_cpu ? 64 : 4096;
    tile.kept = on_cpu ? 1 : std::clamp<int64_t>(1024 / tile.lanes, 1, 64);
  } else {
    tile.kept = std::clamp<int64_t>(next_power_of_2(kept0.size), 16, on_cpu ? 32 : 64);
    tile.holds_row = length * tile.kept <= longest;
    tile.lanes = tile.holds_row ? length : on_cpu ? 2 : 4096 / tile.kept;
  }
  tile.options.num_warps =
      static_cast<int>(std::clamp<int64_t>(tile.lanes * tile.kept / 256, 4, 16));
  // A walk through the keys for each bit.
  tile.options.grain = std::max<int64_t>(1, 1024 / (rows.length * tile.kept));
  return tile;
}

// The tensor as if it had the rows' shape: a result for each row.
Tensor per_row(const Tensor& result, const Tensor& self, int64_t dim) {
  if (self.dim() == 0) return result;
  const Tensor kept = result.dim() == self.dim() ? result : result.unsqueeze(dim);
  return kept.expand(self.sizes());
}

void select(const Tensor& self, int64_t dim, Which which, int64_t k, const Tensor& values,
            const Tensor& indices) {
  static RowKernel in_tile("scan_sort/selection", "select_tile");
  static RowKernel in_loop("scan_sort/selection", "select_loop");
  const Tensor value = per_row(values, self, dim), index = per_row(indices, self, dim);
  const Rows rows({&self, &value, &index}, dim);
  if (rows.length > kLongestRow) throw dispatch::Refusal{"selection from too long rows"};
  const SelectionTile tile = choose_tile(rows, self.is_cpu());
  (tile.holds_row ? in_tile : in_loop)
      .launch({{&self}, {&value, true}, {&index, true}}, rows, tile, literal(which), {k});
}

// Shapes as PyTorch's kernels give them. 0-dim tensors have a row of one element.
struct SelectionMeta : at::impl::MetaBase {
  void set_results(const Tensor& self, int64_t dim, bool keepdim) {
    at::DimVector sizes(self.sizes());
    if (!sizes.empty()) {
      const int64_t axis = at::maybe_wrap_dim(dim, self.dim());
      if (keepdim)
        sizes[static_cast<size_t>(axis)] = 1;
      else
        sizes.erase(sizes.begin() + axis);
    }
    set_output_raw_strided(0, sizes, {}, self.options());
    set_output_raw_strided(1, sizes, {}, self.options().dtype(at::kLong));
  }
};

// PyTorch's own kernel has the errors for everything that this refuses.
const char* refuse_selection(const Tensor& self, int64_t dim, bool takes_bool,
                             const auto&... outs) {
  const bool overlaps =
      (false || ... || (at::get_overlap_status(self, outs) != at::MemOverlapStatus::No));
  if (overlaps) return "selection into its own input";
  if (self.numel() == 0) return "selection from no elements";
  if (is_barebones(self) || (self.scalar_type() == at::kBool && !takes_bool))
    return "selection of this dtype";
  // What TensorInfo of PyTorch's own kernels holds.
  if (self.is_cuda() && self.dim() >= 25) return "selection from 25 or more dimensions";
  const int64_t rank = std::max<int64_t>(1, self.dim());
  return dim < -rank || dim >= rank ? "dimension out of range" : nullptr;
}

struct KthvalueMeta : SelectionMeta {
  void meta(const Tensor& self, int64_t, int64_t dim, bool keepdim) {
    set_results(self, dim, keepdim);
  }
};
struct Kthvalue : StructuredOp<KthvalueMeta, 2> {
  static const char* refuse(const Tensor& self, int64_t k, int64_t dim, bool, const auto&... outs) {
    if (const char* reason = refuse_selection(self, dim, /*takes_bool=*/false, outs...))
      return reason;
    const int64_t length = self.dim() == 0 ? 1 : self.size(dim);
    return k < 1 || k > length ? "kthvalue of a rank out of range" : nullptr;
  }
  void impl(const Tensor& self, int64_t k, int64_t dim, bool, const Tensor& values,
            const Tensor& indices) {
    select(self, at::maybe_wrap_dim(dim, self.dim()), Which::kth, k - 1, values, indices);
  }
};
TILEWISE_STRUCTURED(Kthvalue, "kthvalue");

struct MedianDimMeta : SelectionMeta {
  void meta(const Tensor& self, int64_t dim, bool keepdim) { set_results(self, dim, keepdim); }
};
template <Which which>
struct MedianDim : StructuredOp<MedianDimMeta, 2> {
  static const char* refuse(const Tensor& self, int64_t dim, bool, const auto&... outs) {
    return refuse_selection(self, dim, /*takes_bool=*/false, outs...);
  }
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& values, const Tensor& indices) {
    select(self, at::maybe_wrap_dim(dim, self.dim()), which, 0, values, indices);
  }
};
TILEWISE_STRUCTURED(MedianDim<Which::median>, "median.dim");
TILEWISE_STRUCTURED(MedianDim<Which::nanmedian>, "nanmedian.dim");

struct MedianMeta : at::impl::MetaBase {
  void meta(const Tensor& self) { set_output_raw_strided(0, {}, {}, self.options()); }
};
template <Which which>
struct Median : StructuredOp<MedianMeta> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return refuse_selection(self, 0, /*takes_bool=*/false);
  }
  void impl(const Tensor& self, const Tensor& out) {
    // One row, whose order does not matter; copied where it has gaps, as ATen does.
    const Tensor row = self.is_non_overlapping_and_dense() ? self.as_strided({self.numel()}, {1})
                                                           : self.reshape({-1});
    const Tensor index = allocate_output({}, {}, self.options().dtype(at::kLong));
    select(row, 0, which, 0, out, index);
  }
};
TILEWISE_STRUCTURED(Median<Which::median>, "median");
TILEWISE_STRUCTURED(Median<Which::nanmedian>, "nanmedian");

// Rows whose elements are compared with one another. CPU: the counters stay in registers; 64 of 64
// floats take 10 us, sorted first 93, and ATen's 33.
constexpr int64_t kLongestComparedRow[2] = {1024, 256};  // GPU, CPU

// False if the rows are too long, or do not lie in two dimensions.
bool mode_of_short(const Tensor& self, int64_t axis, const Tensor& values, const Tensor& indices) {
  static const Kernel kernel("scan_sort/selection", "mode_of_short");
  const int64_t length = self.size(axis);
  if (length > kLongestComparedRow[self.is_cpu()]) return false;
  const Tensor value = per_row(values, self, axis), index = per_row(indices, self, axis);
  Dimensions others;
  for (int64_t i = 0; i < self.dim(); ++i)
    if (i != axis) others.add(self.size(i), {self.stride(i), value.stride(i), index.stride(i)});
  const auto rows = others.collapse();
  if (!rows) return false;
  const int64_t lanes = std::max<int64_t>(16, next_power_of_2(length));
  LaunchOptions options;
  options.num_warps = static_cast<int>(std::clamp<int64_t>(lanes / 256, 1, 4));
  options.grain = std::max<int64_t>(1, 65536 / (length * lanes));
  launch(kernel, options, grid_1d(rows->numel()), self, self, written(values), written(indices),
         rows->inner, length, stride(rows->outer_stride[0]), stride(rows->inner_stride[0]),
         stride(self.stride(axis)), stride(rows->outer_stride[1]), stride(rows->inner_stride[1]),
         stride(rows->outer_stride[2]), stride(rows->inner_stride[2]), constant(lanes));
  return true;
}

// Longer rows are sorted first: equal elements are then neighbors. PyTorch's mode for CPUs sorts
// them itself, and in 0.6 of the time of its sort.
struct Mode : StructuredOp<MedianDimMeta, 2> {
  static const char* refuse(const Tensor& self, int64_t dim, bool, const auto&... outs) {
    if (const char* reason = refuse_selection(self, dim, /*takes_bool=*/true, outs...))
      return reason;
    const bool is_long = self.dim() > 0 && self.size(dim) > kLongestComparedRow[1];
    return is_long && self.is_cpu() ? "mode of long rows" : nullptr;
  }
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& values, const Tensor& indices) {
    static RowKernel longest_run("scan_sort/selection", "longest_run");
    const int64_t axis = at::maybe_wrap_dim(dim, self.dim());
    if (self.dim() == 0) {
      values.copy_(self);
      indices.zero_();
      return;
    }
    if (mode_of_short(self, axis, values, indices)) return;
    const auto [sorted, order] = at::sort(self, /*stable=*/true, axis, /*descending=*/false);
    at::DimVector sizes(self.sizes());
    sizes[static_cast<size_t>(axis)] = 1;
    const Tensor position = allocate_output(sizes, {}, indices.options());
    const Tensor per_element = per_row(position, self, axis);
    const Rows rows({&sorted, &per_element}, axis);
    if (rows.length > kLongestRow) throw dispatch::Refusal{"selection from too long rows"};
    longest_run.launch({{&sorted}, {&per_element, true}}, rows, choose_tile(rows, self.is_cpu()),
                       "");
    values.copy_(at::gather(sorted, axis, position).view_as(values));
    indices.copy_(at::gather(order, axis, position).view_as(indices));
  }
};
TILEWISE_STRUCTURED(Mode, "mode");

}  // namespace
}  // namespace tilewise::ops
