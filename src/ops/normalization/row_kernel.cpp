// SPDX-License-Identifier: Apache-2.0
#include "ops/normalization/row_kernel.h"

#include <ATen/WrapDimUtils.h>

#include <algorithm>

namespace tilewise::ops {

Rows::Rows(std::initializer_list<const at::Tensor*> tensors, int64_t dim) {
  const at::Tensor& first = **tensors.begin();
  const int64_t axis = first.dim() == 0 ? 0 : at::maybe_wrap_dim(dim, first.dim());
  Dimensions others;
  for (int64_t i = 0; i < first.dim(); ++i) {
    ViewStrides view{};
    std::transform(tensors.begin(), tensors.end(), view.begin(),
                   [i](const at::Tensor* tensor) { return tensor->stride(i); });
    if (i == axis) {
      length = first.size(i);
      strides = view;
    } else {
      others.add(first.size(i), view);
    }
  }
  kept = others.merge();
}

void RowKernel::launch(std::initializer_list<RowOperand> operands, const Rows& rows,
                       const RowTile& tile, const char* literals,
                       std::initializer_list<int64_t> scalars) {
  codegen::RowVariant variant;
  variant.tensors = static_cast<uint8_t>(operands.size());
  variant.scalars = static_cast<uint8_t>(scalars.size());
  variant.kept_rank = static_cast<uint8_t>(rows.kept.size());
  variant.lanes_are_last = tile.lanes_are_last;
  variant.literals = literals;
  runtime::ArgumentPack pack;
  for (const RowOperand& operand : operands)
    if (operand.is_written)
      detail::add(pack, written(*operand.tensor));
    else
      detail::add(pack, *operand.tensor);
  for (const int64_t scalar : scalars) detail::add(pack, int64(scalar));
  const int64_t kept = numel(rows.kept);
  const Dimension& kept0 = rows.kept.back();
  pack.integer(kept);
  add_sizes(pack, rows.kept, 0,
            tile.lanes_are_last ? rows.kept.size() - 1 : std::max<size_t>(1, rows.kept.size() - 1));
  for (size_t v = 0; v < operands.size(); ++v) add_strides(pack, rows.kept, v);
  add_size(pack, rows.length);
  for (size_t v = 0; v < operands.size(); ++v) pack.stride(rows.strides[v]);
  pack.constant(tile.kept);
  pack.constant(tile.lanes);
  const int64_t programs = tile.lanes_are_last
                               ? ceil_div(kept, tile.kept)
                               : kept / kept0.size * ceil_div(kept0.size, tile.kept);
  const Kernel& kernel = kernels_.find(variant, [&] {
    return Kernel(
        std::string(module_) + "_" + function_ + (tile.lanes_are_last ? "_inner" : "_outer"),
        "kernel", codegen::row_source(module_, function_, variant));
  });
  launch_packed(kernel, pack, tile.options, grid_1d(programs), operands.begin()->tensor->device());
}

}  // namespace tilewise::ops
