// SPDX-License-Identifier: Apache-2.0
#include "ops/normalization/row_norm.h"

#include <algorithm>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/normalization/computation.h"

namespace tilewise::ops::row_norm {
namespace {

// Longest row that one tile holds. On a CPU a tile longer than the registers goes through scratch
// memory, passes over the row do not: at n = 4096 (AVX-512, f32) they take 2.6 ms for 1024 rows and
// the tile 2.9 ms, at n = 768 both 0.18 ms. GPU: see softmax.cpp; the backward kernel keeps four
// tiles (x, gradient, two partial sums) in registers, 16 elements of each a thread at 16 warps.
constexpr int64_t kLongestCpuRow = 2048;
constexpr int64_t kLongestGpuRow = 16384;
constexpr int64_t kLongestGpuBackwardRow = 8192;
constexpr int64_t kCpuGrain = 8192;
constexpr int64_t kGpuSharedBytes = 160 << 10;  // of 227 KiB on an H100

// Rows of n contiguous elements, any distance apart; where a tensor is not of that form, it is
// copied, as ATen does.
struct Rows {
  Rows(const Tensor& input, int64_t normalized_dims) : tensor(input) {
    if (!find_stride(normalized_dims)) {
      tensor = input.contiguous();
      find_stride(normalized_dims);
    }
  }
  bool find_stride(int64_t normalized_dims) {
    if (tensor.is_contiguous()) {
      row_stride = 1;
      for (int64_t i = tensor.dim() - normalized_dims; i < tensor.dim(); ++i)
        row_stride *= tensor.size(i);
      return true;
    }
    Dimensions outer;
    Dimensions inner;
    for (int64_t i = 0; i < tensor.dim(); ++i)
      (i < tensor.dim() - normalized_dims ? outer : inner).add(tensor.size(i), {tensor.stride(i)});
    const auto rows = outer.collapse_in_order();
    const auto elements = inner.collapse_in_order();
    if (!rows || !elements || rows->outer > 1 || elements->outer > 1) return false;
    row_stride = rows->inner > 1 ? rows->inner_stride[0] : elements->inner;
    return elements->inner == 1 || elements->inner_stride[0] == 1;
  }
  Tensor tensor;
  int64_t row_stride = 0;
};

// Parameters are contiguous but for odd views.
std::optional<Tensor> dense(OptionalTensor parameter) {
  return is_given(parameter) ? std::optional<Tensor>(parameter->contiguous()) : std::nullopt;
}

struct Tile {
  bool is_long;
  int64_t rows = 1;
  int64_t block;
  LaunchOptions options;
};

Tile choose_tile(int64_t n, bool on_cpu, bool is_backward) {
  const int64_t longest = on_cpu        ? kLongestCpuRow
                          : is_backward ? kLongestGpuBackwardRow
                                        : kLongestGpuRow;
  Tile tile{};
  tile.is_long = n > longest;
  tile.block = tile.is_long ? (on_cpu ? 256 : 4096) : std::max<int64_t>(next_power_of_2(n), 16);
  tile.rows = on_cpu || tile.is_long ? 1 : std::clamp<int64_t>(1024 / tile.block, 1, 16);
  tile.options.num_stages = 1;
  const int64_t eight_warps = is_backward ? 4096 : 8192;
  tile.options.num_warps = tile.block <= 1024 ? 4 : tile.block <= eight_warps ? 8 : 16;
  tile.options.grain = std::max<int64_t>(1, kCpuGrain / n);
  return tile;
}

// Rows that the backward kernel works on or loads at a time, as far as shared memory goes; each
// takes up to four operands.
int64_t backward_stages(const Tensor& input, int64_t block) {
  if (input.is_cpu()) return 1;
  return std::clamp<int64_t>(1 + kGpuSharedBytes / (4 * block * input.element_size()), 1, 3);
}

// Bytes from which on a CPU stores an output past its caches: as in pointwise_tiles.cpp. Layer norm
// of 1024 x 4096 f32 takes 0.70 ms with it, 0.91 ms without (2 cores, AVX-512).
bool streams(const Tensor& out) {
  return out.is_cpu() && out.numel() * out.element_size() >= int64_t{8} << 20;
}

template <class Run>
void with_number(double value, DType acc, Run run) {
  if (acc == DType::fp64)
    run(fp64(value));
  else
    run(value);
}

// Adds up the partial sums [chunks, n] of the parameters' gradients.
void combine(const Tensor& weight_partial, const Tensor& bias_partial, const Tensor& grad_weight,
             const Tensor& grad_bias, int64_t n, DType acc) {
  static const Kernel kernel("normalization/row_norm", "combine_partials");
  const Tensor& any = weight_partial.defined() ? weight_partial : bias_partial;
  const bool on_cpu = any.is_cpu();
  const int64_t block = on_cpu ? 256 : 64;
  LaunchOptions options;
  options.num_warps = 4;
  options.num_stages = 1;
  launch(kernel, options, grid_1d(ceil_div(n, block)), any, weight_partial, bias_partial,
         written(grad_weight), written(grad_bias), any.size(0), stride(n), constant(acc),
         constant(on_cpu ? 1 : 32), constant(block));
}

}  // namespace

bool is_mixed(const Tensor& input, OptionalTensor weight, OptionalTensor bias) {
  return (is_given(weight) && weight->scalar_type() != input.scalar_type()) ||
         (is_given(bias) && bias->scalar_type() != input.scalar_type());
}

const char* refuse_row_norm(const Tensor& input, at::IntArrayRef shape, OptionalTensor weight,
                            OptionalTensor bias) {
  if (!input.is_floating_point()) return "norm of a dtype that is not floating";
  if (input.numel() == 0) return "norm of no elements";
  const auto rank = static_cast<size_t>(input.dim());
  if (shape.empty() || shape.size() > rank || input.sizes().slice(rank - shape.size()) != shape)
    return "norm: shape does not fit the input";
  const bool mixed = is_mixed(input, weight, bias);
  const bool is_16_bit = input.scalar_type() == at::kHalf || input.scalar_type() == at::kBFloat16;
  for (const std::optional<Tensor>* parameter : {&weight, &bias}) {
    if (!is_given(*parameter)) continue;
    if ((*parameter)->sizes() != shape) return "norm: shape does not fit a parameter";
    if (mixed && !(is_16_bit && (*parameter)->scalar_type() == at::kFloat))
      return "norm: dtypes of input and parameters";
  }
  return nullptr;
}

Forward forward(const Tensor& input, OptionalTensor residual, at::IntArrayRef shape,
                OptionalTensor weight, OptionalTensor bias, double eps, bool center,
                at::ScalarType statistics) {
  static const Kernel row("normalization/row_norm", "forward_row");
  static const Kernel long_row("normalization/row_norm", "forward_long_row");
  const auto normalized_dims = static_cast<int64_t>(shape.size());
  const int64_t n = c10::multiply_integers(shape);
  const int64_t rows = input.numel() / n;
  const Rows x(input, normalized_dims);
  std::optional<Rows> added;
  if (is_given(residual)) added.emplace(*residual, normalized_dims);
  const std::optional<Tensor> w = dense(weight);
  const std::optional<Tensor> b = dense(bias);

  Forward result;
  result.out = allocate_output(input.sizes(), {}, input.options());
  if (added) result.sum = allocate_output(input.sizes(), {}, input.options());
  c10::SmallVector<int64_t, 8> statistics_shape(input.sizes().begin(), input.sizes().end());
  std::fill(statistics_shape.end() - normalized_dims, statistics_shape.end(), 1);
  const auto options = input.options().dtype(statistics);
  if (center) result.mean = allocate_output(statistics_shape, {}, options);
  result.rstd = allocate_output(statistics_shape, {}, options);

  const Tile tile = choose_tile(n, input.is_cpu(), false);
  const DType acc = compute_type(input);
  const auto run = [&](const Kernel& kernel, int64_t programs, auto epsilon, auto... tile_sizes) {
    launch(kernel, tile.options, grid_1d(programs), x.tensor, x.tensor,
           added ? added->tensor : Tensor(), w, b, written(result.sum), written(result.out),
           written(result.mean), written(result.rstd), rows, stride(n), stride(x.row_stride),
           stride(added ? added->row_stride : 0), stride(n), epsilon, constant(acc),
           constant(center), tile_sizes...);
  };
  with_number(eps, acc, [&](auto epsilon) {
    if (tile.is_long)
      run(long_row, rows, epsilon, constant(streams(result.out)), constant(tile.block));
    else
      run(row, ceil_div(rows, tile.rows), epsilon, constant(tile.rows), constant(tile.block));
  });
  return result;
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& grad_out, OptionalTensor grad_sum,
                                            const Tensor& input, at::IntArrayRef shape,
                                            const Tensor& mean, const Tensor& rstd,
                                            OptionalTensor weight, OptionalTensor bias,
                                            std::array<bool, 3> mask) {
  const auto normalized_dims = static_cast<int64_t>(shape.size());
  const int64_t n = c10::multiply_integers(shape);
  const int64_t rows = input.numel() / n;
  const Rows x(input, normalized_dims);
  const Rows grad(grad_out, normalized_dims);
  std::optional<Rows> added;
  if (is_given(grad_sum)) added.emplace(*grad_sum, normalized_dims);
  const Tensor& grad_sum_tensor = added ? added->tensor : Tensor();
  const int64_t grad_sum_stride = added ? added->row_stride : 0;
  const bool center = mean.defined();
  const Tensor dense_mean = center ? mean.contiguous() : Tensor();
  const Tensor dense_rstd = rstd.contiguous();
  const std::optional<Tensor> w = dense(weight);
  const bool on_cpu = input.is_cpu();
  const Tile tile = choose_tile(n, on_cpu, true);
  const DType acc = compute_type(input);

  Tensor grad_input, weight_partial, bias_partial, grad_weight, grad_bias;
  // Chunks are fixed by the sizes, not by the number of threads: the same sums on every run.
  const int64_t rows_per_chunk =
      on_cpu ? std::max<int64_t>(ceil_div(rows, 64), std::min<int64_t>(rows, ceil_div(4096, n)))
             : std::max<int64_t>(ceil_div(rows, 264), 1);
  const int64_t chunks = ceil_div(rows, rows_per_chunk);
  const auto partials = input.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat);
  if (mask[0]) grad_input = allocate_output(input.sizes(), {}, input.options());
  if (mask[1]) {
    weight_partial = allocate_output({chunks, n}, {}, partials);
    grad_weight = allocate_output(shape, {}, weight->options());
  }
  if (mask[2]) {
    bias_partial = allocate_output({chunks, n}, {}, partials);
    grad_bias = allocate_output(shape, {}, bias->options());
  }

