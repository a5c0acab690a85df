// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/turns.h"
#include "ops/normalization/computation.h"

namespace tilewise::ops {
namespace {

using OptionalTensor = const std::optional<Tensor>&;

// As in channel_norm.cpp: programs that keep a machine busy, elements that are worth one.
constexpr int64_t kGpuPrograms = 264;
constexpr int64_t kCpuPrograms = 16;
constexpr int64_t kSmallestChunk = 8192;
constexpr int64_t kTile = 16384;
constexpr int64_t kCpuPixels = 128;
// GPU, groups of 16-bit numbers beyond one tile: up to eight tiles of 16 warps, of which five stay
// in registers as they were loaded, 40 of a thread's 128 (six spill). (16, 512, 64, 64) in 32
// groups takes 55 to 57 us on an H100, where a copy takes 50 and reading twice 63.
constexpr int64_t kHeldTile = 8192;
constexpr int64_t kMostTiles = 8;
constexpr int64_t kHeldTiles = 5;
// GPU, gradients: all channels of a group in a tile, and one sum over its threads instead of one
// for every four channels. The same images: 105 us, with tiles of whole channels 122.
constexpr int64_t kGradientChannels = 16;

bool is_given(OptionalTensor tensor) { return tensor.has_value() && tensor->defined(); }

Tensor dense(OptionalTensor tensor) { return is_given(tensor) ? tensor->contiguous() : Tensor(); }

bool is_16_bit(const Tensor& tensor) {
  return tensor.scalar_type() == at::kHalf || tensor.scalar_type() == at::kBFloat16;
}

// Only the CPU's kernel takes NHWC.
at::MemoryFormat format_of(const Tensor& input) {
  return input.is_cpu() ? input.suggest_memory_format() : at::MemoryFormat::Contiguous;
}

const char* refuse_input(const Tensor& input, int64_t images, int64_t channels, int64_t pixels,
                         int64_t groups, std::initializer_list<const std::optional<Tensor>*> list) {
  if (!input.is_floating_point()) return "group_norm of a dtype that is not floating";
  if (input.numel() == 0 || images * channels * pixels != input.numel())
    return "group_norm of no elements, or of another number";
  if (input.dim() < 2 || input.size(0) != images || input.size(1) != channels)
    return "group_norm of another shape";
  if (groups <= 0 || channels % groups != 0) return "group_norm: channels do not divide";
  if (!input.is_contiguous(format_of(input))) return "group_norm of a strided view";
  int matching = 0;
  int wide = 0;
  for (const std::optional<Tensor>* parameter : list) {
    if (!is_given(*parameter)) continue;
    if ((*parameter)->dim() != 1 || (*parameter)->numel() != channels)
      return "group_norm: parameter of another shape";
    if ((*parameter)->scalar_type() == input.scalar_type())
      ++matching;
    else if (input.is_cpu() && is_16_bit(input) && (*parameter)->scalar_type() == at::kFloat)
      ++wide;
    else
      return "group_norm: dtypes of input and parameters";
  }
  return matching > 0 && wide > 0 ? "group_norm: dtypes of the parameters differ" : nullptr;
}

struct Plan {
  Plan(const Tensor& input, int64_t images_, int64_t channels_, int64_t pixels_, int64_t groups_,
       bool is_backward)
      : images(images_), channels(channels_), pixels(pixels_), groups(groups_) {
    const bool on_cpu = input.is_cpu();
    depth = channels / groups;
    stride_image = channels * pixels;
    const bool channels_are_neighbors = !input.is_contiguous() && pixels > 1;
    axis = channels_are_neighbors ? 1 : 0;
    stride_channel = channels_are_neighbors ? 1 : pixels;
    stride_pixel = channels_are_neighbors ? channels : 1;
    if (channels_are_neighbors) {
      tile_channels = std::clamp<int64_t>(next_power_of_2(depth), 16, 64);
      tile_pixels = on_cpu ? 1 : kTile / tile_channels;
    } else {
      tile_pixels = std::clamp<int64_t>(next_power_of_2(pixels), 16, on_cpu ? kCpuPixels : kTile);
      tile_channels = on_cpu ? 1 : std::min(next_power_of_2(depth), kTile / tile_pixels);
    }
    const int64_t rows = images * groups;
    if (const int64_t height = std::min(next_power_of_2(depth), kGradientChannels);
        is_backward && !on_cpu && rows >= kGpuPrograms && tile_channels < height) {
      tile_channels = height;
      tile_pixels = std::min(tile_pixels, kTile / tile_channels);
    }
    const int64_t wanted = std::max<int64_t>(
        1,
        std::min((on_cpu ? kCpuPrograms : kGpuPrograms) / rows, depth * pixels / kSmallestChunk));
    const int64_t channel_chunks = std::min(wanted, ceil_div(depth, tile_channels));
    channels_per_chunk = ceil_div(ceil_div(depth, channel_chunks), tile_channels) * tile_channels;
    pixels_per_chunk =
        ceil_div(ceil_div(pixels, ceil_div(wanted, channel_chunks)), tile_pixels) * tile_pixels;
    chunks = ceil_div(depth, channels_per_chunk) * ceil_div(pixels, pixels_per_chunk);
    grid = grid_1d(rows);
    grid.y = static_cast<int32_t>(chunks);
    tile_holds_group = !on_cpu && chunks == 1 && tile_channels >= depth && tile_pixels >= pixels;
    // 16 elements a thread; one warp has a short group. 32 where images are read again: (16, 512,
    // 64, 64) in bf16 takes 63 us on an H100, with 16 or 64 elements 67 and 76.
    const int64_t tile = tile_channels * tile_pixels;
    options.num_warps =
        static_cast<int>(tile_holds_group         ? std::clamp<int64_t>(tile / 512, 1, 32)
                         : channels_are_neighbors ? std::clamp<int64_t>(tile / 512, 4, 32)
                                                  : std::clamp<int64_t>(tile / 1024, 4, 32));
    if (!on_cpu && !is_backward && chunks == 1 && !tile_holds_group && is_16_bit(input)) {
      const int64_t width = std::max<int64_t>(next_power_of_2(pixels), 16);
      const int64_t height = std::max<int64_t>(kHeldTile / width, 1);
      if (width <= kHeldTile && ceil_div(depth, height) <= kMostTiles) {
        tiles = ceil_div(depth, height);
        tile_channels = height;
        tile_pixels = width;
        options.num_warps = 16;
      }
    }
    options.num_stages = 1;
    options.grain = std::max<int64_t>(1, kSmallestChunk / (depth * pixels));
  }
  int64_t images, channels, pixels, groups, depth;
  int64_t axis;  // the tile's axis of channels
  int64_t stride_image, stride_channel, stride_pixel;
  int64_t tile_channels, tile_pixels;
  int64_t channels_per_chunk, pixels_per_chunk, chunks;
  bool tile_holds_group;
  int64_t tiles = 0;  // of a group, where registers hold most of them
  Grid grid;
  LaunchOptions options;
};

void normalize(const Tensor& input, const Tensor& weight, const Tensor& bias, const Plan& plan,
               const Tensor& out, const Tensor& mean, const Tensor& rstd, auto eps) {
  static const Kernel moments("normalization/group_norm", "moments");
  static const Kernel combine("normalization/batch_norm", "combine_moments");
  static const Kernel kernel("normalization/group_norm", "normalize");
  static const Kernel held("normalization/group_norm", "normalize_held");
  const auto acc = constant(compute_type(input));
  if (plan.tiles > 0)
    return launch(held, plan.options, plan.grid, input, input, weight, bias, written(mean),
                  written(rstd), written(out), plan.groups, plan.depth, stride(plan.pixels),
                  stride(plan.stride_image), stride(plan.stride_channel), stride(plan.stride_pixel),
                  eps, acc, constant(plan.tiles), constant(std::min(plan.tiles, kHeldTiles)),
                  constant(plan.tile_channels), constant(plan.tile_pixels));
  const Tensor none;
  Tensor combined_mean, combined_rstd;
  const int64_t rows = plan.images * plan.groups;
  if (plan.chunks > 1) {
    const Tensor partial = statistics_buffer(input, {2, plan.chunks, rows});
    launch(moments, plan.options, plan.grid, input, input, written(partial), plan.groups,
           plan.depth, stride(plan.pixels), plan.channels_per_chunk, stride(plan.pixels_per_chunk),
           stride(plan.stride_image), stride(plan.stride_channel), stride(plan.stride_pixel), acc,
           constant(plan.axis), constant(plan.tile_channels), constant(plan.tile_pixels));
    combined_mean = statistics_buffer(input, {rows});
    combined_rstd = statistics_buffer(input, {rows});
    LaunchOptions options;
    options.num_stages = 1;
    const int64_t block = 32;
    launch(combine, options, grid_1d(ceil_div(rows, block)), input, partial, written(combined_mean),
           written(combined_rstd), written(mean), written(rstd), none, none, rows, plan.chunks,
           plan.depth, plan.pixels, plan.channels_per_chunk, plan.pixels_per_chunk, eps, eps, eps,
           acc, constant(input.is_cpu() ? 1 : 32), constant(block));
  }
  launch(kernel, plan.options, plan.grid, input, input, weight, bias, combined_mean, combined_rstd,
         written(plan.chunks > 1 ? none : mean), written(plan.chunks > 1 ? none : rstd),
         written(out), plan.groups, plan.depth, stride(plan.pixels), plan.channels_per_chunk,
         stride(plan.pixels_per_chunk), stride(plan.stride_image), stride(plan.stride_channel),
         stride(plan.stride_pixel), eps, acc, constant(plan.tile_holds_group), constant(plan.axis),
         constant(plan.tile_channels), constant(plan.tile_pixels));
}

struct GroupNorm : PlainOp {
  static const char* refuse(const Tensor& input, OptionalTensor weight, OptionalTensor bias,
                            int64_t images, int64_t channels, int64_t pixels, int64_t groups,
                            double) {
    return refuse_input(input, images, channels, pixels, groups, {&weight, &bias});
  }
  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& input, OptionalTensor weight,
                                                 OptionalTensor bias, int64_t images,
                                                 int64_t channels, int64_t pixels, int64_t groups,
                                                 double eps) {
    const Plan plan(input, images, channels, pixels, groups, false);
    const Tensor w = dense(weight);
    const Tensor b = dense(bias);
    const bool wide = (w.defined() && w.scalar_type() != input.scalar_type()) ||
                      (b.defined() && b.scalar_type() != input.scalar_type());
    Tensor out =
        allocate_output(input.sizes(), {}, input.options().memory_format(format_of(input)));
    const auto options = input.options().dtype(wide ? at::kFloat : input.scalar_type());
    Tensor mean = allocate_output({images, groups}, {}, options);
    Tensor rstd = allocate_output({images, groups}, {}, options);
    if (compute_type(input) == DType::fp64)
      normalize(input, w, b, plan, out, mean, rstd, fp64(eps));
    else
      normalize(input, w, b, plan, out, mean, rstd, eps);
    return {std::move(out), std::move(mean), std::move(rstd)};
  }
};
TILEWISE_OPERATOR(GroupNorm, "native_group_norm");

// The gradient of the input and the sums that those of the parameters need, in one launch that
// reads memory once. False if it was no case for it: CPUs, small tensors, large images. (16, 512,
// 64, 64) in bf16 takes 89 us on an H100 with two channels a program, 90 with one, and 125 where a
// program has a whole group.
bool input_gradient_in_turns(const Tensor& grad, const Tensor& input, const Tensor& weight,
                             const Tensor& mean, const Tensor& rstd, const Plan& plan,
                             const Tensor& sums, const Tensor& grad_input) {
  static const Kernel kernel("normalization/group_norm_in_turns", "backward_input");
  constexpr int64_t kChunkBytes = 16384;
  const int64_t most = kChunkBytes / input.element_size();
  const int64_t tile_pixels = std::max<int64_t>(next_power_of_2(plan.pixels), 16);
  if (input.is_cpu() || plan.axis != 0 || tile_pixels > most) return false;
  const int64_t rows = plan.images * plan.groups;
  const int64_t tile_channels = std::min(most / tile_pixels, next_power_of_2(plan.depth));
  const auto turns = find_turns(input, rows, ceil_div(plan.depth, tile_channels),
                                2 * plan.depth * plan.pixels * input.element_size());
  if (!turns) return false;
  const Tensor means = statistics_buffer(input, {rows, 2});
  LaunchOptions options;
  options.num_warps = 4;
  options.num_stages = 1;
  launch(kernel, options, turns->grid(), input, grad, input, weight, mean, rstd, written(sums),
         written(means), written(turns->counters(input)), written(grad_input), rows, plan.groups,
         plan.depth, stride(plan.pixels), turns->chunks, turns->delay,
         stride(plan.depth * plan.stride_channel), stride(plan.stride_channel),
         constant(compute_type(input)), constant(tile_channels), constant(tile_pixels));
  return true;
}

struct GroupNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_out, const Tensor& input, const Tensor& mean,
                            const Tensor& rstd, OptionalTensor weight, int64_t images,
                            int64_t channels, int64_t pixels, int64_t groups,
                            std::array<bool, 3> mask) {
    if (grad_out.sizes() != input.sizes() || grad_out.scalar_type() != input.scalar_type())
      return "group_norm: gradient unlike the input";
    if (mean.numel() != images * groups || rstd.numel() != images * groups)
      return "group_norm: statistics of another shape";
    if ((mask[1] || mask[2]) && !is_given(weight))
      return "group_norm: gradient of an absent parameter";
    return refuse_input(input, images, channels, pixels, groups, {&weight});
  }
  static std::tuple<Tensor, Tensor, Tensor> call(const Tensor& grad_out, const Tensor& input,
                                                 const Tensor& mean, const Tensor& rstd,
                                                 OptionalTensor weight, int64_t images,
                                                 int64_t channels, int64_t pixels, int64_t groups,
                                                 std::array<bool, 3> mask) {
    static const Kernel channel_sums("normalization/group_norm", "channel_sums");
    static const Kernel backward_input("normalization/group_norm", "backward_input");
    static const Kernel parameters("normalization/group_norm", "backward_parameters");
    const Plan plan(input, images, channels, pixels, groups, true);
    const Tensor grad = grad_out.contiguous(format_of(input));
    const Tensor w = dense(weight);
    const Tensor dense_mean = mean.contiguous();
    const Tensor dense_rstd = rstd.contiguous();
    const auto acc = constant(compute_type(input));
    const Tensor sums = statistics_buffer(input, {2, images, channels});
    Tensor grad_input, grad_weight, grad_bias;
    if (mask[0])
      grad_input =
          allocate_output(input.sizes(), {}, input.options().memory_format(format_of(input)));
    const bool takes_turns = mask[0] && input_gradient_in_turns(grad, input, w, dense_mean,
                                                                dense_rstd, plan, sums, grad_input);
    const bool finds_sums = mask[0] && plan.chunks == 1;
    if (!finds_sums && !takes_turns) {
      Grid grid = grid_1d(images * groups);
      grid.y = static_cast<int32_t>(ceil_div(plan.depth, plan.tile_channels));
      launch(channel_sums, plan.options, grid, input, grad, input, dense_mean, written(sums),
             groups, plan.depth, stride(pixels), stride(plan.stride_image),
             stride(plan.stride_channel), stride(plan.stride_pixel), acc, constant(plan.axis),
             constant(plan.tile_channels), constant(plan.tile_pixels));
    }
    if (mask[0] && !takes_turns) {
      launch(backward_input, plan.options, plan.grid, input, grad, input, w, dense_mean, dense_rstd,
             written(sums), written(grad_input), groups, plan.depth, stride(pixels),
             plan.channels_per_chunk, stride(plan.pixels_per_chunk), stride(plan.stride_image),
             stride(plan.stride_channel), stride(plan.stride_pixel), acc, constant(finds_sums),
             constant(plan.axis), constant(plan.tile_channels), constant(plan.tile_pixels));
    }
    if (mask[1]) grad_weight = allocate_output(w.sizes(), {}, w.options());
    if (mask[2]) grad_bias = allocate_output(w.sizes(), {}, w.options());
    if (mask[1] || mask[2]) {
      LaunchOptions options;
      options.num_stages = 1;
      const int64_t block = input.is_cpu() ? 256 : 64;
      launch(parameters, options, grid_1d(ceil_div(channels, block)), input, sums, dense_rstd,
             written(grad_weight), written(grad_bias), images, channels, groups, plan.depth, acc,
             constant(input.is_cpu() ? 1 : 16), constant(block));
    }
    return {std::move(grad_input), std::move(grad_weight), std::move(grad_bias)};
  }
};
TILEWISE_OPERATOR(GroupNormBackward, "native_group_norm_backward");

}  // namespace
}  // namespace tilewise::ops
