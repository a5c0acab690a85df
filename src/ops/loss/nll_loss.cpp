// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/Reduction.h>
#include <ATen/ops/nll_loss_backward_meta.h>
#include <ATen/ops/nll_loss_forward_meta.h>

#include <algorithm>
#include <limits>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {
namespace {

// self [rows, classes] and target [rows]; a one-dimensional self is one row.
struct Rows {
  Rows(const Tensor& self, const Tensor& target)
      : count(self.dim() == 2 ? self.size(0) : 1),
        classes(self.size(-1)),
        row_stride(self.dim() == 2 ? self.stride(0) : 0),
        class_stride(self.stride(-1)),
        target_stride(target.dim() == 1 ? target.stride(0) : 0) {}
  int64_t count, classes, row_stride, class_stride, target_stride;
};

DType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

// On a GPU the kernel gives NaN for a target that is no class; on a CPU PyTorch's own kernel
// raises.
template <class Index>
bool has_foreign_target(const Tensor& target, int64_t classes, int64_t ignore_index) {
  const Index* data = target.const_data_ptr<Index>();
  const int64_t step = target.dim() == 1 ? target.stride(0) : 0;
  for (int64_t i = 0; i < target.numel(); ++i) {
    const auto value = static_cast<int64_t>(data[i * step]);
    if (value != ignore_index && (value < 0 || value >= classes)) return true;
  }
  return false;
}

const char* refuse_nll(const Tensor& self, const Tensor& target, const auto& weight,
                       int64_t ignore_index) {
  if (!self.is_floating_point()) return "nll_loss of a dtype that is not floating";
  if (self.dim() < 1 || self.dim() > 2 || target.dim() > 1) return "nll_loss of another rank";
  const bool has_weight = weight.has_value() && weight->defined();
  if (has_weight && weight->scalar_type() != self.scalar_type())
    return "nll_loss: dtypes of input and weight";
  if (has_weight && !weight->is_contiguous()) return "nll_loss: weight is not contiguous";
  const bool is_long = target.scalar_type() == at::kLong;
  if (!is_long && target.scalar_type() != at::kByte) return "nll_loss: dtype of target";
  if (target.numel() == 0) return "nll_loss of no rows";
  if (self.is_cpu() && target.is_cpu() &&
      (is_long ? has_foreign_target<int64_t>(target, self.size(-1), ignore_index)
               : has_foreign_target<uint8_t>(target, self.size(-1), ignore_index)))
    return "nll_loss: target out of bounds";
  return nullptr;
}

struct NllLoss : StructuredOp<at::meta::structured_nll_loss_forward, 2> {
  static const char* refuse(const Tensor& self, const Tensor& target,
                            const std::optional<Tensor>& weight, int64_t, int64_t ignore_index,
                            const auto&...) {
    return refuse_nll(self, target, weight, ignore_index);
  }

  void impl(const Tensor& self, const Tensor& target, at::OptionalTensorRef weight,
            int64_t reduction, int64_t ignore_index, const Tensor& out,
            const Tensor& total_weight) {
    const Rows rows(self, target);
    const DType acc = compute_type(self);
    const bool on_cpu = self.is_cpu();
    LaunchOptions options;
    if (reduction == at::Reduction::None && self.dim() == 2) {
      static const Kernel none("loss/nll_loss", "forward_none");
      const int64_t block = 128;
      options.grain = 64;
      launch(none, options, grid_1d(ceil_div(rows.count, block)), self, self, target, weight,
             written(out), rows.count, stride(rows.classes), ignore_index, stride(rows.row_stride),
             stride(rows.class_stride), stride(rows.target_stride), stride(out.stride(0)),
             constant(acc), constant(weight.has_value()), constant(block));
      total_weight.zero_();
      return;
    }
    static const Kernel partial_sums("loss/nll_loss", "forward_partial");
    static const Kernel combine("loss/nll_loss", "forward_combine");
    const int64_t block = on_cpu ? 64 : 256;
    const int64_t rows_per_chunk =
        std::max<int64_t>(ceil_div(rows.count, 256), on_cpu ? 4096 : block);
    const int64_t chunks = ceil_div(rows.count, rows_per_chunk);
    const Tensor partial = allocate_output(
        {2, chunks}, {}, self.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat));
    launch(partial_sums, options, grid_1d(chunks), self, self, target, weight, written(partial),
           rows.count, stride(rows.classes), rows_per_chunk, ignore_index, stride(rows.row_stride),
           stride(rows.class_stride), stride(rows.target_stride), constant(acc),
           constant(weight.has_value()), constant(block));
    // A single row without reduction is a sum over that row.
    launch(combine, options, grid_1d(1), self, partial, written(out), written(total_weight), chunks,
           constant(acc), constant(reduction == at::Reduction::Mean ? 1 : 2), constant(64));
    if (reduction == at::Reduction::None) total_weight.zero_();
  }
};
TILEWISE_STRUCTURED(NllLoss, "nll_loss_forward");

struct NllLossBackward : StructuredOp<at::meta::structured_nll_loss_backward> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            const std::optional<Tensor>& weight, int64_t, int64_t ignore_index,
                            const Tensor& total_weight, const auto&...) {
    if (grad_output.dim() > 1) return "nll_loss: gradient of another rank";
    if (grad_output.scalar_type() != self.scalar_type() ||
        total_weight.scalar_type() != self.scalar_type())
      return "nll_loss: dtypes of gradient and input";
    return refuse_nll(self, target, weight, ignore_index);
  }

  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target,
            at::OptionalTensorRef weight, int64_t reduction, int64_t ignore_index,
            const Tensor& total_weight, const Tensor& grad_input) {
    static const Kernel kernel("loss/nll_loss", "backward");
    const Rows rows(grad_input, target);
    const bool on_cpu = self.is_cpu();
    // A single row without reduction has one gradient, like a sum.
    const int64_t form = reduction == at::Reduction::None && self.dim() == 1
                             ? static_cast<int64_t>(at::Reduction::Sum)
                             : reduction;
    const int64_t block = std::clamp<int64_t>(next_power_of_2(rows.classes), 16, 1024);
    const int64_t row_block = on_cpu ? 1 : std::clamp<int64_t>(1024 / block, 1, 32);
    Grid grid = grid_1d(ceil_div(rows.count, row_block));
    grid.y = static_cast<int32_t>(ceil_div(rows.classes, block));
    LaunchOptions options;
    options.grain = std::max<int64_t>(1, 32768 / (block * row_block));
    launch(kernel, options, grid, self, grad_output, target, weight, total_weight,
           written(grad_input), rows.count, stride(rows.classes), ignore_index,
           stride(grad_output.dim() == 1 ? grad_output.stride(0) : 0), stride(rows.target_stride),
           stride(rows.row_stride), stride(rows.class_stride), constant(compute_type(self)),
           constant(form), constant(weight.has_value()), constant(row_block), constant(block));
  }
};
TILEWISE_STRUCTURED(NllLossBackward, "nll_loss_backward");

}  // namespace
}  // namespace tilewise::ops
