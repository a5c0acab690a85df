// SPDX-License-Identifier: Apache-2.0
// aten::cross_entropy_loss against class indices. PyTorch composes it of log_softmax, which writes
// as many elements as the logits have, and nll_loss, which reads one of each row; here the logits
// are read once forward, and read once and their gradient written backward.
#include <ATen/autocast_mode.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/function.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>

#include "ops/framework/composite_op.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/loss/class_rows.h"

namespace tilewise::ops {
namespace {

using OptionalTensor = const std::optional<Tensor>&;
using torch::autograd::SavedVariable;
using torch::autograd::variable_list;

// Longest row that one tile holds. GPU: more registers than loads under way need would keep
// programs from sharing a multiprocessor.
constexpr int64_t kLongestCpuRow = 8192;
constexpr int64_t kLongestGpuRow = 2048;
constexpr int64_t kCpuGrain = 8192;
// GPU: fewer rows than half the multiprocessors, each at least this long, are left to log_softmax,
// which splits them.
constexpr int64_t kFewRows = 66;
constexpr int64_t kManyRows = 1024;
constexpr int64_t kLongRow = 65536;

// What does not change from forward to backward.
struct Settings {
  int64_t reduction;
  int64_t ignore_index;
  double smoothing;
};

struct Tile {
  // Of a matrix whose lanes run along the rows, these become the inner dimension.
  Tile(ClassRows& rows, bool on_cpu, bool is_backward) {
    options.num_stages = 1;
    axis = rows.class_stride != 1 && rows.count() > 1 ? 0 : 1;
    const int64_t length = next_power_of_2(rows.classes);
    DimensionPair& place = rows.position;
    if (axis == 0) {
      if (place.inner == 1) place = {1, place.outer, {}, place.outer_stride};
      height = std::clamp<int64_t>(next_power_of_2(place.inner), 16, on_cpu ? 64 : 256);
      lanes = is_backward && !on_cpu ? std::min<int64_t>(length, 2) : 1;
      holds_row = false;
      programs = place.outer * ceil_div(place.inner, height);
      per_program = on_cpu ? length : std::min<int64_t>(length, 64);
      // Pixels of a thread: forward 2, backward 4 of two classes each. Backward of (16, 21, 256,
      // 256) bf16 on an H100: 43 us, with 8 pixels 45.
      options.num_warps =
          static_cast<int>(std::clamp<int64_t>(lanes * height / (is_backward ? 128 : 64), 1, 8));
    } else {
      holds_row = rows.classes <= (on_cpu ? kLongestCpuRow : kLongestGpuRow);
      lanes = std::max<int64_t>(length, 16);
      if (is_backward) lanes = std::min<int64_t>(lanes, on_cpu ? 1024 : 8192);
      if (!holds_row && !is_backward) lanes = on_cpu ? 64 : 2048;
      height = on_cpu ? 1 : std::clamp<int64_t>(1024 / lanes, 1, 16);
      programs = ceil_div(rows.count(), height);
      // GPU: few rows are shared among programs.
      const bool takes_row = on_cpu || rows.count() >= kManyRows;
      per_program = takes_row ? std::max<int64_t>(length, 16) : lanes;
      options.num_warps = static_cast<int>(warps(is_backward));
    }
    options.grain = std::max<int64_t>(1, kCpuGrain / (rows.classes * height));
  }
  // Of a tile of rows on an H100, (8192, 32000), (65536, 1000), (262144, 128) in bf16: 187 us, 60
  // and 37 forward, 358, 110 and 54 backward, where copies take 177, 46, 25 and 350, 91, 50.
  [[nodiscard]] int64_t warps(bool is_backward) const {
    if (height > 1) return is_backward ? 4 : 2;
    if (!is_backward && !holds_row) return 8;
    return std::clamp<int64_t>(lanes / (is_backward ? 512 : 1024), 1, 16);
  }
  int64_t axis, height, lanes, programs;
  int64_t per_program;  // classes, backward
  bool holds_row;
  LaunchOptions options;
};

template <class Run>
void with_number(double value, DType acc, Run run) {
  if (acc == DType::fp64)
    run(fp64(value));
  else
    run(value);
}

// The sum of the class weights, where label smoothing needs it.
Tensor weight_sum(const Tensor& weight, const Settings& settings) {
  return weight.defined() && settings.smoothing > 0.0
             ? weight.sum(weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat)
             : Tensor();
}

struct Losses {
  Tensor out;
  Tensor statistics;  // [2 * rows + 1]: maxima, log-totals, sum of weights
};

Losses forward(const Tensor& self, const Tensor& target, const Tensor& weight,
               const Settings& settings, at::ScalarType out_type, bool keeps_statistics) {
  static const Kernel kernel("loss/cross_entropy", "forward");
  static const Kernel combine("loss/nll_loss", "forward_combine");
  const bool is_none = settings.reduction == at::Reduction::None;
  const DType acc = compute_type(self);
  const auto acc_options = self.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat);
  Losses result;
  result.out = allocate_output(is_none ? target.sizes() : at::IntArrayRef(), {},
                               self.options().dtype(out_type));
  ClassRows rows(self, target, result.out);
  const DimensionPair& place = rows.position;
  const bool on_cpu = self.is_cpu();
  const Tile tile(rows, on_cpu, false);
  const int64_t programs = tile.programs;
  const bool is_partial = !is_none && programs > 1;
  Tensor partial;
  if (is_partial) partial = allocate_output({2, programs}, {}, acc_options);
  if (keeps_statistics)
    result.statistics = allocate_output({2 * rows.count() + 1}, {}, acc_options);
  with_number(settings.smoothing, acc, [&](auto smoothing) {
    launch(kernel, tile.options, grid_1d(programs), self, self, target, weight,
           weight_sum(weight, settings), written(result.statistics),
           written(is_partial ? partial : result.out), stride(rows.count()), stride(place.inner),
           stride(rows.classes), settings.ignore_index, smoothing, stride(place.outer_stride[0]),
           stride(place.inner_stride[0]), stride(rows.class_stride), stride(place.outer_stride[1]),
           stride(place.inner_stride[1]), stride(place.outer_stride[2]),
           stride(place.inner_stride[2]), constant(acc), constant(settings.reduction),
           constant(is_partial), constant(settings.smoothing > 0.0), constant(tile.holds_row),
           constant(tile.axis), constant(tile.height), constant(tile.lanes));
  });
  if (!is_partial) return result;
  Tensor total_weight;
  if (keeps_statistics) total_weight = result.statistics.narrow(0, 2 * rows.count(), 1);
  const int64_t block = on_cpu ? 64 : std::clamp<int64_t>(next_power_of_2(programs), 64, 8192);
  LaunchOptions options;
  options.num_stages = 1;
  options.num_warps = static_cast<int>(std::clamp<int64_t>(block / 256, 4, 16));
  launch(combine, options, grid_1d(1), self, partial, written(result.out), written(total_weight),
         programs, constant(acc), constant(settings.reduction), constant(block));
  return result;
}

Tensor backward(const Tensor& grad, const Tensor& self, const Tensor& target, const Tensor& weight,
                const Tensor& statistics, const Settings& settings) {
  static const Kernel kernel("loss/cross_entropy", "backward");
  const DeviceGuard guard(self);
  const Tensor dense_grad = grad.contiguous();
  // PyTorch's gradients of nll_loss are contiguous, whatever the input's format.
  const Tensor result = allocate_output(self.sizes(), {}, self.options());
  ClassRows rows(self, target, dense_grad, result);
  const DimensionPair& place = rows.position;
  const Tile tile(rows, self.is_cpu(), true);
  Grid grid = grid_1d(tile.programs);
  grid.y = static_cast<int32_t>(ceil_div(rows.classes, tile.per_program));
  const DType acc = compute_type(self);
  with_number(settings.smoothing, acc, [&](auto smoothing) {
    launch(kernel, tile.options, grid, self, dense_grad, self, target, weight,
           weight_sum(weight, settings), statistics, written(result), stride(rows.count()),
           stride(place.inner), stride(rows.classes), stride(tile.per_program),
           settings.ignore_index, smoothing, stride(place.outer_stride[2]),
           stride(place.inner_stride[2]), stride(place.outer_stride[0]),
           stride(place.inner_stride[0]), stride(rows.class_stride), stride(place.outer_stride[1]),
           stride(place.inner_stride[1]), stride(place.outer_stride[3]),
           stride(place.inner_stride[3]), stride(rows.gradient_class_stride), constant(acc),
           constant(settings.reduction), constant(settings.smoothing > 0.0), constant(tile.axis),
           constant(tile.height), constant(tile.lanes));
  });
  return result;
}

// The gradient in PyTorch's operators, which can be differentiated again, batched and traced.
Tensor composed_backward(const Tensor& grad, const Tensor& self, const Tensor& target,
                         const Tensor& weight, const Settings& settings) {
  const int64_t axis = self.dim() == 1 ? 0 : 1;
  const auto compute = self.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto classes = static_cast<double>(self.size(axis));
  const Tensor counted = target.ne(settings.ignore_index);
  const Tensor index = target.mul(counted).to(at::kLong);
  Tensor weights = counted.to(compute);
  if (weight.defined())
    weights =
        weights.mul(weight.to(compute).index_select(0, index.reshape(-1)).reshape(index.sizes()));
  Tensor scale = grad.to(compute);
  if (settings.reduction == at::Reduction::Mean) scale = scale.div(weights.sum());
  const Tensor at_target = weights.mul(scale).mul(1.0 - settings.smoothing);
  const Tensor share = counted.mul(scale).mul(settings.smoothing / classes);
  const Tensor total = weight.defined() ? weight.sum(compute) : Tensor();
  const Tensor slope = at_target.add(total.defined() ? share.mul(total) : share.mul(classes));
  const Tensor probability = at::softmax(self, axis, compute);
  Tensor result = probability.mul(slope.unsqueeze(axis));
  result = result.sub(
      at::zeros_like(result).scatter(axis, index.unsqueeze(axis), at_target.unsqueeze(axis)));
  if (settings.smoothing > 0.0) {
    at::DimVector shape(static_cast<size_t>(self.dim()), 1);
    shape[static_cast<size_t>(axis)] = self.size(axis);
    const Tensor by_class =
        weight.defined() ? weight.to(compute).reshape(shape) : at::ones_like(result);
    result = result.sub(share.unsqueeze(axis).mul(by_class));
  }
  return at::where(counted.unsqueeze(axis), result, 0.0).to(self.scalar_type());
}

struct CrossEntropyBackward final : torch::autograd::Node {
  Settings settings{};
  SavedVariable self, target, weight, statistics;

