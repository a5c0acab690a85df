// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <vector>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

// All states of a target are one tile.
constexpr int64_t kMostStates = 4096;

// PyTorch's own kernel has the errors for everything that this refuses.
const char* refuse_ctc(const Tensor& log_probs, const Tensor& targets,
                       at::IntArrayRef input_lengths, at::IntArrayRef target_lengths,
                       int64_t blank) {
  if (log_probs.scalar_type() != at::kFloat && log_probs.scalar_type() != at::kDouble)
    return "ctc_loss of another dtype";
  if (log_probs.dim() != 3 || log_probs.numel() == 0) return "ctc_loss of another rank, or empty";
  if (targets.scalar_type() != at::kLong && targets.scalar_type() != at::kInt)
    return "ctc_loss: dtype of targets";
  const auto batch = static_cast<size_t>(log_probs.size(1));
  if (input_lengths.size() != batch || target_lengths.size() != batch)
    return "ctc_loss: number of lengths";
  if (blank < 0 || blank >= log_probs.size(2)) return "ctc_loss: blank is no class";
  int64_t sum = 0;
  int64_t longest = 0;
  for (size_t i = 0; i < batch; ++i) {
    if (input_lengths[i] < 0 || input_lengths[i] > log_probs.size(0) || target_lengths[i] < 0)
      return "ctc_loss: a length out of range";
    sum += target_lengths[i];
    longest = std::max(longest, target_lengths[i]);
  }
  if (2 * longest + 1 > kMostStates) return "ctc_loss of targets of more than 2047 labels";
  if (targets.dim() == 1) return targets.size(0) == sum ? nullptr : "ctc_loss: size of targets";
  const bool fits =
      targets.dim() == 2 && targets.size(0) == log_probs.size(1) && targets.size(1) >= longest;
  return fits ? nullptr : "ctc_loss: shape of targets";
}

struct Problem {
  Problem(const Tensor& log_probs_, const Tensor& targets_, at::IntArrayRef input_lengths,
          at::IntArrayRef target_lengths)
      : log_probs(log_probs_), targets(targets_) {
    const auto batch_size = input_lengths.size();
    const Tensor host = allocate_output({3, static_cast<int64_t>(batch_size)}, {},
                                        at::TensorOptions().dtype(at::kLong));
    auto* data = host.mutable_data_ptr<int64_t>();
    int64_t position = 0;
    for (size_t i = 0; i < batch_size; ++i) {
      data[i] = input_lengths[i];
      data[batch_size + i] = target_lengths[i];
      data[2 * batch_size + i] = position;
      position += targets.dim() == 1 ? targets.stride(0) * target_lengths[i] : targets.stride(0);
      states = std::max(states, 2 * target_lengths[i] + 1);
    }
    lengths = host.to(log_probs.device());
    steps = log_probs.size(0);
    batch = log_probs.size(1);
    classes = log_probs.size(2);
    stride_target = targets.stride(-1);
    acc = log_probs.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
    block = std::max<int64_t>(32, next_power_of_2(states));
    options.num_warps = static_cast<int>(std::clamp<int64_t>(block / 128, 1, 8));
    options.num_stages = 1;
  }
  Tensor log_probs, targets, lengths;
  int64_t steps = 0, batch = 0, classes = 0, states = 1, stride_target = 1, block = 32;
  DType acc = DType::fp32;
  LaunchOptions options;
};

using Two = std::tuple<Tensor, Tensor>;

struct CtcLoss : PlainOp {
  static const char* refuse(const Tensor& log_probs, const Tensor& targets,
                            at::IntArrayRef input_lengths, at::IntArrayRef target_lengths,
                            int64_t blank, bool) {
    return refuse_ctc(log_probs, targets, input_lengths, target_lengths, blank);
  }
  // Whether an infinite loss counts as zero is the caller's and the gradient's business.
  static Two call(const Tensor& log_probs, const Tensor& targets, at::IntArrayRef input_lengths,
                  at::IntArrayRef target_lengths, int64_t blank, bool) {
    static const Kernel kernel("loss/ctc_loss", "forward");
    const Problem p(log_probs, targets, input_lengths, target_lengths);
    Tensor loss = allocate_output({p.batch}, {}, log_probs.options());
    Tensor log_alpha = allocate_output({p.batch, p.steps, p.states}, {}, log_probs.options());
    launch(kernel, p.options, grid_1d(p.batch), log_probs, log_probs, targets, p.lengths,
           written(log_alpha), written(loss), p.batch, p.steps, p.states, blank,
           stride(log_probs.stride(0)), stride(log_probs.stride(1)), stride(log_probs.stride(2)),
           stride(p.stride_target), constant(p.acc), constant(p.block));
    return {std::move(loss), std::move(log_alpha)};
  }
};
TILEWISE_OPERATOR(CtcLoss, "_ctc_loss");

