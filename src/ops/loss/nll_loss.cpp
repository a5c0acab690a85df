// SPDX-License-Identifier: Apache-2.0
#include <ATen/core/Reduction.h>
#include <ATen/ops/nll_loss_backward_meta.h>
#include <ATen/ops/nll_loss_forward_meta.h>

#include <algorithm>
#include <limits>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {
namespace {

// self [outer, classes, inner], target and losses [outer, inner]: the views of an image loss; of
// [rows, classes], inner is 1. `losses` (the result, or its gradient) may be 0-dimensional.
struct Rows {
  Rows(const Tensor& self, const Tensor& target, const Tensor& losses) {
    const int64_t class_axis = self.dim() == 1 ? 0 : 1;
    classes = self.size(class_axis);
    class_stride = self.stride(class_axis);
    if (self.dim() == 1) return;  // one row
    const bool has_losses = losses.dim() == target.dim();
    if (self.dim() == 2) {  // The rows are the outer dimension: no division in the kernel.
      position.outer = self.size(0);
      position.outer_stride = {self.stride(0), target.stride(0), has_losses ? losses.stride(0) : 0};
      return;
    }
    Dimensions kept;
    for (int64_t i = 0; i < target.dim(); ++i)
      kept.add(target.size(i), {self.stride(i < class_axis ? i : i + 1), target.stride(i),
                                has_losses ? losses.stride(i) : 0});
    const auto pair = kept.collapse_in_order();
    if (!pair) throw dispatch::Refusal{"nll_loss of positions that do not collapse to two"};
    position = *pair;
  }
  int64_t count() const { return position.numel(); }
  // Whether programs take rows of one outer index each: where those are many.
  bool is_split() const { return position.inner >= 512; }
  // Programs of `block` rows.
  int64_t blocks(int64_t block) const {
    return is_split() ? position.outer * ceil_div(position.inner, block) : ceil_div(count(), block);
  }
  DimensionPair position;
  int64_t classes = 1;
  int64_t class_stride = 1;
};

DType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

// On a GPU the kernel asserts that targets are classes, as PyTorch's; on a CPU PyTorch's own kernel
// raises.
template <class Index>
bool has_foreign_target(const Tensor& target, int64_t classes, int64_t ignore_index) {
  const Index* data = target.const_data_ptr<Index>();
  bool found = false;
  const auto look = [&](int64_t offset) {
    const auto value = static_cast<int64_t>(data[offset]);
    // One comparison, as unsigned numbers: a negative one is no class either.
    found |=
        (value != ignore_index) & (static_cast<uint64_t>(value) >= static_cast<uint64_t>(classes));
  };
  if (target.is_contiguous()) {
    for (int64_t i = 0; i < target.numel(); ++i) look(i);
    return found;
  }
  const auto size = [&](int64_t d) { return d < target.dim() ? target.size(d) : 1; };
  const auto step = [&](int64_t d) { return d < target.dim() ? target.stride(d) : 0; };
  for (int64_t i = 0; i < size(0); ++i)
    for (int64_t j = 0; j < size(1); ++j)
      for (int64_t k = 0; k < size(2); ++k) look(i * step(0) + j * step(1) + k * step(2));
  return found;
}

const char* refuse_nll(const Tensor& self, const Tensor& target, const auto& weight,
                       int64_t ignore_index, int64_t classes) {
  if (!self.is_floating_point()) return "nll_loss of a dtype that is not floating";
  const bool has_weight = weight.has_value() && weight->defined();
  if (has_weight && weight->scalar_type() != self.scalar_type())
    return "nll_loss: dtypes of input and weight";
  if (has_weight && !weight->is_contiguous()) return "nll_loss: weight is not contiguous";
  const bool is_long = target.scalar_type() == at::kLong;
  if (!is_long && target.scalar_type() != at::kByte) return "nll_loss: dtype of target";
  if (target.numel() == 0) return "nll_loss of no rows";
  if (self.is_cpu() && target.is_cpu() &&
      (is_long ? has_foreign_target<int64_t>(target, classes, ignore_index)
               : has_foreign_target<uint8_t>(target, classes, ignore_index)))
    return "nll_loss: target out of bounds";
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
  const Rows rows(self, target, out);
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
  const int64_t block = on_cpu ? 64 : 256;
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
  const Rows rows(grad_input, target, grad_output);
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
