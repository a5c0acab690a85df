// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/Reduction.h>
#include <ATen/ops/nll_loss_backward_meta.h>
#include <ATen/ops/nll_loss_forward_meta.h>

#include <algorithm>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/structured_op.h"
#include "ops/loss/class_rows.h"

namespace tilewise::ops {
namespace {

const char* refuse_nll(const Tensor& self, const Tensor& target, const auto& weight,
                       int64_t ignore_index, int64_t classes) {
  if (!self.is_floating_point()) return "nll_loss of a dtype that is not floating";
  const bool has_weight = weight.has_value() && weight->defined();
  if (has_weight && weight->scalar_type() != self.scalar_type())
    return "nll_loss: dtypes of input and weight";
  if (has_weight && !weight->is_contiguous()) return "nll_loss: weight is not contiguous";
  if (target.scalar_type() != at::kLong && target.scalar_type() != at::kByte)
    return "nll_loss: dtype of target";
  if (target.numel() == 0) return "nll_loss of no rows";
  if (has_foreign_target(target, classes, ignore_index)) return "nll_loss: target out of bounds";
  return nullptr;
}

const char* refuse_1d(const Tensor& self, const Tensor& target, const auto& weight,
                      int64_t ignore_index) {
  if (self.dim() < 1 || self.dim() > 2 || target.dim() > 1) return "nll_loss of another rank";
  return refuse_nll(self, target, weight, ignore_index, self.size(-1));
}

const char* refuse_2d(const Tensor& self, const Tensor& target, const auto& weight,
                      int64_t ignore_index) {
  if (self.dim() != 4 || target.dim() != 3) return "nll_loss2d of another rank";
  if (self.size(0) != target.size(0) || self.size(2) != target.size(1) ||
      self.size(3) != target.size(2))
    return "nll_loss2d of shapes that do not match";
  if (weight.has_value() && weight->defined() && weight->numel() != self.size(1))
    return "nll_loss2d: weight of another length";
  if (self.size(1) == 0) return "nll_loss2d of no classes";
  return refuse_nll(self, target, weight, ignore_index, self.size(1));
}

void forward(const Tensor& self, const Tensor& target, at::OptionalTensorRef weight,
             int64_t reduction, int64_t ignore_index, const Tensor& out,
             const Tensor& total_weight) {
  const ClassRows rows(self, target, out);
  const DimensionPair& place = rows.position;
  const DType acc = compute_type(self);
  const bool on_cpu = self.is_cpu();
  LaunchOptions options;
  if (reduction == at::Reduction::None && self.dim() > 1) {
    static const Kernel none("loss/nll_loss", "forward_none");
    const int64_t block = 128;
    options.grain = 64;
    launch(none, options, grid_1d(rows.blocks(block)), self, self, target, weight, written(out),
           rows.count(), stride(place.inner), stride(rows.classes), ignore_index,
           stride(place.outer_stride[0]), stride(place.inner_stride[0]), stride(rows.class_stride),
           stride(place.outer_stride[1]), stride(place.inner_stride[1]),
           stride(place.outer_stride[2]), stride(place.inner_stride[2]), constant(acc),
           constant(weight.has_value()), constant(rows.is_split()), constant(block));
    total_weight.zero_();
    return;
  }
  static const Kernel partial_sums("loss/nll_loss", "forward_partial");
  static const Kernel combine("loss/nll_loss", "forward_combine");
  static const Kernel whole("loss/nll_loss", "forward_whole");
  const int64_t block = !on_cpu ? 256 : rows.count() <= 16 ? 16 : 64;
  // A single row without reduction is a sum over that row.
  const int64_t form = reduction == at::Reduction::Mean ? 1 : 2;
  const int64_t rows_per_chunk =
      std::max<int64_t>(ceil_div(rows.count(), 256), on_cpu ? 4096 : 4 * block);
  const int64_t chunks = rows.blocks(rows_per_chunk);
  if (rows.count() <= rows_per_chunk) {
    launch(whole, options, grid_1d(1), self, self, target, weight, written(out),
           written(total_weight), rows.count(), stride(place.inner), stride(rows.classes),
           ignore_index, stride(place.outer_stride[0]), stride(place.inner_stride[0]),
           stride(rows.class_stride), stride(place.outer_stride[1]), stride(place.inner_stride[1]),
           constant(acc), constant(weight.has_value()), constant(form), constant(block),
           constant(!on_cpu));
    if (reduction == at::Reduction::None) total_weight.zero_();
    return;
  }
  const Tensor partial = allocate_output(
      {2, chunks}, {}, self.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat));
  launch(partial_sums, options, grid_1d(chunks), self, self, target, weight, written(partial),
         rows.count(), stride(place.inner), stride(rows.classes), rows_per_chunk, ignore_index,
         stride(place.outer_stride[0]), stride(place.inner_stride[0]), stride(rows.class_stride),
         stride(place.outer_stride[1]), stride(place.inner_stride[1]), constant(acc),
         constant(weight.has_value()), constant(rows.is_split()), constant(block),
         constant(!on_cpu));
  launch(combine, options, grid_1d(1), self, partial, written(out), written(total_weight), chunks,
         constant(acc), constant(form), constant(64));
}

void backward(const Tensor& grad_output, const Tensor& self, const Tensor& target,
              at::OptionalTensorRef weight, int64_t reduction, int64_t ignore_index,
              const Tensor& total_weight, const Tensor& grad_input) {
  static const Kernel kernel("loss/nll_loss", "backward");
  const ClassRows rows(grad_input, target, grad_output);
  const DimensionPair& place = rows.position;
  const bool on_cpu = self.is_cpu();
  // A single row without reduction has one gradient, like a sum.
  const int64_t form = reduction == at::Reduction::None && self.dim() == 1
                           ? static_cast<int64_t>(at::Reduction::Sum)
                           : reduction;
  const bool lanes_along_rows = place.inner > 1 && rows.class_stride != 1;
  int64_t block, row_block;
  if (lanes_along_rows) {
    row_block = std::clamp<int64_t>(next_power_of_2(rows.count()), 16, on_cpu ? 256 : 512);
    block = on_cpu ? 1 : std::min<int64_t>(2, next_power_of_2(rows.classes));
  } else {
    block = std::clamp<int64_t>(next_power_of_2(rows.classes), 16, 1024);
    row_block = on_cpu ? 1 : std::clamp<int64_t>(1024 / block, 1, 32);
  }
  Grid grid = grid_1d(rows.blocks(row_block));
  grid.y = static_cast<int32_t>(ceil_div(rows.classes, block));
  LaunchOptions options;
  options.grain = std::max<int64_t>(1, 32768 / (block * row_block));
  launch(kernel, options, grid, self, grad_output, target, weight, total_weight,
         written(grad_input), stride(rows.count()), stride(place.inner), stride(rows.classes),
         ignore_index, stride(place.outer_stride[2]), stride(place.inner_stride[2]),
         stride(place.outer_stride[1]), stride(place.inner_stride[1]),
         stride(place.outer_stride[0]), stride(place.inner_stride[0]), stride(rows.class_stride),
         constant(compute_type(self)), constant(form), constant(weight.has_value()),
         constant(lanes_along_rows ? 1 : 0), constant(rows.is_split()), constant(row_block),
         constant(block));
}

struct NllLoss : StructuredOp<at::meta::structured_nll_loss_forward, 2> {
  static const char* refuse(const Tensor& self, const Tensor& target,
                            const std::optional<Tensor>& weight, int64_t, int64_t ignore_index,
                            const auto&...) {
    return refuse_1d(self, target, weight, ignore_index);
  }
  void impl(const Tensor& self, const Tensor& target, at::OptionalTensorRef weight,
            int64_t reduction, int64_t ignore_index, const Tensor& out,
            const Tensor& total_weight) {
    forward(self, target, weight, reduction, ignore_index, out, total_weight);
  }
};
TILEWISE_STRUCTURED(NllLoss, "nll_loss_forward");

const char* refuse_gradient(const Tensor& grad_output, const Tensor& self,
                            const Tensor& total_weight) {
  if (grad_output.scalar_type() != self.scalar_type() ||
      total_weight.scalar_type() != self.scalar_type())
    return "nll_loss: dtypes of gradient and input";
  return nullptr;
}

struct NllLossBackward : StructuredOp<at::meta::structured_nll_loss_backward> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            const std::optional<Tensor>& weight, int64_t, int64_t ignore_index,
                            const Tensor& total_weight, const auto&...) {
    if (grad_output.dim() > 1) return "nll_loss: gradient of another rank";
    if (const char* reason = refuse_gradient(grad_output, self, total_weight)) return reason;
    return refuse_1d(self, target, weight, ignore_index);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target,
            at::OptionalTensorRef weight, int64_t reduction, int64_t ignore_index,
            const Tensor& total_weight, const Tensor& grad_input) {
    backward(grad_output, self, target, weight, reduction, ignore_index, total_weight, grad_input);
  }
};
TILEWISE_STRUCTURED(NllLossBackward, "nll_loss_backward");

