// SPDX-License-Identifier: Apache-2.0
// What losses against class indices share: the rows of a tensor [outer, classes, inner], and
// whether all targets are classes.
#pragma once

#include <ATen/core/Tensor.h>

#include "dispatch/refusal.h"
#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"

namespace tilewise::ops {

// self and gradient [outer, classes, inner], target and losses [outer, inner]: the views of an
// image loss; of [rows, classes], inner is 1. `losses` (the result, or its gradient) may be
// 0-dimensional, `gradient` undefined. Strides in the order of the arguments.
struct ClassRows {
  ClassRows(const at::Tensor& self, const at::Tensor& target, const at::Tensor& losses,
            const at::Tensor& gradient = {}) {
    const int64_t class_axis = self.dim() == 1 ? 0 : 1;
    classes = self.size(class_axis);
    class_stride = self.stride(class_axis);
    if (gradient.defined()) gradient_class_stride = gradient.stride(class_axis);
    if (self.dim() == 1) return;  // one row
    const bool has_losses = losses.defined() && losses.dim() == target.dim();
    if (self.dim() == 2) {  // The rows are the outer dimension: no division in the kernel.
      position.outer = self.size(0);
      position.outer_stride = {self.stride(0), target.stride(0), has_losses ? losses.stride(0) : 0,
                               gradient.defined() ? gradient.stride(0) : 0};
      return;
    }
    Dimensions kept;
    for (int64_t i = 0; i < target.dim(); ++i) {
      const int64_t axis = i < class_axis ? i : i + 1;
      kept.add(target.size(i),
               {self.stride(axis), target.stride(i), has_losses ? losses.stride(i) : 0,
                gradient.defined() ? gradient.stride(axis) : 0});
    }
    const auto pair = kept.collapse_in_order();
    if (!pair) throw dispatch::Refusal{"positions that do not collapse to two dimensions"};
    position = *pair;
  }
  int64_t count() const { return position.numel(); }
  // Whether programs take rows of one outer index each: where those are many.
  bool is_split() const { return position.inner >= 512; }
  // Programs of `block` rows.
  int64_t blocks(int64_t block) const {
    return is_split() ? position.outer * ceil_div(position.inner, block) : ceil_div(count(), block);
  }
  DimensionPair position;
  int64_t classes = 1;
  int64_t class_stride = 1;
  int64_t gradient_class_stride = 1;
};

inline DType compute_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

// Whether a target on a CPU, of int64 or uint8, is neither a class nor ignored: PyTorch's own
// kernel raises. On a GPU kernels assert, as PyTorch's do.
bool has_foreign_target(const at::Tensor& target, int64_t classes, int64_t ignore_index);

}  // namespace tilewise::ops
