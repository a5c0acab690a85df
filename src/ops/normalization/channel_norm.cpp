// SPDX-License-Identifier: Apache-2.0
#include "ops/normalization/channel_norm.h"

#include <algorithm>

#include "dispatch/refusal.h"
#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/normalization/batch_norm_in_turns.h"
#include "ops/normalization/computation.h"

namespace tilewise::ops::channel_norm {
namespace {

// Programs that keep a GPU busy, and elements that are worth a program of their own. Of an outer
// layout eight for each of an H100's 132 processors; of an inner one two large ones, whose channels
// (128 KiB each, say) together stay in the 50 MiB of L2 cache for the second reading.
constexpr int64_t kGpuOuterPrograms = 1056;
constexpr int64_t kGpuInnerPrograms = 264;
constexpr int64_t kCpuPrograms = 16;
constexpr int64_t kSmallestChunk = 8192;
// Elements, GPU: 16 a thread of 4 warps. Batch norm of (8192, 8192) bf16 on an H100, both readings:
// tiles of 32 rows and 64 channels, 155 us; of 32 and 128 with 8 warps, 173 us.
constexpr int64_t kOuterTile = 2048;
constexpr int64_t kInnerTile = 16384;  // the same, at 32 warps
// CPU: tiles of one image or of few rows. 1024 x 4096 f32 (2 cores, AVX-512) takes 0.80 ms in
// training with tiles of [1, 256] and 1.27 ms with [2, 256]; images are fastest with 128 pixels.
constexpr int64_t kCpuPixels = 128;
constexpr int64_t kCpuChannels = 256;
constexpr int64_t kCpuLongestChain = 1024;  // additions of one lane, which bound a sum's error

std::optional<View> find_view(const Tensor& tensor) {
  if (tensor.dim() == 2) return View{tensor.stride(0), tensor.stride(1), 1};
  Dimensions pixels;
  for (int64_t i = 2; i < tensor.dim(); ++i) pixels.add(tensor.size(i), {tensor.stride(i)});
  const auto pair = pixels.collapse_in_order();
  if (!pair || pair->outer > 1) return std::nullopt;
  return View{tensor.stride(0), tensor.stride(1), pair->inner > 1 ? pair->inner_stride[0] : 1};
}

// Which way a tile lies, how the work is cut up.
struct Plan {
  int64_t images = 1, channels = 1, pixels = 1;
  bool outer = false;  // channels are neighbors; images * pixels are rows
  int64_t images_per_chunk = 1, pixels_per_chunk = 1;  // outer: rows as images, one pixel
  int64_t chunks = 1;
  int64_t tile_images = 1, tile_pixels = 1;  // outer: rows and channels of a tile
  Grid grid;
  LaunchOptions options;

