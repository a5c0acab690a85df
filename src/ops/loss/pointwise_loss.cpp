// SPDX-License-Identifier: Apache-2.0
// Losses of a prediction and a target: without reduction a pointwise operator, with one a sum that
// holds no losses (two launches; one if the tensors are small). Numbers as in
// kernels/loss/pointwise_loss.py.

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/aminmax.h>

#include <algorithm>
#include <array>
#include <initializer_list>
#include <limits>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

using OptionalTensor = const std::optional<Tensor>&;

enum class Loss : uint8_t {
  squared_error,
  smooth_l1,
  huber,
  soft_margin,
  cross_entropy,
  weighted_cross_entropy,
  logit_cross_entropy,
  logit_cross_entropy_weighted,
  logit_cross_entropy_positive,
  logit_cross_entropy_both,
};

PointwiseFunction& function_of(Loss loss) {
  static PointwiseFunction functions[] = {{"loss:squared_error", kFloating},
                                          {"loss:smooth_l1", kFloating},
                                          {"loss:huber", kFloating},
                                          {"loss:soft_margin", kFloating},
                                          {"loss:cross_entropy", kFloating},
                                          {"loss:weighted_cross_entropy", kFloating},
                                          {"loss:logit_cross_entropy", kFloating},
                                          {"loss:logit_cross_entropy_weighted", kFloating},
                                          {"loss:logit_cross_entropy_positive", kFloating},
                                          {"loss:logit_cross_entropy_both", kFloating}};
  return functions[static_cast<size_t>(loss)];
}

constexpr int kOperands = 4;  // prediction, target and up to two weights
constexpr int kMaxRank = 4;

struct Operands {
  std::array<const Tensor*, kOperands> tensors{};
  int count = 0;
  void add(const Tensor& tensor) { tensors[static_cast<size_t>(count++)] = &tensor; }
  void add(OptionalTensor tensor) {
    if (tensor.has_value() && tensor->defined()) add(*tensor);
  }
};

// The sum of the losses, or their mean, into the 0-dim `out`.
void reduce_loss(Loss loss, const Operands& operands, double parameter, int64_t reduction,
                 at::ScalarType compute, const Tensor& out) {
  static const Kernel sum_losses("loss/pointwise_loss", "sum_losses");
  static const Kernel sum_partials("loss/pointwise_loss", "sum_partials");
  at::TensorIteratorConfig config;
  config.check_all_same_dtype(false);
  for (int i = 0; i < operands.count; ++i)
    config.add_const_input(*operands.tensors[static_cast<size_t>(i)]);
  const at::TensorIterator iter = config.build();
  const int64_t n = iter.numel();
  const bool is_mean = reduction == at::Reduction::Mean;
  if (n == 0) {
    out.fill_(is_mean ? std::numeric_limits<double>::quiet_NaN() : 0.0);
    return;
  }
  const int rank = std::max(1, iter.ndim());
  if (rank > kMaxRank) throw dispatch::Refusal{"loss of operands of more than four dimensions"};
  const bool on_cpu = out.is_cpu();
  const DType acc = accumulate_type(*element_type(compute));
  // CPU: a carried tile of 256 stays in registers. GPU: 8 elements a thread and operand in flight.
  const int64_t block = on_cpu ? 256 : 2048;
  // The chunks depend on the sizes alone: the same sums on every run and any number of threads.
  const int64_t target_chunks = on_cpu ? 64 : 1024;
  const int64_t smallest = on_cpu ? 32768 : 8192;
  const int64_t chunk = ceil_div(std::max(ceil_div(n, target_chunks), smallest), block) * block;
  const int64_t chunks = ceil_div(n, chunk);
  const auto count = [](int64_t value) { return static_cast<double>(value); };
  const double divisor = is_mean ? count(n) : 1.0;

  runtime::ArgumentPack pack;
  const auto pointer = [&](int i) {
    if (i < operands.count)
      pack.pointer(iter.data_ptr(i), *element_type(iter.dtype(i)));
    else
      pack.none();
  };
  const auto number = [&](double value) {
    if (acc == DType::fp64)
      pack.floating64(value);
    else
      pack.floating(value);
  };
  for (int i = 0; i < kOperands; ++i) pointer(i);
  const Tensor partial =
      chunks == 1
          ? out
          : allocate_output({chunks}, {},
                            out.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat));
  pack.pointer(partial.mutable_data_ptr(), element_type(partial));
  pack.stride(n);
  pack.stride(chunk);
  const auto size = [&](int d) {
    return d < iter.ndim() ? iter.shape()[static_cast<size_t>(d)] : 1;
  };
  for (int d = 0; d + 1 < kMaxRank; ++d) pack.integer(size(d));
  for (int i = 0; i < kOperands; ++i)
    for (int d = 0; d < kMaxRank; ++d) {
      const bool present = i < operands.count && d < iter.ndim();
      const int64_t elements =
          present ? iter.strides(i)[static_cast<size_t>(d)] / iter.element_size(i) : 0;
      if (d == 0)
        pack.stride(elements);
      else
        pack.integer(elements);
    }
  number(parameter);
  number(chunks == 1 ? divisor : 1.0);
  pack.constant_dtype(acc);
  pack.constant(static_cast<int64_t>(loss));
  pack.constant(rank);
  pack.constant(block);
  pack.constant_bool(!on_cpu &&
                     (loss == Loss::cross_entropy || loss == Loss::weighted_cross_entropy));
  LaunchOptions options;
  options.num_warps = 8;
  options.num_stages = 1;
  options.grain = 1;
  launch_packed(sum_losses, pack, options, grid_1d(chunks), out.device());
  if (chunks == 1) return;
  options.num_warps = 4;
  const auto combine = [&](auto value) {
    launch(sum_partials, options, grid_1d(1), out, partial, written(out), chunks, value,
           constant(acc), constant(on_cpu ? 64 : 1024));
  };
  if (acc == DType::fp64)
    combine(fp64(divisor));
  else
    combine(divisor);
}