  LaunchOptions options = tile.options;
  if (!tile.is_long) {
    static const Kernel row("normalization/row_norm", "backward_row");
    options.grain = 1;
    launch(row, options, grid_1d(chunks), input, grad.tensor, grad_sum_tensor, x.tensor, dense_mean,
           dense_rstd, w, written(grad_input), written(weight_partial), written(bias_partial), rows,
           stride(n), rows_per_chunk, stride(grad.row_stride), stride(grad_sum_stride),
           stride(x.row_stride), stride(n), constant(acc), constant(center), constant(mask[0]),
           constant(backward_stages(input, tile.block)), constant(tile.block));
  } else {
    static const Kernel long_row("normalization/row_norm", "backward_input_long_row");
    static const Kernel columns("normalization/row_norm", "backward_weight_columns");
    if (mask[0])
      launch(long_row, options, grid_1d(rows), input, grad.tensor, grad_sum_tensor, x.tensor,
             dense_mean, dense_rstd, w, written(grad_input), rows, stride(n),
             stride(grad.row_stride), stride(grad_sum_stride), stride(x.row_stride), stride(n),
             constant(acc), constant(center), constant(streams(grad_input)), constant(tile.block));
    const int64_t column_block = on_cpu ? 256 : 128;
    Grid grid = grid_1d(ceil_div(n, column_block));
    grid.y = static_cast<int32_t>(chunks);
    options.num_warps = 4;
    options.grain = 1;
    if (mask[1] || mask[2])
      launch(columns, options, grid, input, grad.tensor, x.tensor, dense_mean, dense_rstd,
             written(weight_partial), written(bias_partial), rows, stride(n), rows_per_chunk,
             stride(grad.row_stride), stride(x.row_stride), constant(acc), constant(center),
             constant(on_cpu ? 1 : 16), constant(column_block));
  }
  if (mask[1] || mask[2]) combine(weight_partial, bias_partial, grad_weight, grad_bias, n, acc);
  return {std::move(grad_input), std::move(grad_weight), std::move(grad_bias)};
}

}  // namespace tilewise::ops::row_norm
