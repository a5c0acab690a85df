// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/sum.h>

#include <algorithm>
#include <array>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

// Longest row that one tile holds. On a CPU a tile longer than the registers goes through scratch
// memory, three passes over the row do not: at n = 4096 (AVX-512, f32) they take 2.6 ms for 1024
// rows and the tile 2.9 ms, at n = 768 both 0.18 ms. GPU: see softmax.cpp.
constexpr int64_t kLongestCpuRow = 2048;
constexpr int64_t kLongestGpuRow = 16384;
constexpr int64_t kCpuGrain = 8192;

using OptionalTensor = const std::optional<Tensor>&;

bool is_given(OptionalTensor tensor) { return tensor.has_value() && tensor->defined(); }

DType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

// 16-bit input with f32 parameters is the one mixture that PyTorch takes.
bool is_mixed(const Tensor& input, OptionalTensor weight, OptionalTensor bias) {
  return (is_given(weight) && weight->scalar_type() != input.scalar_type()) ||
         (is_given(bias) && bias->scalar_type() != input.scalar_type());
}

// PyTorch's own kernel has the errors for everything that this refuses.
const char* refuse_parameters(const Tensor& input, at::IntArrayRef shape, OptionalTensor weight,
                              OptionalTensor bias) {
  if (!input.is_floating_point()) return "layer_norm of a dtype that is not floating";
  if (input.numel() == 0) return "layer_norm of no elements";
  const auto rank = static_cast<size_t>(input.dim());
  if (shape.empty() || shape.size() > rank || input.sizes().slice(rank - shape.size()) != shape)
    return "layer_norm: shape does not fit the input";
  const bool mixed = is_mixed(input, weight, bias);
  const bool is_16_bit = input.scalar_type() == at::kHalf || input.scalar_type() == at::kBFloat16;
  for (const std::optional<Tensor>* parameter : {&weight, &bias}) {
    if (!is_given(*parameter)) continue;
    if ((*parameter)->sizes() != shape) return "layer_norm: shape does not fit a parameter";
    if (mixed && !(is_16_bit && (*parameter)->scalar_type() == at::kFloat))
      return "layer_norm: dtypes of input and parameters";
  }
  return nullptr;
}

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

Tile choose_tile(int64_t n, bool on_cpu) {
  Tile tile{};
  tile.is_long = n > (on_cpu ? kLongestCpuRow : kLongestGpuRow);
  tile.block = tile.is_long ? (on_cpu ? 256 : 4096) : std::max<int64_t>(next_power_of_2(n), 16);
  tile.rows = on_cpu || tile.is_long ? 1 : std::clamp<int64_t>(1024 / tile.block, 1, 16);
  tile.options.num_stages = 1;
  tile.options.num_warps = tile.block <= 1024 ? 4 : tile.block <= 8192 ? 8 : 16;
  tile.options.grain = std::max<int64_t>(1, kCpuGrain / n);
  return tile;
}

int64_t row_length(at::IntArrayRef shape) { return c10::multiply_integers(shape); }

struct LayerNorm : PlainOp {
  static const char* refuse(const Tensor& input, c10::SymIntArrayRef shape, OptionalTensor weight,
                            OptionalTensor bias, double) {
    return refuse_parameters(input, C10_AS_INTARRAYREF_SLOW(shape), weight, bias);
  }

  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& input, c10::SymIntArrayRef sym_shape,
                                                 OptionalTensor weight, OptionalTensor bias,
                                                 double eps) {
    static const Kernel row("normalization/layer_norm", "forward_row");
    static const Kernel long_row("normalization/layer_norm", "forward_long_row");
    const at::IntArrayRef shape = C10_AS_INTARRAYREF_SLOW(sym_shape);
    const auto normalized_dims = static_cast<int64_t>(shape.size());
    const int64_t n = row_length(shape);
    const int64_t rows = input.numel() / n;
    const Rows x(input, normalized_dims);
    const std::optional<Tensor> w = dense(weight);
    const std::optional<Tensor> b = dense(bias);

    Tensor out = allocate_output(input.sizes(), {}, input.options());
    c10::SmallVector<int64_t, 8> statistics_shape(input.sizes().begin(), input.sizes().end());
    std::fill(statistics_shape.end() - normalized_dims, statistics_shape.end(), 1);
    // On a GPU PyTorch keeps the statistics of 16-bit input in f32, on a CPU only for f32
    // parameters.
    const bool wide =
        input.scalar_type() != at::kDouble && (!input.is_cpu() || is_mixed(input, weight, bias));
    const auto statistics = input.options().dtype(wide ? at::kFloat : input.scalar_type());
    Tensor mean = allocate_output(statistics_shape, {}, statistics);
    Tensor rstd = allocate_output(statistics_shape, {}, statistics);

    const Tile tile = choose_tile(n, input.is_cpu());
    const DType acc = compute_type(input);
    const auto run = [&](const Kernel& kernel, int64_t programs, auto epsilon, auto... tile_sizes) {
      launch(kernel, tile.options, grid_1d(programs), x.tensor, x.tensor, w, b, written(out),
             written(mean), written(rstd), rows, stride(n), stride(x.row_stride), stride(n),
             epsilon, constant(acc), constant(w.has_value()), constant(b.has_value()),
             tile_sizes...);
    };
    const auto run_with = [&](auto epsilon) {
      if (tile.is_long)
        run(long_row, rows, epsilon, constant(tile.block));
      else
        run(row, ceil_div(rows, tile.rows), epsilon, constant(tile.rows), constant(tile.block));
    };
    if (acc == DType::fp64)
      run_with(fp64(eps));
    else
      run_with(eps);
    return {std::move(out), std::move(mean), std::move(rstd)};
  }
};
TILEWISE_OPERATOR(LayerNorm, "native_layer_norm");