// Shape and type of the result; TensorIterator of the losses where they are wanted themselves.
struct LossPreset : at::TensorIteratorBase {
  void describe(const Operands& operands, at::ScalarType compute, int64_t reduction,
                const Tensor& like) {
    is_reduced = reduction != at::Reduction::None;
    if (is_reduced) {
      static_cast<at::impl::MetaBase&>(*this).set_output_raw_strided(0, {}, {},
                                                                     like.options().dtype(compute));
      return;
    }
    at::TensorIteratorConfig config;
    config.check_all_same_dtype(false).add_output(maybe_get_output());
    config.declare_static_dtype_and_device(compute, like.device());
    for (int i = 0; i < operands.count; ++i)
      config.add_const_input(*operands.tensors[static_cast<size_t>(i)]);
    build(config);
  }
  void set_output_raw_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                              at::TensorOptions options TILEWISE_NAMES_PARAMETER) override {
    if (!is_reduced)
      at::TensorIteratorBase::set_output_raw_strided(index, sizes, strides,
                                                     options TILEWISE_NAMES_ARGUMENT);
  }
  void run(Loss loss, const Operands& operands, bool has_parameter, double parameter,
           int64_t reduction, at::ScalarType compute, const Tensor& out) {
    if (is_reduced) {
      reduce_loss(loss, operands, parameter, reduction, compute, out);
      return;
    }
    PointwiseArguments arguments;
    if (has_parameter) arguments.add(parameter);
    function_of(loss).run(*this, compute, arguments);
  }
  bool is_reduced = false;
};

const char* refuse_dtype(at::ScalarType compute) {
  return at::isFloatingType(compute) ? nullptr : "loss of a dtype that is not floating";
}

Operands pair(const Tensor& self, const Tensor& target) {
  Operands operands;
  operands.add(self);
  operands.add(target);
  return operands;
}

