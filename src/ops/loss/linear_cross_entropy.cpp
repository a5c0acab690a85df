// SPDX-License-Identifier: Apache-2.0
// torch.ops.tilewise.linear_cross_entropy: cross_entropy(linear(input, weight, bias), target) that
// holds one chunk of the logits at a time, forward and backward. Derivative and fake
// implementation: python/tilewise/nn/functional.py.
#include <ATen/core/Reduction.h>
#include <ATen/ops/cross_entropy_loss.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/library.h>

#include <algorithm>

#include "dispatch/refusal.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

using at::Tensor;
using OptionalTensor = const std::optional<Tensor>&;

// A chunk of logits: 32 Mi elements, 64 MiB in 16 bits; enough rows and classes for a product of
// full speed.
constexpr int64_t kRowsPerChunk = 2048;
constexpr int64_t kClassesPerChunk = 16384;

DType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

Tensor value_of(OptionalTensor tensor) {
  return tensor.has_value() && tensor->defined() ? tensor->contiguous() : Tensor();
}

// The arguments of one call, checked, and the walk over chunks.
struct Problem {
  Problem(const Tensor& input_, const Tensor& weight_, OptionalTensor bias_, const Tensor& target_,
          OptionalTensor class_weight_)
      : input(input_.contiguous()),
        weight(weight_),
        bias(value_of(bias_)),
        target(target_.contiguous()),
        class_weight(value_of(class_weight_)) {
    TORCH_CHECK(input.dim() == 2 && weight.dim() == 2 && target.dim() == 1,
                "linear_cross_entropy wants input [rows, features], weight [classes, features] and "
                "target [rows], got ",
                input.sizes(), ", ", weight.sizes(), " and ", target.sizes());
    rows = input.size(0);
    classes = weight.size(0);
    TORCH_CHECK(input.size(1) == weight.size(1), "input has ", input.size(1),
                " features, weight has ", weight.size(1));
    TORCH_CHECK(target.size(0) == rows, "target has ", target.size(0), " rows, input has ", rows);
    TORCH_CHECK(input.is_floating_point() && weight.scalar_type() == input.scalar_type(),
                "input and weight must have one floating dtype, got ", input.scalar_type(), " and ",
                weight.scalar_type());
    TORCH_CHECK(target.scalar_type() == at::kLong, "target must be int64, got ",
                target.scalar_type());
    TORCH_CHECK(!bias.defined() || (bias.dim() == 1 && bias.size(0) == classes),
                "bias must have one element a class");
    TORCH_CHECK(
        !class_weight.defined() || (class_weight.dim() == 1 && class_weight.size(0) == classes),
        "class_weight must have one element a class");
    for (const Tensor& tensor : {weight, bias, target, class_weight})
      TORCH_CHECK(!tensor.defined() || tensor.device() == input.device(),
                  "linear_cross_entropy wants tensors on one device");
    acc = compute_type(input);
    acc_options = input.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat);
    if (class_weight.defined()) weight_sum = class_weight.sum(acc_options.dtype().toScalarType());
  }

  void check_targets(int64_t ignore_index) const {
    if (!target.is_cpu()) return;
    const auto* data = target.const_data_ptr<int64_t>();
    for (int64_t i = 0; i < rows; ++i)
      TORCH_CHECK_INDEX(data[i] == ignore_index || (data[i] >= 0 && data[i] < classes), "Target ",
                        data[i], " is out of bounds.");
  }

  Tensor buffer() const {
    return allocate_output({std::min(rows, kRowsPerChunk), std::min(classes, kClassesPerChunk)}, {},
                           input.options());
  }

  // The logits of `row_count` rows and `class_count` classes, in the front part of the buffer.
  Tensor logits(const Tensor& buffer, int64_t row, int64_t row_count, int64_t first_class,
                int64_t class_count) const {
    Tensor chunk = buffer.narrow(0, 0, row_count).narrow(1, 0, class_count);
    at::mm_out(chunk, input.narrow(0, row, row_count),
               weight.narrow(0, first_class, class_count).t());
    return chunk;
  }

  template <class Visit>
  static void chunks(int64_t size, int64_t step, Visit visit) {
    for (int64_t first = 0; first < size; first += step) visit(first, std::min(step, size - first));
  }

  Tensor input, weight, bias, target, class_weight, weight_sum;
  int64_t rows = 0, classes = 0;
  DType acc = DType::fp32;
  at::TensorOptions acc_options;
};

template <class Run>
void with_number(double value, DType acc, Run run) {
  if (acc == DType::fp64)
    run(fp64(value));
  else
    run(value);
}

LaunchOptions row_options(int64_t block) {
  LaunchOptions options;
  options.num_stages = 1;
  options.num_warps = block >= 4096 ? 8 : 4;
  return options;
}

