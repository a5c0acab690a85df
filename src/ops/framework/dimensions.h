// SPDX-License-Identifier: Apache-2.0
// Dimensions of up to six tensors that are walked through together, as few as possible: kernels
// take two of them, an outer and an inner one, with a stride for each tensor.
//
//   Dimensions kept;
//   kept.add(self.size(0), {self.stride(0), out.stride(0)});
//   ...
//   const std::optional<DimensionPair> pair = kept.collapse();   // none: more than two remain
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/SmallVector.h>

#include <array>
#include <cstdint>
#include <optional>

namespace tilewise::ops {

inline constexpr size_t kMaxViews = 6;
using ViewStrides = std::array<int64_t, kMaxViews>;  // one per tensor

// A missing dimension has size 1 and strides 0.
struct DimensionPair {
  int64_t outer = 1;
  int64_t inner = 1;
  ViewStrides outer_stride{};
  ViewStrides inner_stride{};

  int64_t numel() const { return outer * inner; }
};

struct Dimension {
  int64_t size;
  ViewStrides strides;
};

class Dimensions {
 public:
  // Size 1 adds nothing.
  void add(int64_t size, const ViewStrides& strides) {
    if (size != 1) items_.push_back({size, strides});
  }

  // Orders the dimensions by the first tensor's strides, largest first, and merges neighbors that
  // every tensor runs through in one go.
  std::optional<DimensionPair> collapse();

  // Keeps the order in which they were added: where a position has a meaning that the strides do
  // not tell (an index in another tensor).
  std::optional<DimensionPair> collapse_in_order();

  // The same, for those that take any number of dimensions; outermost first, at least one.
  const c10::SmallVector<Dimension, 8>& merge();
  const c10::SmallVector<Dimension, 8>& merge_in_order();

 private:
  c10::SmallVector<Dimension, 8> items_;
};

// Merged dimensions as two; nullopt where more remain.
std::optional<DimensionPair> as_pair(const c10::SmallVector<Dimension, 8>& dimensions);

// The rows of `self` along `axis`, for a kernel that takes one row in each program: at least
// `many_rows` of at least `shortest` elements, which are neighbors. `out` has `self`'s dimensions,
// or all but `axis`. Views: self, out; nullopt where the rows are no such ones. Rows along one
// dimension have an `inner` of 1: launched as stride(inner), it costs no division and no registers.
std::optional<DimensionPair> find_long_rows(const at::Tensor& self, int64_t axis,
                                            const at::Tensor& out, int64_t shortest,
                                            int64_t many_rows);

}  // namespace tilewise::ops