// mse_loss, smooth_l1_loss, huber_loss: operands promote and broadcast.
struct PairLoss : LossPreset {
  void describe_pair(const Tensor& self, const Tensor& target, int64_t reduction) {
    describe(pair(self, target), at::result_type(self, target), reduction, self);
  }
  void run_pair(Loss loss, const Tensor& self, const Tensor& target, bool has_parameter,
                double parameter, int64_t reduction, const Tensor& out) {
    run(loss, pair(self, target), has_parameter, parameter, reduction,
        at::result_type(self, target), out);
  }
  static const char* refuse_pair(const Tensor& self, const Tensor& target) {
    // TensorIterator's own error comes from PyTorch's kernel.
    if (!at::is_expandable_to(self.sizes(), target.sizes()) &&
        !at::is_expandable_to(target.sizes(), self.sizes()) && self.sizes() != target.sizes())
      return "loss of shapes that neither of them expands to";
    return refuse_dtype(at::result_type(self, target));
  }
};

struct MsePreset : PairLoss {
  void meta(const Tensor& self, const Tensor& target, int64_t reduction) {
    describe_pair(self, target, reduction);
  }
};
struct MseLoss : StructuredOp<MsePreset> {
  static const char* refuse(const Tensor& self, const Tensor& target, const auto&...) {
    return refuse_pair(self, target);
  }
  void impl(const Tensor& self, const Tensor& target, int64_t reduction, const Tensor& out) {
    run_pair(Loss::squared_error, self, target, false, 0.0, reduction, out);
  }
};
TILEWISE_STRUCTURED(MseLoss, "mse_loss");

struct BetaPreset : PairLoss {
  void meta(const Tensor& self, const Tensor& target, int64_t reduction, double) {
    describe_pair(self, target, reduction);
  }
};
template <Loss loss>
struct BetaLoss : StructuredOp<BetaPreset> {
  static const char* refuse(const Tensor& self, const Tensor& target, int64_t, double parameter,
                            const auto&...) {
    if (loss == Loss::huber ? !(parameter > 0) : !(parameter >= 0)) return "parameter of the loss";
    return refuse_pair(self, target);
  }
  void impl(const Tensor& self, const Tensor& target, int64_t reduction, double parameter,
            const Tensor& out) {
    run_pair(loss, self, target, true, parameter, reduction, out);
  }
};
using SmoothL1Loss = BetaLoss<Loss::smooth_l1>;
using HuberLoss = BetaLoss<Loss::huber>;
TILEWISE_STRUCTURED(SmoothL1Loss, "smooth_l1_loss");
TILEWISE_STRUCTURED(HuberLoss, "huber_loss");

// PyTorch's kernel works in place on a copy of self: result of self's shape and dtype.
struct SoftMarginPreset : LossPreset {
  void meta(const Tensor& self, const Tensor& target, int64_t reduction) {
    describe(pair(self, target), self.scalar_type(), reduction, self);
  }
};
struct SoftMarginLoss : StructuredOp<SoftMarginPreset> {
  static const char* refuse(const Tensor& self, const Tensor& target, const auto&...) {
    if (!at::is_expandable_to(target.sizes(), self.sizes())) return "shapes do not broadcast";
    return refuse_dtype(self.scalar_type());
  }
  void impl(const Tensor& self, const Tensor& target, int64_t reduction, const Tensor& out) {
    run(Loss::soft_margin, pair(self, target), false, 0.0, reduction, self.scalar_type(), out);
  }
};
TILEWISE_STRUCTURED(SoftMarginLoss, "soft_margin_loss");

bool broadcasts_to(OptionalTensor weight, const Tensor& self) {
  return !weight.has_value() || !weight->defined() ||
         at::is_expandable_to(weight->sizes(), self.sizes());
}

// PyTorch's kernels for the CPU raise for a probability outside of [0, 1] (and for NaN). On a GPU
// they assert; so do ours where losses are summed, else the result is NaN.
bool has_foreign_probability(const Tensor& self) {
  if (!self.is_cpu() || self.numel() == 0) return false;
  const auto [low, high] = at::aminmax(self.detach());
  return !(low.item<double>() >= 0 && high.item<double>() <= 1);
}

const char* refuse_probabilities(const Tensor& self, const Tensor& target, OptionalTensor weight) {
  if (self.sizes() != target.sizes() || self.scalar_type() != target.scalar_type())
    return "cross entropy of tensors that differ in shape or dtype";
  if (!broadcasts_to(weight, self)) return "weight does not broadcast";
  return refuse_dtype(self.scalar_type());
}

