// SPDX-License-Identifier: Apache-2.0
#include "ops/normalization/batch_norm_in_turns.h"

#include "ops/framework/turns.h"
#include "ops/normalization/computation.h"

namespace tilewise::ops::channel_norm {
namespace {

// Shapes of tiles, on an H100 and of bf16. Neighboring channels: a line of them, and as many rows
// that a thread has 256 bytes under way. Of 33 shapes for (8192, 8192) 256 rows are the fastest,
// 120 us, where 128 take 127 and fewer 131 or more. Where few channels have many rows, (65536,
// 512), 512 rows take 77 us and 256 take 83. Two readings took 163 and 94.
constexpr int64_t kLineBytes = 128;
constexpr int64_t kForwardRows = 256;
constexpr int64_t kManyRows = 32768;
// Two tensors: of 18 shapes 128 rows are the fastest for (8192, 8192), 200 us.
constexpr int64_t kBackwardRows = 128;
// Neighboring pixels: of 21 shapes for (16, 512, 64, 64) 65 to 67 us, where two readings take 73.
constexpr int64_t kPixelBytes = 32768;

struct TurnsTile {
  int64_t rows = 1, channels = 1;
  LaunchOptions options;
  std::optional<Turns> turns;

  static TurnsTile of_channels(const Tensor& x, const Extent& extent, int64_t rows,
                               int64_t tensors) {
    return TurnsTile(x, extent, rows, kLineBytes / x.element_size(), tensors);
  }
  static TurnsTile of_pixels(const Tensor& x, const Extent& extent) {
    return TurnsTile(x, extent, kPixelBytes / x.element_size(), 1, 1);
  }

 private:
  TurnsTile(const Tensor& x, const Extent& extent, int64_t tile_rows, int64_t tile_channels,
            int64_t tensors)
      : rows(tile_rows), channels(tile_channels) {
    options.num_warps = rows > kForwardRows ? 8 : 4;
    options.num_stages = 1;
    const int64_t all_rows = extent.images * extent.pixels;
    turns = find_turns(x, ceil_div(extent.channels, channels), ceil_div(all_rows, rows),
                       tensors * all_rows * channels * x.element_size());
  }
};

std::optional<TurnsTile> forward_tile(const Tensor& x, const Extent& extent, const View& x_view,
                                      const View& out_view) {
  if (extent.pixels == 1 && x_view.channel == 1 && out_view.channel == 1)
    return TurnsTile::of_channels(x, extent,
                                  extent.images >= kManyRows ? 2 * kForwardRows : kForwardRows, 1);
  // Loads are wide where 16 divides the pixels.
  if (extent.pixels % 16 == 0 && x_view.pixel == 1 && out_view.pixel == 1)
    return TurnsTile::of_pixels(x, extent);
  return std::nullopt;
}

Tensor partial_buffer(const Tensor& like, const TurnsTile& tile) {
  return statistics_buffer(like, {tile.turns->groups, tile.turns->chunks, 2, tile.channels});
}

}  // namespace

bool normalize_in_turns(const Tensor& x, const Extent& extent, const View& x_view,
                        const Parameters& parameters, const Tensor& out, const View& out_view,
                        const Tensor& save_mean, const Tensor& save_rstd) {
  static const Kernel kernel("normalization/batch_norm_in_turns", "normalize");
  if (x.is_cpu()) return false;
  const auto tile = forward_tile(x, extent, x_view, out_view);
  if (!tile || !tile->turns) return false;
  const Turns& turns = *tile->turns;
  const Tensor mean = statistics_buffer(x, {extent.channels});
  const Tensor rstd = statistics_buffer(x, {extent.channels});
  const int64_t rows = extent.images * extent.pixels;
  const double count = static_cast<double>(rows), unbias = count / (count - 1.0);
  const DType acc = compute_type(x);
  with_number_type(acc, [&](auto number) {
    launch(kernel, tile->options, turns.grid(), x, x, parameters.weight, parameters.bias,
           written(partial_buffer(x, *tile)), written(mean), written(rstd),
           written(turns.counters(x)), written(save_mean), written(save_rstd),
           written(parameters.running_mean), written(parameters.running_var), written(out),
           stride(extent.channels), stride(rows), stride(extent.pixels), turns.chunks, turns.delay,
           stride(x_view.image), stride(x_view.channel), stride(x_view.pixel),
           stride(out_view.image), stride(out_view.channel), stride(out_view.pixel),
           number(parameters.momentum), number(unbias), number(parameters.eps), constant(acc),
           constant(tile->rows), constant(tile->channels));
  });
  return true;
}

bool gradients_in_turns(const Tensor& grad, const View& grad_view, const Tensor& x,
                        const Extent& extent, const View& x_view, const Tensor& weight,
                        const Tensor& mean, const Tensor& rstd, const Gradients& gradients,
                        const View& out_view) {
  static const Kernel kernel("normalization/batch_norm_in_turns", "backward_input");
  // Images, whose channels are short, gain nothing: 97 us of (16, 512, 64, 64), as with two
  // readings.
  const bool side_by_side =
      extent.pixels == 1 && x_view.channel == 1 && grad_view.channel == 1 && out_view.channel == 1;
  if (x.is_cpu() || !side_by_side) return false;
  const auto tile = TurnsTile::of_channels(x, extent, kBackwardRows, 2);
  if (!tile.turns) return false;
  const Turns& turns = *tile.turns;
  launch(kernel, tile.options, turns.grid(), x, grad, x, weight, mean, rstd,
         written(partial_buffer(x, tile)), written(statistics_buffer(x, {2, extent.channels})),
         written(turns.counters(x)), written(gradients.weight), written(gradients.bias),
         written(gradients.input), stride(extent.channels), stride(extent.images * extent.pixels),
         stride(extent.pixels), turns.chunks, turns.delay, stride(grad_view.image),
         stride(grad_view.channel), stride(grad_view.pixel), stride(x_view.image),
         stride(x_view.channel), stride(x_view.pixel), stride(out_view.image),
         stride(out_view.channel), stride(out_view.pixel), constant(compute_type(x)),
         constant(tile.rows), constant(tile.channels));
  return true;
}

}  // namespace tilewise::ops::channel_norm