// PyTorch declares no meta functions for images: shapes as its kernels give them.
struct NllLoss2dMeta : at::impl::MetaBase {
  void meta(const Tensor& self, const Tensor& target, at::OptionalTensorRef, int64_t reduction,
            int64_t) {
    const auto options = self.options();
    set_output_raw_strided(0, reduction == at::Reduction::None ? target.sizes() : at::IntArrayRef(),
                           {}, options);
    set_output_raw_strided(1, {}, {}, options);
  }
};

struct NllLoss2d : StructuredOp<NllLoss2dMeta, 2> {
  static const char* refuse(const Tensor& self, const Tensor& target,
                            const std::optional<Tensor>& weight, int64_t, int64_t ignore_index,
                            const auto&...) {
    return refuse_2d(self, target, weight, ignore_index);
  }
  void impl(const Tensor& self, const Tensor& target, at::OptionalTensorRef weight,
            int64_t reduction, int64_t ignore_index, const Tensor& out,
            const Tensor& total_weight) {
    forward(self, target, weight, reduction, ignore_index, out, total_weight);
  }
};
TILEWISE_STRUCTURED(NllLoss2d, "nll_loss2d_forward");

struct NllLoss2dBackwardMeta : at::impl::MetaBase {
  void meta(const Tensor&, const Tensor& self, const Tensor&, at::OptionalTensorRef, int64_t,
            int64_t, const Tensor&) {
    set_output_raw_strided(0, self.sizes(), {}, self.options());
  }
};

struct NllLoss2dBackward : StructuredOp<NllLoss2dBackwardMeta> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            const std::optional<Tensor>& weight, int64_t reduction,
                            int64_t ignore_index, const Tensor& total_weight, const auto&...) {
    // PyTorch's kernel wants a contiguous gradient, and raises where self gives it other strides.
    if (!self.is_contiguous()) return "nll_loss2d: input is not contiguous";
    const bool fits = reduction == at::Reduction::None ? grad_output.sizes() == target.sizes()
                                                       : grad_output.numel() == 1;
    if (!fits) return "nll_loss2d: gradient of another shape";
    if (const char* reason = refuse_gradient(grad_output, self, total_weight)) return reason;
    return refuse_2d(self, target, weight, ignore_index);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target,
            at::OptionalTensorRef weight, int64_t reduction, int64_t ignore_index,
            const Tensor& total_weight, const Tensor& grad_input) {
    backward(grad_output, self, target, weight, reduction, ignore_index, total_weight, grad_input);
  }
};
TILEWISE_STRUCTURED(NllLoss2dBackward, "nll_loss2d_backward");

}  // namespace
}  // namespace tilewise::ops