Operands weighted(const Tensor& self, const Tensor& target, OptionalTensor first,
                  OptionalTensor second = std::nullopt) {
  Operands operands = pair(self, target);
  operands.add(first);
  operands.add(second);
  return operands;
}

struct CrossEntropyPreset : LossPreset {
  void meta(const Tensor& self, const Tensor& target, OptionalTensor weight, int64_t reduction) {
    describe(weighted(self, target, weight), self.scalar_type(), reduction, self);
  }
};
struct BinaryCrossEntropy : StructuredOp<CrossEntropyPreset> {
  static const char* refuse(const Tensor& self, const Tensor& target, OptionalTensor weight,
                            int64_t, const auto&... out) {
    // PyTorch's kernel has the losses in the out= tensor before it reduces them, and wants its
    // size.
    if (((out.sizes() != self.sizes()) || ...)) return "out= of another shape";
    if (const char* reason = refuse_probabilities(self, target, weight)) return reason;
    return has_foreign_probability(self) || has_foreign_probability(target)
               ? "a probability outside of [0, 1]"
               : nullptr;
  }
  void impl(const Tensor& self, const Tensor& target, OptionalTensor weight, int64_t reduction,
            const Tensor& out) {
    const Operands operands = weighted(self, target, weight);
    run(operands.count == 2 ? Loss::cross_entropy : Loss::weighted_cross_entropy, operands, false,
        0.0, reduction, self.scalar_type(), out);
  }
};
TILEWISE_STRUCTURED(BinaryCrossEntropy, "binary_cross_entropy");

struct LogitPreset : LossPreset {
  void meta(const Tensor& self, const Tensor& target, OptionalTensor weight,
            OptionalTensor pos_weight, int64_t reduction) {
    describe(weighted(self, target, weight, pos_weight), self.scalar_type(), reduction, self);
  }
};
struct LogitCrossEntropy : StructuredOp<LogitPreset> {
  static const char* refuse(const Tensor& self, const Tensor& target, OptionalTensor weight,
                            OptionalTensor pos_weight, const auto&...) {
    if (!broadcasts_to(pos_weight, self)) return "weight does not broadcast";
    return refuse_probabilities(self, target, weight);
  }
  void impl(const Tensor& self, const Tensor& target, OptionalTensor weight,
            OptionalTensor pos_weight, int64_t reduction, const Tensor& out) {
    const Operands operands = weighted(self, target, weight, pos_weight);
    const bool has_weight = weight.has_value() && weight->defined();
    const Loss loss = operands.count == 2   ? Loss::logit_cross_entropy
                      : operands.count == 4 ? Loss::logit_cross_entropy_both
                      : has_weight          ? Loss::logit_cross_entropy_weighted
                                            : Loss::logit_cross_entropy_positive;
    run(loss, operands, false, 0.0, reduction, self.scalar_type(), out);
  }
};
TILEWISE_STRUCTURED(LogitCrossEntropy, "binary_cross_entropy_with_logits");

// The gradient of the prediction. PyTorch returns it contiguous, but for cross entropy
// and the soft margin loss.
struct GradientPreset : at::impl::MetaBase {
  void describe(const Tensor& self, bool preserves_strides) {
    const auto options = self.options();
    if (preserves_strides && self.is_non_overlapping_and_dense())
      set_output_raw_strided(0, self.sizes(), self.strides(), options);
    else
      set_output_raw_strided(0, self.sizes(), {}, options);
  }
};

// Runs `function(self, target, grad_output[, weight], numbers...)` into grad_input.
void run_gradient(PointwiseFunction& function, const Tensor& grad_output, const Tensor& self,
                  const Tensor& target, OptionalTensor weight, const Tensor& grad_input,
                  std::initializer_list<double> numbers) {
  if (grad_input.numel() == 0) return;
  at::TensorIteratorConfig config;
  config.check_all_same_dtype(false).resize_outputs(false).add_output(grad_input);
  config.add_const_input(self).add_const_input(target).add_const_input(grad_output);
  if (weight.has_value() && weight->defined()) config.add_const_input(*weight);
  at::TensorIterator iter = config.build();
  PointwiseArguments arguments;
  for (const double number : numbers) arguments.add(number);
  function.run(iter, self.scalar_type(), arguments);
}

