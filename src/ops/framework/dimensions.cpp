// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/dimensions.h"

#include <algorithm>

namespace tilewise::ops {

std::optional<DimensionPair> Dimensions::collapse() {
  std::stable_sort(items_.begin(), items_.end(),
                   [](const Item& a, const Item& b) { return a.strides[0] > b.strides[0]; });
  return collapse_in_order();
}

std::optional<DimensionPair> Dimensions::collapse_in_order() {
  size_t count = 0;
  for (const Item& item : items_) {
    if (count > 0) {
      Item& outer = items_[count - 1];
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
  items_.resize(count);
  if (count > 2) return std::nullopt;
  DimensionPair pair;
  if (count > 0) {
    pair.inner = items_[count - 1].size;
    pair.inner_stride = items_[count - 1].strides;
  }
  if (count > 1) {
    pair.outer = items_[0].size;
    pair.outer_stride = items_[0].strides;
  }
  return pair;
}

}  // namespace tilewise::ops
