// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/dimensions.h"

#include <algorithm>
#include <utility>

namespace tilewise::ops {

const c10::SmallVector<Dimension, 8>& Dimensions::merge() {
  std::stable_sort(items_.begin(), items_.end(), [](const Dimension& a, const Dimension& b) {
    return a.strides[0] > b.strides[0];
  });
  return merge_in_order();
}

const c10::SmallVector<Dimension, 8>& Dimensions::merge_in_order() {
  size_t count = 0;
  for (const Dimension& item : items_) {
    if (count > 0) {
      Dimension& outer = items_[count - 1];
      bool continues = true;
      for (size_t view = 0; view < kMaxViews; ++view)
        continues &= outer.strides[view] == item.strides[view] * item.size;
      if (continues) {
        outer = {outer.size * item.size, item.strides};
        continue;
      }
    }
    items_[count++] = item;
  }
  if (count == 0) {
    items_.push_back({1, {}});
    return items_;
  }
  items_.resize(count);
  return items_;
}

std::optional<DimensionPair> as_pair(const c10::SmallVector<Dimension, 8>& dimensions) {
  if (dimensions.size() > 2) return std::nullopt;
  DimensionPair pair;
  pair.inner = dimensions.back().size;
  pair.inner_stride = dimensions.back().strides;
  if (dimensions.size() == 2) {
    pair.outer = dimensions.front().size;
    pair.outer_stride = dimensions.front().strides;
  }
  return pair;
}

std::optional<DimensionPair> Dimensions::collapse() { return as_pair(merge()); }

std::optional<DimensionPair> Dimensions::collapse_in_order() { return as_pair(merge_in_order()); }

std::optional<DimensionPair> find_long_rows(const at::Tensor& self, int64_t axis,
                                            const at::Tensor& out, int64_t shortest,
                                            int64_t many_rows) {
  const int64_t length = self.size(axis);
  if (self.stride(axis) != 1 || length < shortest || self.numel() / length < many_rows)
    return std::nullopt;
  const bool keeps_dim = out.dim() == self.dim();
  Dimensions kept;
  for (int64_t i = 0; i < self.dim(); ++i)
    if (i != axis)
      kept.add(self.size(i), {self.stride(i), out.stride(keeps_dim || i < axis ? i : i - 1)});
  auto rows = kept.collapse();
  if (rows && rows->outer == 1) {
    std::swap(rows->outer, rows->inner);
    std::swap(rows->outer_stride, rows->inner_stride);
  }
  return rows;
}

}  // namespace tilewise::ops