const char* refuse_gradient(const Tensor& grad_output, const Tensor& self, const Tensor& target) {
  if (!at::is_expandable_to(target.sizes(), self.sizes()) ||
      !at::is_expandable_to(grad_output.sizes(), self.sizes()))
    return "loss: gradient of another shape than the prediction";
  if (grad_output.scalar_type() != self.scalar_type() || target.scalar_type() != self.scalar_type())
    return "loss: gradient of another dtype";
  return refuse_dtype(self.scalar_type());
}

// The factor that a mean brings in.
double norm_of(int64_t reduction, const Tensor& self) {
  return reduction == at::Reduction::Mean ? 1.0 / static_cast<double>(self.numel()) : 1.0;
}

template <bool preserves_strides>
struct PairGradientPreset : GradientPreset {
  void meta(const Tensor&, const Tensor& self, const Tensor&, int64_t) {
    describe(self, preserves_strides);
  }
};
template <Loss loss>
struct PairGradient : StructuredOp<PairGradientPreset<loss == Loss::soft_margin>> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            const auto&...) {
    return refuse_gradient(grad_output, self, target);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction,
            const Tensor& grad_input) {
    constexpr bool kIsSquare = loss == Loss::squared_error;
    static PointwiseFunction function(
        kIsSquare ? "loss:squared_error_backward" : "loss:soft_margin_backward", kFloating);
    run_gradient(function, grad_output, self, target, std::nullopt, grad_input,
                 {(kIsSquare ? 2.0 : 1.0) * norm_of(reduction, self)});
  }
};
using MseLossBackward = PairGradient<Loss::squared_error>;
using SoftMarginLossBackward = PairGradient<Loss::soft_margin>;
TILEWISE_STRUCTURED(MseLossBackward, "mse_loss_backward");
TILEWISE_STRUCTURED(SoftMarginLossBackward, "soft_margin_loss_backward");

struct BetaGradientPreset : GradientPreset {
  void meta(const Tensor&, const Tensor& self, const Tensor&, int64_t, double) {
    describe(self, false);
  }
};
template <Loss loss>
struct BetaGradient : StructuredOp<BetaGradientPreset> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            const auto&...) {
    return refuse_gradient(grad_output, self, target);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction,
            double parameter, const Tensor& grad_input) {
    static PointwiseFunction function(
        loss == Loss::huber ? "loss:huber_backward" : "loss:smooth_l1_backward", kFloating);
    run_gradient(function, grad_output, self, target, std::nullopt, grad_input,
                 {norm_of(reduction, self), parameter});
  }
};
using SmoothL1LossBackward = BetaGradient<Loss::smooth_l1>;
using HuberLossBackward = BetaGradient<Loss::huber>;
TILEWISE_STRUCTURED(SmoothL1LossBackward, "smooth_l1_loss_backward");
TILEWISE_STRUCTURED(HuberLossBackward, "huber_loss_backward");

struct CrossEntropyGradientPreset : GradientPreset {
  void meta(const Tensor&, const Tensor& self, const Tensor&, OptionalTensor, int64_t) {
    describe(self, true);
  }
};
struct BinaryCrossEntropyBackward : StructuredOp<CrossEntropyGradientPreset> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            OptionalTensor weight, int64_t, const auto&... grad_input) {
    // PyTorch's kernel does not resize the out= tensor, and raises.
    if (((grad_input.sizes() != self.sizes()) || ...)) return "out= of another shape";
    if (const char* reason = refuse_probabilities(self, target, weight)) return reason;
    return refuse_gradient(grad_output, self, target);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target,
            OptionalTensor weight, int64_t reduction, const Tensor& grad_input) {
    static PointwiseFunction plain("loss:cross_entropy_backward", kFloating);
    static PointwiseFunction with_weight("loss:weighted_cross_entropy_backward", kFloating);
    const bool has_weight = weight.has_value() && weight->defined();
    run_gradient(has_weight ? with_weight : plain, grad_output, self, target, weight, grad_input,
                 {norm_of(reduction, self)});
  }
};
TILEWISE_STRUCTURED(BinaryCrossEntropyBackward, "binary_cross_entropy_backward");

}  // namespace
}  // namespace tilewise::ops