struct CtcLossBackward : PlainOp {
  static const char* refuse(const Tensor& grad, const Tensor& log_probs, const Tensor& targets,
                            at::IntArrayRef input_lengths, at::IntArrayRef target_lengths,
                            const Tensor& loss, const Tensor& log_alpha, int64_t blank, bool) {
    if (const char* reason = refuse_ctc(log_probs, targets, input_lengths, target_lengths, blank))
      return reason;
    int64_t states = 1;
    for (const int64_t length : target_lengths) states = std::max(states, 2 * length + 1);
    const bool fits = grad.dim() == 1 && grad.size(0) == log_probs.size(1) &&
                      grad.scalar_type() == log_probs.scalar_type() &&
                      loss.numel() == log_probs.size(1) && log_alpha.is_contiguous() &&
                      log_alpha.numel() == log_probs.size(1) * log_probs.size(0) * states;
    return fits ? nullptr : "ctc_loss: gradient or saved tensors of another shape";
  }
  static Tensor call(const Tensor& grad, const Tensor& log_probs, const Tensor& targets,
                     at::IntArrayRef input_lengths, at::IntArrayRef target_lengths,
                     const Tensor& loss, const Tensor& log_alpha, int64_t blank,
                     bool zero_infinity) {
    static const Kernel beta("loss/ctc_loss", "backward_beta");
    static const Kernel collect("loss/ctc_loss", "backward_collect");
    const Problem p(log_probs, targets, input_lengths, target_lengths);
    const Tensor log_beta = allocate_output(log_alpha.sizes(), {}, log_alpha.options());
    Tensor grad_input = allocate_output(log_probs.sizes(), {}, log_probs.options());
    const Tensor dense_loss = loss.contiguous();
    launch(beta, p.options, grid_1d(p.batch), log_probs, log_probs, targets, p.lengths,
           written(log_beta), p.batch, p.steps, p.states, blank, stride(log_probs.stride(0)),
           stride(log_probs.stride(1)), stride(log_probs.stride(2)), stride(p.stride_target),
           constant(p.acc), constant(p.block));
    const int64_t steps_per_program = log_probs.is_cpu() ? 16 : 32;
    Grid grid = grid_1d(p.batch);
    grid.y = static_cast<int32_t>(ceil_div(p.steps, steps_per_program));
    LaunchOptions options;
    options.num_warps = 2;
    options.num_stages = 1;
    launch(collect, options, grid, log_probs, grad, log_probs, targets, p.lengths, log_alpha,
           log_beta, dense_loss, written(grad_input), p.batch, p.steps, p.states, p.classes, blank,
           stride(grad.stride(0)), stride(log_probs.stride(0)), stride(log_probs.stride(1)),
           stride(log_probs.stride(2)), stride(p.stride_target), constant(p.acc),
           constant(zero_infinity), constant(steps_per_program), constant(16));
    return grad_input;
  }
};
TILEWISE_OPERATOR(CtcLossBackward, "_ctc_loss_backward");

// The overloads with lengths in tensors.
std::vector<int64_t> lengths_of(const Tensor& lengths) {
  const Tensor host = lengths.to(at::kCPU, at::kLong).contiguous();
  const auto* data = host.const_data_ptr<int64_t>();
  return {data, data + host.numel()};
}

bool are_lengths(const Tensor& lengths) {
  return at::isIntegralType(lengths.scalar_type(), /*includeBool=*/false);
}

struct CtcLossTensor : PlainOp {
  static const char* refuse(const Tensor& log_probs, const Tensor& targets,
                            const Tensor& input_lengths, const Tensor& target_lengths,
                            int64_t blank, bool) {
    if (!are_lengths(input_lengths) || !are_lengths(target_lengths))
      return "ctc_loss: dtype of lengths";
    return refuse_ctc(log_probs, targets, lengths_of(input_lengths), lengths_of(target_lengths),
                      blank);
  }
  static Two call(const Tensor& log_probs, const Tensor& targets, const Tensor& input_lengths,
                  const Tensor& target_lengths, int64_t blank, bool zero_infinity) {
    return CtcLoss::call(log_probs, targets, lengths_of(input_lengths), lengths_of(target_lengths),
                         blank, zero_infinity);
  }
};
TILEWISE_OPERATOR(CtcLossTensor, "_ctc_loss.Tensor");

struct CtcLossBackwardTensor : PlainOp {
  static const char* refuse(const Tensor& grad, const Tensor& log_probs, const Tensor& targets,
                            const Tensor& input_lengths, const Tensor& target_lengths,
                            const Tensor& loss, const Tensor& log_alpha, int64_t blank,
                            bool zero_infinity) {
    if (!are_lengths(input_lengths) || !are_lengths(target_lengths))
      return "ctc_loss: dtype of lengths";
    return CtcLossBackward::refuse(grad, log_probs, targets, lengths_of(input_lengths),
                                   lengths_of(target_lengths), loss, log_alpha, blank,
                                   zero_infinity);
  }
  static Tensor call(const Tensor& grad, const Tensor& log_probs, const Tensor& targets,
                     const Tensor& input_lengths, const Tensor& target_lengths, const Tensor& loss,
                     const Tensor& log_alpha, int64_t blank, bool zero_infinity) {
    return CtcLossBackward::call(grad, log_probs, targets, lengths_of(input_lengths),
                                 lengths_of(target_lengths), loss, log_alpha, blank, zero_infinity);
  }
};
TILEWISE_OPERATOR(CtcLossBackwardTensor, "_ctc_loss_backward.Tensor");

}  // namespace
}  // namespace tilewise::ops