// Where there is no binary for the device, or not yet: PyTorch's operators, a chunk of rows at a
// time.
struct Composed {
  explicit Composed(const Problem& problem_, int64_t ignore_index_, double label_smoothing_)
      : problem(problem_), ignore_index(ignore_index_), label_smoothing(label_smoothing_) {}

  Tensor logits(int64_t row, int64_t count) const {
    Tensor x = at::mm(problem.input.narrow(0, row, count), problem.weight.t());
    if (problem.bias.defined()) x = x.add(problem.bias);
    return x.to(problem.acc_options);
  }
  Tensor class_weight() const {
    return problem.class_weight.defined() ? problem.class_weight.to(problem.acc_options) : Tensor();
  }

  std::tuple<Tensor, Tensor, Tensor> forward(int64_t reduction) const {
    const Tensor lse = at::zeros({problem.rows}, problem.acc_options);
    const Tensor losses = at::zeros({problem.rows}, problem.acc_options);
    const Tensor counted = problem.target.ne(ignore_index);
    Tensor weights = counted.to(problem.acc_options);
    if (problem.class_weight.defined())
      weights = weights.mul(class_weight().index_select(0, problem.target.mul(counted)));
    Problem::chunks(problem.rows, kRowsPerChunk, [&](int64_t row, int64_t count) {
      const Tensor x = logits(row, count);
      lse.narrow(0, row, count).copy_(x.logsumexp(1));
      losses.narrow(0, row, count)
          .copy_(at::cross_entropy_loss(x, problem.target.narrow(0, row, count), class_weight(),
                                        at::Reduction::None, ignore_index, label_smoothing));
    });
    const auto type = problem.input.scalar_type();
    if (reduction == at::Reduction::None)
      return {losses.to(type), lse, at::zeros({}, problem.acc_options)};
    const Tensor total_weight = weights.sum();
    Tensor loss = losses.sum();
    if (reduction == at::Reduction::Mean) loss = loss.div(total_weight);
    return {loss.to(type), lse, total_weight};
  }

  std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& grad, const Tensor& lse,
                                              const Tensor& total_weight, int64_t reduction,
                                              std::array<bool, 3> mask) const {
    const auto classes = static_cast<double>(problem.classes);
    Tensor scale = grad.to(problem.acc_options);
    if (reduction == at::Reduction::Mean) scale = scale.div(total_weight);
    scale = scale.expand({problem.rows});
    Tensor weight_total = at::zeros(problem.weight.sizes(), problem.acc_options);
    Tensor bias_total = at::zeros({problem.classes}, problem.acc_options);
    Tensor grad_input = at::zeros_like(problem.input);
    Problem::chunks(problem.rows, kRowsPerChunk, [&](int64_t row, int64_t count) {
      const Tensor target = problem.target.narrow(0, row, count);
      const Tensor counted = target.ne(ignore_index);
      const Tensor index = target.mul(counted).unsqueeze(1);
      const Tensor probability =
          logits(row, count).sub(lse.narrow(0, row, count).unsqueeze(1)).exp();
      Tensor nll = probability.clone();
      nll.scatter_add_(1, index, at::full_like(index, -1, problem.acc_options));
      Tensor smooth = probability.mul(classes).sub(1.0);
      if (problem.class_weight.defined()) {
        nll = nll.mul(class_weight().index_select(0, index.squeeze(1)).unsqueeze(1));
        smooth = probability.mul(problem.weight_sum).sub(class_weight());
      }
      const Tensor factor = scale.narrow(0, row, count).mul(counted).unsqueeze(1);
      Tensor result = nll.mul(1.0 - label_smoothing).add(smooth.mul(label_smoothing / classes));
      result = at::where(counted.unsqueeze(1), result.mul(factor), 0.0);
      const Tensor narrow = result.to(problem.input.scalar_type());
      if (mask[0]) grad_input.narrow(0, row, count).copy_(at::mm(narrow, problem.weight));
      if (mask[1]) weight_total.add_(at::mm(narrow.t(), problem.input.narrow(0, row, count)));
      if (mask[2]) bias_total.add_(result.sum(0));
    });
    return {mask[0] ? grad_input : Tensor(),
            mask[1] ? weight_total.to(problem.weight.scalar_type()) : Tensor(),
            mask[2] ? bias_total.to(problem.bias.scalar_type()) : Tensor()};
  }

  const Problem& problem;
  int64_t ignore_index;
  double label_smoothing;
};