  int64_t rows() const { return images * pixels; }
  Extent extent() const {
    return outer ? Extent{rows(), channels, 1} : Extent{images, channels, pixels};
  }
  double count() const { return static_cast<double>(rows()); }
};

// The stride between rows of an outer layout, if there is one.
std::optional<int64_t> row_stride(const Plan& plan, const View& view) {
  if (plan.pixels == 1) return view.image;
  if (plan.images == 1 || view.image == plan.pixels * view.pixel) return view.pixel;
  return std::nullopt;
}

bool fits(const Plan& plan, const std::optional<View>& view) {
  return view.has_value() && (!plan.outer || row_stride(plan, *view).has_value());
}

// `tensor` in a form that the plan's kernels can walk through, and its strides.
struct Operand {
  Operand(const Tensor& source, const Plan& plan, const Tensor& like) : tensor(source) {
    std::optional<View> found = find_view(tensor);
    if (!fits(plan, found)) {
      tensor = source.contiguous(like.suggest_memory_format());
      found = find_view(tensor);
      if (!fits(plan, found)) throw dispatch::Refusal{"norm: strides of the gradient"};
    }
    view = *found;
    if (plan.outer) view.image = *row_stride(plan, view);
  }
  Tensor tensor;
  View view;
};

Plan make_plan(const Tensor& input, const View& view) {
  Plan plan;
  plan.images = input.size(0);
  plan.channels = input.size(1);
  plan.pixels = input.numel() / (plan.images * plan.channels);
  plan.outer = plan.pixels == 1 || (view.channel == 1 && view.pixel != 1);
  const bool on_cpu = input.is_cpu();
  const int64_t programs = on_cpu       ? kCpuPrograms
                           : plan.outer ? kGpuOuterPrograms
                                        : kGpuInnerPrograms;
  int64_t channel_programs;
  if (plan.outer) {
    const int64_t widest = on_cpu ? kCpuChannels : 64;
    plan.tile_pixels = std::clamp<int64_t>(next_power_of_2(plan.channels), 16, widest);
    plan.tile_images = (on_cpu ? kCpuChannels : kOuterTile) / plan.tile_pixels;
    channel_programs = ceil_div(plan.channels, plan.tile_pixels);
    const int64_t elements = plan.rows() * plan.tile_pixels;
    const int64_t wanted = std::min(programs / channel_programs, elements / kSmallestChunk);
    plan.images_per_chunk = ceil_div(plan.rows(), std::max<int64_t>(1, wanted));
    if (on_cpu)
      plan.images_per_chunk = std::min(plan.images_per_chunk, kCpuLongestChain * plan.tile_images);
    plan.chunks = ceil_div(plan.rows(), plan.images_per_chunk);
  } else {
    plan.tile_pixels =
        std::clamp<int64_t>(next_power_of_2(plan.pixels), 16, on_cpu ? kCpuPixels : kInnerTile);
    plan.tile_images =
        on_cpu ? 1 : std::min(next_power_of_2(plan.images), kInnerTile / plan.tile_pixels);
    channel_programs = plan.channels;
    const int64_t wanted =
        std::max<int64_t>(1, std::min(programs / channel_programs, plan.rows() / kSmallestChunk));
    const int64_t image_chunks = std::min(wanted, plan.images);
    plan.images_per_chunk = ceil_div(plan.images, image_chunks);
    const int64_t pixel_chunks = ceil_div(wanted, image_chunks);
    plan.pixels_per_chunk =
        ceil_div(ceil_div(plan.pixels, pixel_chunks), plan.tile_pixels) * plan.tile_pixels;
    plan.chunks =
        ceil_div(plan.images, plan.images_per_chunk) * ceil_div(plan.pixels, plan.pixels_per_chunk);
  }
  plan.grid = grid_1d(channel_programs);
  plan.grid.y = static_cast<int32_t>(plan.chunks);
  const int64_t warps = plan.tile_images * plan.tile_pixels / 512;
  plan.options.num_warps = static_cast<int>(std::clamp<int64_t>(warps, 4, 32));
  plan.options.num_stages = 1;
  plan.options.grain = std::max<int64_t>(1, kSmallestChunk * channel_programs / input.numel());
  return plan;
}

// CPU: where nothing is summed, tiles need not fit registers. Longer pieces of rows, which the
// chip's prefetching follows: inference of (1024, 4096) f32 takes 1.4 ms with 256 channels.
Plan with_long_rows(Plan plan) {
  plan.tile_pixels = std::clamp<int64_t>(next_power_of_2(plan.channels), 16, 1024);
  plan.tile_images = 1024 / plan.tile_pixels;
  const int64_t channel_programs = ceil_div(plan.channels, plan.tile_pixels);
  const int64_t elements = plan.rows() * std::min(plan.tile_pixels, plan.channels);
  const int64_t chunks = std::clamp<int64_t>(elements / kSmallestChunk, 1, kCpuPrograms);
  plan.images_per_chunk = ceil_div(plan.rows(), chunks);
  plan.grid = grid_1d(channel_programs);
  plan.grid.y = static_cast<int32_t>(ceil_div(plan.rows(), plan.images_per_chunk));
  plan.options.grain = std::max<int64_t>(
      1, kSmallestChunk * channel_programs * plan.grid.y / (plan.rows() * plan.channels));
  return plan;
}

// The input as the kernels see it; copied where its strides are of no use, as ATen does.
struct Input {
  explicit Input(const Tensor& source) : tensor(source) {
    std::optional<View> found = find_view(tensor);
    if (found) plan = make_plan(tensor, *found);
    if (!fits(plan, found)) {
      tensor = source.contiguous(source.suggest_memory_format());
      found = find_view(tensor);
      plan = make_plan(tensor, *found);
    }
    view = *found;
    if (plan.outer) view.image = row_stride(plan, view).value();
  }
  Tensor tensor;
  View view{};
  Plan plan;
};

// Tile of the launch that combines the chunks' partials: on a GPU all of them at once, up to 256,
// instead of one wait for memory after the other.
struct CombinedTile {
  CombinedTile(int64_t count, bool on_cpu)
      : chunks(on_cpu ? 1 : std::clamp<int64_t>(next_power_of_2(count), 32, 256)),
        channels(on_cpu ? 32 : std::min<int64_t>(2048 / chunks, 32)) {}
  int64_t chunks, channels;
};

constexpr int64_t kHoldingTile = 3;  // the kernel's STATISTICS: found from a tile that has them all

}  // namespace

void forward(const Tensor& input, const Parameters& parameters, Statistics statistics,
             const Tensor& out, const Tensor& save_mean, const Tensor& save_rstd) {
  static const Kernel moments_inner("normalization/batch_norm", "moments_inner");
  static const Kernel moments_outer("normalization/batch_norm", "moments_outer");
  static const Kernel combine("normalization/batch_norm", "combine_moments");
  static const Kernel normalize_inner("normalization/batch_norm", "normalize_inner");
  static const Kernel normalize_outer("normalization/batch_norm", "normalize_outer");
  const Input x(input);
  const Plan& plan = x.plan;
  const std::optional<View> out_view = find_view(out);
  if (!fits(plan, out_view)) throw dispatch::Refusal{"norm: strides of the output"};
  if (statistics == Statistics::batch &&
      normalize_in_turns(
          x.tensor, plan.extent(), x.view, parameters, out,
          plan.outer ? View{row_stride(plan, *out_view).value(), out_view->channel, 1} : *out_view,
          save_mean, save_rstd))
    return;
  const DType acc = compute_type(input);
  const double unbias = plan.count() / (plan.count() - 1.0);

  Tensor mean = parameters.running_mean;
  Tensor rstd = parameters.running_var;
  bool in_one_launch = true;
  if (statistics == Statistics::batch && plan.chunks > 1) {
    in_one_launch = false;
    const Tensor partial = statistics_buffer(input, {2, plan.chunks, plan.channels});
    if (plan.outer)
      launch(moments_outer, plan.options, plan.grid, input, x.tensor, written(partial),
             stride(plan.channels), plan.rows(), plan.images_per_chunk, stride(x.view.image),
             stride(x.view.channel), constant(acc), constant(plan.tile_images),
             constant(plan.tile_pixels));
    else
      launch(moments_inner, plan.options, plan.grid, input, x.tensor, written(partial),
             plan.channels, plan.images, stride(plan.pixels), plan.images_per_chunk,
             stride(plan.pixels_per_chunk), stride(x.view.image), stride(x.view.channel),
             stride(x.view.pixel), constant(acc), constant(plan.tile_images),
             constant(plan.tile_pixels));
    mean = statistics_buffer(input, {plan.channels});
    rstd = statistics_buffer(input, {plan.channels});
    LaunchOptions options;
    options.num_stages = 1;
    const CombinedTile tile(plan.chunks, input.is_cpu());
    with_number_type(acc, [&](auto number) {
      launch(combine, options, grid_1d(ceil_div(plan.channels, tile.channels)), input, partial,
             written(mean), written(rstd), written(save_mean), written(save_rstd),
             written(parameters.running_mean), written(parameters.running_var), plan.channels,
             plan.chunks, plan.outer ? plan.rows() : plan.images, plan.outer ? 1 : plan.pixels,
             plan.images_per_chunk, plan.outer ? 1 : plan.pixels_per_chunk,
             number(parameters.momentum), number(unbias), number(parameters.eps), constant(acc),
             constant(tile.chunks), constant(tile.channels));
    });
  }
  const Statistics source = in_one_launch ? statistics : Statistics::given;
  // The statistics are written once: by the combining launch, if there is one.
  const bool finds = source == Statistics::batch;
  const bool saves = finds || statistics == Statistics::variance;
  const bool holds = finds && !plan.outer && !input.is_cpu() && plan.tile_images >= plan.images &&
                     plan.tile_pixels >= plan.pixels;
  const Tensor none;
  const Plan last = plan.outer && input.is_cpu() && !finds ? with_long_rows(plan) : plan;
  with_number_type(acc, [&](auto number) {
    const auto run = [&](const Kernel& kernel, auto... geometry) {
      launch(kernel, last.options, last.grid, input, x.tensor, parameters.weight, parameters.bias,
             finds ? none : mean, finds ? none : rstd, written(saves ? save_mean : none),
             written(saves ? save_rstd : none), written(finds ? parameters.running_mean : none),
             written(finds ? parameters.running_var : none), written(out), geometry...,
             number(parameters.momentum), number(unbias), number(parameters.eps), constant(acc),
             constant(holds ? kHoldingTile : static_cast<int64_t>(source)),
             constant(last.tile_images), constant(last.tile_pixels));
    };
    if (plan.outer)
      run(normalize_outer, stride(plan.channels), plan.rows(), last.images_per_chunk,
          stride(x.view.image), stride(x.view.channel), stride(row_stride(plan, *out_view).value()),
          stride(out_view->channel));
    else
      run(normalize_inner, plan.images, stride(plan.pixels), plan.images_per_chunk,
          stride(plan.pixels_per_chunk), stride(x.view.image), stride(x.view.channel),
          stride(x.view.pixel), stride(out_view->image), stride(out_view->channel),
          stride(out_view->pixel));
  });
}

void backward(const Tensor& grad_out, const Tensor& input, const Tensor& weight, const Tensor& mean,
              const Tensor& rstd, Statistics statistics, bool training, double eps,
              const Gradients& gradients) {
  static const Kernel sums_inner("normalization/batch_norm", "gradient_sums_inner");
  static const Kernel sums_outer("normalization/batch_norm", "gradient_sums_outer");
  static const Kernel combine("normalization/batch_norm", "combine_sums");
  static const Kernel backward_inner("normalization/batch_norm", "backward_input_inner");
  static const Kernel backward_outer("normalization/batch_norm", "backward_input_outer");
  const Input x(input);
  const Plan& plan = x.plan;
  const Operand grad(grad_out, plan, x.tensor);
  View out{};
  if (gradients.input.defined()) {
    const std::optional<View> found = find_view(gradients.input);
    if (!fits(plan, found)) throw dispatch::Refusal{"norm: strides of the output"};
    out = *found;
    if (plan.outer) out.image = row_stride(plan, out).value();
  }
  if (statistics == Statistics::given && training && gradients.input.defined() &&
      gradients_in_turns(grad.tensor, grad.view, x.tensor, plan.extent(), x.view, weight, mean,
                         rstd, gradients, out))
    return;
  const DType acc = compute_type(input);
  const bool wants_sums = (training && gradients.input.defined()) || gradients.weight.defined() ||
                          gradients.bias.defined();
  const Tensor none;
  Tensor sums;
  if (wants_sums && plan.chunks > 1) {
    const Tensor partial = statistics_buffer(input, {2, plan.chunks, plan.channels});
    sums = statistics_buffer(input, {2, plan.channels});
    if (plan.outer)
      launch(sums_outer, plan.options, plan.grid, input, grad.tensor, x.tensor, mean,
             written(partial), stride(plan.channels), plan.rows(), plan.images_per_chunk,
             stride(grad.view.image), stride(grad.view.channel), stride(x.view.image),
             stride(x.view.channel), constant(acc), constant(plan.tile_images),
             constant(plan.tile_pixels));
    else
      launch(sums_inner, plan.options, plan.grid, input, grad.tensor, x.tensor, mean,
             written(partial), plan.channels, plan.images, stride(plan.pixels),
             plan.images_per_chunk, stride(plan.pixels_per_chunk), stride(grad.view.image),
             stride(grad.view.channel), stride(grad.view.pixel), stride(x.view.image),
             stride(x.view.channel), stride(x.view.pixel), constant(acc),
             constant(plan.tile_images), constant(plan.tile_pixels));
    LaunchOptions options;
    options.num_stages = 1;
    const CombinedTile tile(plan.chunks, input.is_cpu());
    with_number_type(acc, [&](auto number) {
      launch(combine, options, grid_1d(ceil_div(plan.channels, tile.channels)), input, partial,
             rstd, written(sums), written(gradients.weight), written(gradients.bias), plan.channels,
             plan.chunks, number(eps), constant(acc), constant(static_cast<int64_t>(statistics)),
             constant(tile.chunks), constant(tile.channels));
    });
    if (!gradients.input.defined()) return;
  }
  const bool finds = wants_sums && plan.chunks == 1;
  const int64_t sums_from = !wants_sums ? 0 : finds ? 1 : 2;
  with_number_type(acc, [&](auto number) {
    const auto run = [&](const Kernel& kernel, auto... geometry) {
      launch(kernel, plan.options, plan.grid, input, grad.tensor, x.tensor, weight, mean, rstd,
             sums, written(finds ? gradients.weight : none), written(finds ? gradients.bias : none),
             written(gradients.input), geometry..., number(eps), constant(acc),
             constant(static_cast<int64_t>(statistics)), constant(training), constant(sums_from),
             constant(plan.tile_images), constant(plan.tile_pixels));
    };
    if (plan.outer)
      run(backward_outer, stride(plan.channels), plan.rows(), plan.images_per_chunk,
          stride(grad.view.image), stride(grad.view.channel), stride(x.view.image),
          stride(x.view.channel), stride(out.image), stride(out.channel));
    else
      run(backward_inner, plan.channels, plan.images, stride(plan.pixels), plan.images_per_chunk,
          stride(plan.pixels_per_chunk), stride(grad.view.image), stride(grad.view.channel),
          stride(grad.view.pixel), stride(x.view.image), stride(x.view.channel),
          stride(x.view.pixel), stride(out.image), stride(out.channel), stride(out.pixel));
  });
}

}  // namespace tilewise::ops::channel_norm