// Adds up the partial sums [chunks, n] of a parameter's gradient.
Tensor combine(const Tensor& partial, const Tensor& parameter) {
  Tensor gradient = allocate_output(parameter.sizes(), {}, parameter.options());
  Tensor flat = gradient.view({partial.size(1)});
  at::sum_out(flat, partial, at::IntArrayRef{0}, false, parameter.scalar_type());
  return gradient;
}

struct LayerNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_out, const Tensor& input, c10::SymIntArrayRef shape,
                            const Tensor&, const Tensor&, OptionalTensor weight,
                            OptionalTensor bias, std::array<bool, 3> mask) {
    if (grad_out.sizes() != input.sizes() || grad_out.scalar_type() != input.scalar_type())
      return "layer_norm: gradient unlike the input";
    if ((mask[1] && !is_given(weight)) || (mask[2] && !is_given(bias)))
      return "layer_norm: gradient of an absent parameter";
    return refuse_parameters(input, C10_AS_INTARRAYREF_SLOW(shape), weight, bias);
  }

  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& grad_out, const Tensor& input,
                                                 c10::SymIntArrayRef sym_shape, const Tensor& mean,
                                                 const Tensor& rstd, OptionalTensor weight,
                                                 OptionalTensor bias, std::array<bool, 3> mask) {
    const at::IntArrayRef shape = C10_AS_INTARRAYREF_SLOW(sym_shape);
    const auto normalized_dims = static_cast<int64_t>(shape.size());
    const int64_t n = row_length(shape);
    const int64_t rows = input.numel() / n;
    const Rows x(input, normalized_dims);
    const Rows grad(grad_out, normalized_dims);
    const Tensor dense_mean = mean.contiguous();
    const Tensor dense_rstd = rstd.contiguous();
    const std::optional<Tensor> w = dense(weight);
    const bool on_cpu = input.is_cpu();
    const Tile tile = choose_tile(n, on_cpu);
    const DType acc = compute_type(input);

    Tensor grad_input, weight_partial, bias_partial;
    // Chunks are fixed by the sizes, not by the number of threads: the same sums on every run.
    const int64_t rows_per_chunk =
        on_cpu ? std::max<int64_t>(ceil_div(rows, 64), std::min<int64_t>(rows, ceil_div(4096, n)))
               : std::max<int64_t>(ceil_div(rows, 264), 1);
    const int64_t chunks = ceil_div(rows, rows_per_chunk);
    const auto partials = input.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat);
    if (mask[0]) grad_input = allocate_output(input.sizes(), {}, input.options());
    if (mask[1]) weight_partial = allocate_output({chunks, n}, {}, partials);
    if (mask[2]) bias_partial = allocate_output({chunks, n}, {}, partials);

    LaunchOptions options = tile.options;
    if (!tile.is_long) {
      static const Kernel row("normalization/layer_norm", "backward_row");
      options.grain = 1;
      launch(row, options, grid_1d(chunks), input, grad.tensor, x.tensor, dense_mean, dense_rstd, w,
             written(grad_input), written(weight_partial), written(bias_partial), rows, stride(n),
             rows_per_chunk, stride(grad.row_stride), stride(x.row_stride), stride(n),
             constant(acc), constant(w.has_value()), constant(mask[0]), constant(mask[1]),
             constant(mask[2]), constant(tile.block));
    } else {
      static const Kernel long_row("normalization/layer_norm", "backward_input_long_row");
      static const Kernel columns("normalization/layer_norm", "backward_weight_columns");
      if (mask[0])
        launch(long_row, options, grid_1d(rows), input, grad.tensor, x.tensor, dense_mean,
               dense_rstd, w, written(grad_input), rows, stride(n), stride(grad.row_stride),
               stride(x.row_stride), stride(n), constant(acc), constant(w.has_value()),
               constant(tile.block));
      const int64_t column_block = 128;
      Grid grid = grid_1d(ceil_div(n, column_block));
      grid.y = static_cast<int32_t>(chunks);
      options.num_warps = 4;
      options.grain = 1;
      if (mask[1] || mask[2])
        launch(columns, options, grid, input, grad.tensor, x.tensor, dense_mean, dense_rstd,
               written(weight_partial), written(bias_partial), rows, stride(n), rows_per_chunk,
               stride(grad.row_stride), stride(x.row_stride), constant(acc), constant(mask[1]),
               constant(mask[2]), constant(on_cpu ? 1 : 16), constant(column_block));
    }
    return {std::move(grad_input), mask[1] ? combine(weight_partial, *weight) : Tensor(),
            mask[2] ? combine(bias_partial, *bias) : Tensor()};
  }
};
TILEWISE_OPERATOR(LayerNormBackward, "native_layer_norm_backward");

}  // namespace
}  // namespace tilewise::ops