// (loss, log-sum-exp of each row, sum of the weights of the counted rows)
std::tuple<Tensor, Tensor, Tensor> forward_in_chunks(const Problem& problem, int64_t reduction,
                                                     int64_t ignore_index, double label_smoothing) {
  static const Kernel update("loss/linear_cross_entropy", "update");
  static const Kernel finish("loss/linear_cross_entropy", "finish");
  static const Kernel reduce("loss/linear_cross_entropy", "reduce_losses");
  const Tensor& input = problem.input;
  const int64_t rows = problem.rows;
  const bool on_cpu = input.is_cpu();
  Tensor lse = allocate_output({rows}, {}, problem.acc_options);
  const bool is_none = reduction == at::Reduction::None;
  Tensor total_weight = at::zeros({}, problem.acc_options);
  const Tensor statistics = allocate_output({4, rows}, {}, problem.acc_options);
  const Tensor buffer = problem.buffer();
  const int64_t block = on_cpu ? 256 : 2048;
  const LaunchOptions options = row_options(block);
  Problem::chunks(rows, kRowsPerChunk, [&](int64_t row, int64_t row_count) {
    const Tensor chunk_target = problem.target.narrow(0, row, row_count);
    const Tensor chunk_statistics = statistics.narrow(1, row, row_count);
    Problem::chunks(problem.classes, kClassesPerChunk, [&](int64_t first, int64_t count) {
      const Tensor logits = problem.logits(buffer, row, row_count, first, count);
      launch(update, options, grid_1d(row_count), input, logits, problem.bias, chunk_target,
             problem.class_weight, written(chunk_statistics), row_count, rows, first, stride(count),
             stride(logits.stride(0)), constant(problem.acc), constant(first == 0),
             constant(label_smoothing != 0.0), constant(block));
    });
  });
  const Tensor losses = allocate_output({rows}, {}, problem.acc_options);
  const Tensor weights = allocate_output({rows}, {}, problem.acc_options);
  with_number(label_smoothing, problem.acc, [&](auto smoothing) {
    launch(finish, row_options(128), grid_1d(ceil_div(rows, 128)), input, statistics,
           problem.target, problem.class_weight, problem.weight_sum, written(lse), written(losses),
           written(weights), rows, problem.classes, ignore_index, smoothing, constant(problem.acc),
           constant(128));
  });
  if (is_none) return {losses.to(input.scalar_type()), lse, total_weight};
  Tensor loss = allocate_output({}, {}, input.options());
  launch(reduce, row_options(1024), grid_1d(1), input, losses, weights, written(loss),
         written(total_weight), rows, constant(problem.acc),
         constant(reduction == at::Reduction::Mean), constant(on_cpu ? 64 : 1024));
  return {loss, lse, total_weight};
}

// Adds a product to a gradient. Partial products are rounded to 16 bits once each and added in 32,
// so that the number of chunks does not add to the error.
void accumulate(Tensor& total, const Tensor& a, const Tensor& b, bool is_first) {
  if (total.scalar_type() == a.scalar_type() && is_first)
    at::mm_out(total, a, b);
  else if (is_first)
    total.copy_(at::mm(a, b));
  else
    total.add_(at::mm(a, b));
}

// Gradients of input, weight and bias.
std::tuple<Tensor, Tensor, Tensor> backward_in_chunks(const Problem& problem, const Tensor& grad,
                                                      const Tensor& lse, const Tensor& total_weight,
                                                      int64_t reduction, int64_t ignore_index,
                                                      double label_smoothing,
                                                      std::array<bool, 3> mask) {
  static const Kernel gradient("loss/linear_cross_entropy", "gradient");
  const Tensor& input = problem.input;
  const Tensor& weight = problem.weight;
  const int64_t rows = problem.rows;
  Tensor grad_input, grad_weight, grad_bias;
  const bool in_chunks_of_rows = rows > kRowsPerChunk;
  const bool in_chunks_of_classes = problem.classes > kClassesPerChunk;
  const auto total_options = [&](bool in_chunks) {
    return in_chunks ? problem.acc_options : input.options();
  };
  if (mask[0])
    grad_input = allocate_output(problem.input.sizes(), {}, total_options(in_chunks_of_classes));
  if (mask[1]) grad_weight = allocate_output(weight.sizes(), {}, input.options());
  if (mask[2]) grad_bias = allocate_output({problem.classes}, {}, problem.acc_options);
  const Tensor buffer = problem.buffer();
  const int64_t block = input.is_cpu() ? 256 : 2048;
  const bool is_none = reduction == at::Reduction::None;
  const Tensor dense_grad = grad.contiguous();
  Problem::chunks(problem.classes, kClassesPerChunk, [&](int64_t first, int64_t count) {
    Tensor weight_total, bias_total;
    const Tensor weight_chunk = weight.narrow(0, first, count);
    if (mask[1])
      weight_total = in_chunks_of_rows
                         ? allocate_output(weight_chunk.sizes(), {}, problem.acc_options)
                         : grad_weight.narrow(0, first, count);
    if (mask[2]) bias_total = grad_bias.narrow(0, first, count);
    Problem::chunks(rows, kRowsPerChunk, [&](int64_t row, int64_t row_count) {
      const Tensor logits = problem.logits(buffer, row, row_count, first, count);
      Grid grid = grid_1d(row_count);
      grid.y = static_cast<int32_t>(ceil_div(count, block));
      with_number(label_smoothing, problem.acc, [&](auto smoothing) {
        launch(gradient, row_options(block), grid, input, written(logits), problem.bias,
               problem.target.narrow(0, row, row_count), problem.class_weight, problem.weight_sum,
               lse.narrow(0, row, row_count),
               is_none ? dense_grad.narrow(0, row, row_count) : dense_grad, total_weight, first,
               stride(count), problem.classes, ignore_index, smoothing, stride(logits.stride(0)),
               int64_t{is_none ? 1 : 0}, constant(problem.acc),
               constant(reduction == at::Reduction::Mean), constant(block));
      });
      if (mask[0]) {
        Tensor part = grad_input.narrow(0, row, row_count);
        accumulate(part, logits, weight_chunk, first == 0);
      }
      if (mask[1])
        accumulate(weight_total, logits.t(), problem.input.narrow(0, row, row_count), row == 0);
      if (mask[2]) {
        const Tensor part = logits.sum(at::IntArrayRef{0}, false, bias_total.scalar_type());
        if (row == 0)
          bias_total.copy_(part);
        else
          bias_total.add_(part);
      }
    });
    if (mask[1] && in_chunks_of_rows) grad_weight.narrow(0, first, count).copy_(weight_total);
  });
  if (mask[0]) grad_input = grad_input.to(input.scalar_type());
  if (mask[2]) grad_bias = grad_bias.to(problem.bias.scalar_type());
  return {grad_input, grad_weight, grad_bias};
}

