// SPDX-License-Identifier: Apache-2.0
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/cat_meta.h>

#include <algorithm>

#include "ops/copy/concatenate.h"
#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

constexpr size_t kInputsPerLaunch = 4;

// A tensor as [rows, columns]: the dimensions before `dim`, and the rest.
struct Matrix {
  int64_t rows, columns, row_stride, column_stride;
};

std::optional<Matrix> as_matrix(const Tensor& tensor, int64_t dim) {
  Dimensions before;
  Dimensions after;
  for (int64_t i = 0; i < tensor.dim(); ++i)
    (i < dim ? before : after).add(tensor.size(i), {tensor.stride(i)});
  const auto rows = before.collapse_in_order();
  const auto columns = after.collapse_in_order();
  if (!rows || !columns || rows->outer > 1 || columns->outer > 1) return std::nullopt;
  return Matrix{rows->inner, columns->inner, rows->inner_stride[0],
                columns->inner > 1 ? columns->inner_stride[0] : 1};
}

// PyTorch has always left out one-dimensional tensors of no elements, whatever the others' rank.
bool is_skipped(const Tensor& tensor) { return tensor.dim() == 1 && tensor.size(0) == 0; }

struct Piece {
  const Tensor* tensor;
  Matrix matrix;
  int64_t offset;  // first column in the output
};

void launch_pieces(const Piece* pieces, size_t count, const Tensor& out, const Matrix& target) {
  static const Kernel kernel("copy/cat", "cat4");
  Piece piece[kInputsPerLaunch];
  for (size_t i = 0; i < kInputsPerLaunch; ++i) {
    piece[i] = pieces[std::min(i, count - 1)];
    if (i >= count) piece[i].matrix.columns = 0;
  }
  int64_t columns = 1;
  for (size_t i = 0; i < count; ++i) columns = std::max(columns, piece[i].matrix.columns);
  const bool on_cpu = out.is_cpu();
  const int64_t block = std::clamp<int64_t>(next_power_of_2(columns), 16, 1024);
  const int64_t rows = on_cpu ? 1 : std::clamp<int64_t>(1024 / block, 1, 16);
  Grid grid = grid_1d(ceil_div(columns, block) * ceil_div(target.rows, rows));
  grid.y = static_cast<int32_t>(count);
  LaunchOptions options;
  options.grain = std::max<int64_t>(1, 32768 / (block * rows));
  launch(kernel, options, grid, out, *piece[0].tensor, *piece[1].tensor, *piece[2].tensor,
         *piece[3].tensor, written(out), target.rows, stride(piece[0].matrix.columns),
         stride(piece[1].matrix.columns), stride(piece[2].matrix.columns),
         stride(piece[3].matrix.columns), stride(piece[0].offset), stride(piece[1].offset),
         stride(piece[2].offset), stride(piece[3].offset), stride(piece[0].matrix.row_stride),
         stride(piece[1].matrix.row_stride), stride(piece[2].matrix.row_stride),
         stride(piece[3].matrix.row_stride), stride(piece[0].matrix.column_stride),
         stride(piece[1].matrix.column_stride), stride(piece[2].matrix.column_stride),
         stride(piece[3].matrix.column_stride), stride(target.row_stride),
         stride(target.column_stride), constant(rows), constant(block));
}

struct Cat : StructuredOp<at::meta::structured_cat> {
  void impl(const at::ITensorListRef& tensors, int64_t dim, const Tensor& out) {
    if (out.numel() == 0) return;
    const int64_t axis = at::maybe_wrap_dim(dim, out.dim());
    const auto target = as_matrix(out, axis);
    c10::SmallVector<Piece, 8> pieces;
    int64_t position = 0;  // along dim
    const int64_t inner = target ? target->columns / out.size(axis) : 0;
    for (const Tensor& tensor : tensors) {
      if (is_skipped(tensor)) continue;
      const int64_t size = tensor.size(axis);
      if (tensor.numel() > 0) {
        const auto matrix = target ? as_matrix(tensor, axis) : std::nullopt;
        if (matrix)
          pieces.push_back({&tensor, *matrix, position * inner});
        else
          out.narrow(axis, position, size).copy_(tensor);  // More strides than the kernel takes.
      }
      position += size;
    }
    for (size_t first = 0; first < pieces.size(); first += kInputsPerLaunch)
      launch_pieces(&pieces[first], std::min(kInputsPerLaunch, pieces.size() - first), out,
                    *target);
  }
};
TILEWISE_STRUCTURED(Cat, "cat");

// As PyTorch does it: a dimension of the concatenation is split, unless it is a new last one.
struct Stack : PlainOp {
  static const char* refuse(at::TensorList tensors, int64_t dim) {
    if (tensors.empty()) return "stack of no tensors";
    const int64_t dims = tensors[0].dim() + 1;
    if (dim < -dims || dim >= dims) return "stack: dimension out of range";
    for (const Tensor& tensor : tensors)
      if (tensor.sizes() != tensors[0].sizes()) return "stack of different sizes";
    return nullptr;
  }
  static Tensor call(at::TensorList tensors, int64_t dim) {
    const int64_t axis = at::maybe_wrap_dim(dim, tensors[0].dim() + 1);
    if (axis == tensors[0].dim()) {
      c10::SmallVector<Tensor, 8> columns;
      for (const Tensor& tensor : tensors) columns.push_back(tensor.unsqueeze(axis));
      return concatenate_tensors(columns, axis);
    }
    at::DimVector sizes(tensors[0].sizes());
    sizes.insert(sizes.begin() + axis, static_cast<int64_t>(tensors.size()));
    return concatenate_tensors(tensors, axis).view(sizes);
  }
};
TILEWISE_OPERATOR(Stack, "stack");

}  // namespace

Tensor concatenate_tensors(at::TensorList tensors, int64_t dim) {
  detail::Bound<Cat, dispatch::Form::functional> cat;
  cat.run(at::ITensorListRef(tensors), dim);
  return std::move(cat.outputs[0]);
}

void concatenate_into(const Tensor& out, at::TensorList tensors, int64_t dim) {
  detail::Bound<Cat, dispatch::Form::out> cat;
  cat.given = {&out};
  cat.run(at::ITensorListRef(tensors), dim);
}

}  // namespace tilewise::ops
