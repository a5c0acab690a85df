// SPDX-License-Identifier: Apache-2.0
#include <ATen/Context.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

// PyTorch's own kernels have the errors for everything that this refuses. On a GPU an index outside
// of the table gives NaN.
template <class Index>
bool has_foreign_index(const Tensor& indices, int64_t rows) {
  const Tensor index = indices.contiguous();
  const Index* data = index.const_data_ptr<Index>();
  for (int64_t i = 0; i < index.numel(); ++i)
    if (data[i] < 0 || data[i] >= rows) return true;
  return false;
}

const char* refuse_index(const Tensor& index, int64_t rows) {
  const bool is_long = index.scalar_type() == at::kLong;
  if (!is_long && index.scalar_type() != at::kInt) return "embedding: dtype of indices";
  if (index.is_cpu() &&
      (is_long ? has_foreign_index<int64_t>(index, rows) : has_foreign_index<int32_t>(index, rows)))
    return "embedding: index out of range";
  return nullptr;
}

struct Embedding : PlainOp {
  static const char* refuse(const Tensor& weight, const Tensor& indices, const c10::SymInt&, bool,
                            bool) {
    if (weight.dim() != 2) return "embedding: weight is not a matrix";
    return refuse_index(indices, weight.size(0));
  }

  static Tensor call(const Tensor& weight, const Tensor& any_indices, c10::SymInt, bool, bool) {
    static const Kernel kernel("indexing/embedding", "forward");
    const Tensor indices = any_indices.contiguous();  // BERT's positions are expanded rows
    c10::SmallVector<int64_t, 8> sizes(indices.sizes().begin(), indices.sizes().end());
    const int64_t width = weight.size(1);
    sizes.push_back(width);
    Tensor out = allocate_output(sizes, {}, weight.options());
    if (out.numel() == 0) return out;
    const int64_t count = indices.numel();
    const int64_t block = std::clamp<int64_t>(next_power_of_2(width), 16, 1024);
    const int64_t rows = weight.is_cpu() ? 1 : std::clamp<int64_t>(1024 / block, 1, 16);
    Grid grid = grid_1d(ceil_div(count, rows));
    grid.y = static_cast<int32_t>(ceil_div(width, block));
    LaunchOptions options;
    options.grain = std::max<int64_t>(1, 32768 / block);
    launch(kernel, options, grid, weight, weight, indices, written(out), count, stride(width),
           weight.size(0), stride(weight.stride(0)), stride(weight.stride(1)), stride(1),
           stride(width), constant(rows), constant(block));
    return out;
  }
};
TILEWISE_OPERATOR(Embedding, "embedding");

struct EmbeddingBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, const Tensor& indices,
                            const c10::SymInt& num_weights, const c10::SymInt&,
                            bool scale_grad_by_freq) {
    if (scale_grad_by_freq) return "embedding gradient scaled by frequency";
    if (!grad_output.is_floating_point()) return "embedding: dtype of gradient";
    if (grad_output.dim() != indices.dim() + 1 ||
        grad_output.sizes().slice(0, static_cast<size_t>(indices.dim())) != indices.sizes())
      return "embedding: shapes of gradient and indices";
    if (!grad_output.is_cpu() && at::globalContext().deterministicAlgorithms())
      return "embedding gradient by atomics in deterministic mode";
    return refuse_index(indices, num_weights.expect_int());
  }

  static Tensor call(const Tensor& grad_output, const Tensor& any_indices, c10::SymInt num_weights,
                     c10::SymInt padding_idx, bool) {
    static const Kernel columns("indexing/embedding", "backward_columns");
    static const Kernel atomic("indexing/embedding", "backward_atomic");
    const Tensor indices = any_indices.contiguous();
    const int64_t vocabulary = num_weights.expect_int();
    const int64_t width = grad_output.size(-1);
    const int64_t count = indices.numel();
    const Tensor grad = grad_output.reshape({count, width});  // A view unless oddly strided.
    // 16-bit gradients add up in f32, so that a frequent row does not lose its small addends.
    const bool is_double = grad.scalar_type() == at::kDouble;
    const auto accumulator = is_double ? at::kDouble : at::kFloat;
    Tensor sums = at::zeros({vocabulary, width}, grad.options().dtype(accumulator));
    if (grad.numel() > 0) {
      LaunchOptions options;
      if (grad.is_cpu()) {
        const int64_t block = 64;
        launch(columns, options, grid_1d(ceil_div(width, block)), grad, grad, indices,
               written(sums), count, stride(width), vocabulary, padding_idx.expect_int(),
               stride(grad.stride(0)), stride(grad.stride(1)), stride(1), stride(width),
               constant(is_double ? DType::fp64 : DType::fp32), constant(block));
      } else {
        const int64_t block = std::clamp<int64_t>(next_power_of_2(width), 16, 1024);
        const int64_t rows = std::clamp<int64_t>(1024 / block, 1, 16);
        Grid grid = grid_1d(ceil_div(count, rows));
        grid.y = static_cast<int32_t>(ceil_div(width, block));
        launch(atomic, options, grid, grad, grad, indices, written(sums), count, stride(width),
               vocabulary, padding_idx.expect_int(), stride(grad.stride(0)), stride(grad.stride(1)),
               stride(1), stride(width), constant(rows), constant(block));
      }
    }
    return sums.to(grad.scalar_type());
  }
};
TILEWISE_OPERATOR(EmbeddingBackward, "embedding_dense_backward");

}  // namespace
}  // namespace tilewise::ops