std::tuple<Tensor, Tensor, Tensor> forward(const Tensor& input, const Tensor& weight,
                                           OptionalTensor bias, const Tensor& target,
                                           OptionalTensor class_weight, int64_t reduction,
                                           int64_t ignore_index, double label_smoothing) {
  const DeviceGuard guard(input);
  const Problem problem(input, weight, bias, target, class_weight);
  problem.check_targets(ignore_index);
  TORCH_CHECK(label_smoothing >= 0.0 && label_smoothing <= 1.0,
              "label_smoothing must be between 0.0 and 1.0. Got: ", label_smoothing);
  if (problem.rows > 0) {
    try {
      return forward_in_chunks(problem, reduction, ignore_index, label_smoothing);
    } catch (const dispatch::Refusal&) {
    }
  }
  return Composed(problem, ignore_index, label_smoothing).forward(reduction);
}

std::tuple<Tensor, Tensor, Tensor> backward(const Tensor& grad, const Tensor& input,
                                            const Tensor& weight, OptionalTensor bias,
                                            const Tensor& target, OptionalTensor class_weight,
                                            const Tensor& lse, const Tensor& total_weight,
                                            int64_t reduction, int64_t ignore_index,
                                            double label_smoothing, std::array<bool, 3> mask) {
  const DeviceGuard guard(input);
  const Problem problem(input, weight, bias, target, class_weight);
  mask[2] = mask[2] && problem.bias.defined();
  if (problem.rows > 0) {
    try {
      return backward_in_chunks(problem, grad, lse, total_weight, reduction, ignore_index,
                                label_smoothing, mask);
    } catch (const dispatch::Refusal&) {
    }
  }
  return Composed(problem, ignore_index, label_smoothing)
      .backward(grad, lse, total_weight, reduction, mask);
}

void register_kernels(torch::Library& library) {
  library.impl("linear_cross_entropy", &forward);
  library.impl("linear_cross_entropy_backward", &backward);
}

TORCH_LIBRARY_FRAGMENT(tilewise, library) {
  library.def(
      "linear_cross_entropy(Tensor input, Tensor weight, Tensor? bias, Tensor target, "
      "Tensor? class_weight, int reduction, int ignore_index, float label_smoothing) "
      "-> (Tensor loss, Tensor lse, Tensor total_weight)");
  library.def(
      "linear_cross_entropy_backward(Tensor grad, Tensor input, Tensor weight, Tensor? bias, "
      "Tensor target, Tensor? class_weight, Tensor lse, Tensor total_weight, int reduction, "
      "int ignore_index, float label_smoothing, bool[3] output_mask) -> (Tensor, Tensor, Tensor)");
}
TORCH_LIBRARY_IMPL(tilewise, CPU, library) { register_kernels(library); }
TORCH_LIBRARY_IMPL(tilewise, CUDA, library) { register_kernels(library); }

}  // namespace
}  // namespace tilewise::ops