  std::string name() const override { return "Tilewise<cross_entropy_loss>Backward"; }
  void release_variables() override {
    for (SavedVariable* variable : {&self, &target, &weight, &statistics}) variable->reset_data();
  }

  variable_list apply(variable_list&& gradients) override {
    if (!gradients[0].defined()) return {Tensor()};
    const Tensor& grad = gradients[0];
    const Tensor x = self.unpack(), classes = target.unpack(), weights = weight.unpack();
    const Tensor row_statistics = statistics.unpack();
    if (!at::GradMode::is_enabled() && is_plain_call(grad, x)) {
      try {
        return {backward(grad, x, classes, weights, row_statistics, settings)};
      } catch (const dispatch::Refusal&) {
      }
    }
    return {composed_backward(grad, x, classes, weights, settings)};
  }
};

struct CrossEntropy : CompositeOp {
  static const char* refuse(const Tensor& self, const Tensor& target, OptionalTensor weight,
                            int64_t reduction, const c10::SymInt& ignore_index, double smoothing) {
    if (!self.is_floating_point()) return "cross_entropy of a dtype that is not floating";
    if (self.dim() < 1 || target.dim() != self.dim() - 1)
      return target.dim() == self.dim() ? "cross_entropy: probabilities as targets"
                                        : "cross_entropy of another rank";
    const int64_t axis = self.dim() == 1 ? 0 : 1;
    for (int64_t i = 0; i < target.dim(); ++i)
      if (target.size(i) != self.size(i < axis ? i : i + 1))
        return "cross_entropy of shapes that do not match";
    if (self.numel() == 0) return "cross_entropy of no elements";
    if (target.numel() > INT32_MAX) return "cross_entropy of too many rows";
    if (target.scalar_type() != at::kLong && target.scalar_type() != at::kByte)
      return "cross_entropy: dtype of target";
    if (reduction < at::Reduction::None || reduction > at::Reduction::Sum)
      return "cross_entropy: reduction";
    if (!(smoothing >= 0.0 && smoothing <= 1.0)) return "cross_entropy: label smoothing";
    if (ignore_index.is_heap_allocated()) return "cross_entropy: symbolic ignore_index";
    if (weight.has_value() && weight->defined()) {
      if (weight->dim() != 1 || weight->numel() != self.size(axis) || !weight->is_contiguous())
        return "cross_entropy: weight of another shape";
      if (weight->scalar_type() != self.scalar_type()) return "cross_entropy: dtype of weight";
      if (at::GradMode::is_enabled() && weight->requires_grad())
        return "cross_entropy: gradient of the weight";
      if (torch::autograd::isFwGradDefined(weight)) return "cross_entropy: forward-mode gradient";
    }
    if (torch::autograd::isFwGradDefined(self)) return "cross_entropy: forward-mode gradient";
    if (self.is_cuda() && target.numel() <= kFewRows && self.size(axis) >= kLongRow)
      return "cross_entropy of few long rows";
    return has_foreign_target(target, self.size(axis), ignore_index.expect_int())
               ? "cross_entropy: target out of bounds"
               : nullptr;
  }

