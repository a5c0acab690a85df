// SPDX-License-Identifier: Apache-2.0
#include "ops/normalization/batch_norm_in_turns.h"

#include "ops/framework/output.h"
#include "ops/framework/turns.h"

namespace tilewise::ops::channel_norm {
namespace {

constexpr int64_t kLineBytes = 128;
constexpr int64_t kForwardRows = 128;
constexpr int64_t kBackwardRows = 128;

struct TurnsTile {
  TurnsTile(const NeighboringChannels& x, int64_t tile_rows, int64_t tensors)
      : rows(tile_rows), channels(kLineBytes / x.tensor.element_size()) {
    options.num_warps = 4;
    options.num_stages = 1;
    turns = find_turns(x.tensor, ceil_div(x.channels, channels), ceil_div(x.rows, rows),
                       tensors * x.rows * kLineBytes);
  }
  int64_t rows, channels;
  LaunchOptions options;
  std::optional<Turns> turns;
};

Tensor buffer(const Tensor& like, at::IntArrayRef sizes) {
  const bool is_wide = like.scalar_type() == at::kDouble;
  return allocate_output(sizes, {}, like.options().dtype(is_wide ? at::kDouble : at::kFloat));
}

}  // namespace

bool normalize_in_turns(const NeighboringChannels& x, const Parameters& parameters,
                        const Tensor& out, int64_t out_stride, const Tensor& save_mean,
                        const Tensor& save_rstd) {
  static const Kernel kernel("normalization/batch_norm_in_turns", "normalize");
  const TurnsTile tile(x, kForwardRows, 1);
  if (!tile.turns) return false;
  const Tensor partial =
      buffer(x.tensor, {tile.turns->groups, tile.turns->chunks, 2, tile.channels});
  const Tensor mean = buffer(x.tensor, {x.channels}), rstd = buffer(x.tensor, {x.channels});
  const double count = static_cast<double>(x.rows), unbias = count / (count - 1.0);
  const auto run = [&](auto number, DType acc) {
    launch(kernel, tile.options, tile.turns->grid(), x.tensor, x.tensor, parameters.weight,
           parameters.bias, written(partial), written(mean), written(rstd),
           written(tile.turns->counters(x.tensor)), written(save_mean), written(save_rstd),
           written(parameters.running_mean), written(parameters.running_var), written(out),
           stride(x.channels), x.rows, tile.turns->chunks, tile.turns->delay, stride(x.stride),
           stride(out_stride), number(parameters.momentum), number(unbias), number(parameters.eps),
           constant(acc), constant(tile.rows), constant(tile.channels));
  };
  if (x.tensor.scalar_type() == at::kDouble)
    run([](double value) { return fp64(value); }, DType::fp64);
  else
    run([](double value) { return value; }, DType::fp32);
  return true;
}

bool gradients_in_turns(const Tensor& grad, int64_t grad_stride, const NeighboringChannels& x,
                        const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                        const Gradients& gradients, int64_t out_stride) {
  static const Kernel kernel("normalization/batch_norm_in_turns", "backward_input");
  const TurnsTile tile(x, kBackwardRows, 2);
  if (!tile.turns) return false;
  const Tensor partial =
      buffer(x.tensor, {tile.turns->groups, tile.turns->chunks, 2, tile.channels});
  const Tensor sums = buffer(x.tensor, {2, x.channels});
  launch(kernel, tile.options, tile.turns->grid(), x.tensor, grad, x.tensor, weight, mean, rstd,
         written(partial), written(sums), written(tile.turns->counters(x.tensor)),
         written(gradients.weight), written(gradients.bias), written(gradients.input),
         stride(x.channels), x.rows, tile.turns->chunks, tile.turns->delay, stride(grad_stride),
         stride(x.stride), stride(out_stride),
         constant(x.tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32),
         constant(tile.rows), constant(tile.channels));
  return true;
}

}  // namespace tilewise::ops::channel_norm