  static Tensor call(const Tensor& self, const Tensor& target, OptionalTensor weight,
                     int64_t reduction, c10::SymInt ignore_index, double smoothing) {
    const Settings settings{reduction, ignore_index.expect_int(), smoothing};
    const Tensor weights = weight.value_or(Tensor());
    // nll_loss is one of the operators that autocast runs in fp32.
    const bool widens = self.is_cuda() && at::autocast::is_autocast_enabled(at::kCUDA) &&
                        (self.scalar_type() == at::kHalf || self.scalar_type() == at::kBFloat16);
    const auto out_type = widens ? at::kFloat : self.scalar_type();
    const bool wants_gradient = at::GradMode::is_enabled() && self.requires_grad();
    Losses losses;
    {
      const at::AutoDispatchBelowADInplaceOrView guard;
      losses = forward(self, target, weights, settings, out_type, wants_gradient);
    }
    if (wants_gradient) {
      auto node = TILEWISE_MAKE_NODE(CrossEntropyBackward);
      node->set_next_edges({torch::autograd::impl::gradient_edge(self)});
      node->settings = settings;
      node->self = SavedVariable(self, /*is_output=*/false);
      node->target = SavedVariable(target, /*is_output=*/false);
      node->weight = SavedVariable(weights, /*is_output=*/false);
      node->statistics = SavedVariable(losses.statistics, /*is_output=*/false);
      torch::autograd::set_history(losses.out, node);
    }
    return losses.out;
  }
};
TILEWISE_COMPOSITE(CrossEntropy, "cross_entropy_loss");

}  // namespace
}  // namespace tilewise::ops
