// SPDX-License-Identifier: Apache-2.0
// multi_margin_loss and multilabel_margin_loss with their gradients.
#include <ATen/core/Reduction.h>
#include <ATen/ops/aminmax.h>

#include <algorithm>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

DType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

// A vector is a matrix of one row.
struct Matrix {
  explicit Matrix(const Tensor& tensor)
      : rows(tensor.dim() == 2 ? tensor.size(0) : 1),
        classes(tensor.dim() == 0 ? 1 : tensor.sizes().back()),
        row_stride(tensor.dim() == 2 ? tensor.stride(0) : 0),
        class_stride(tensor.dim() == 0 ? 1 : tensor.strides().back()) {}
  int64_t rows, classes, row_stride, class_stride;
};

struct Tile {
  Tile(const Matrix& x, bool on_cpu) {
    block = std::clamp<int64_t>(next_power_of_2(x.classes), 16, on_cpu ? 256 : 1024);
    rows = on_cpu ? 1 : std::max<int64_t>(1, 1024 / block);
    options.num_stages = 1;
    options.grain = std::max<int64_t>(1, 16384 / (x.classes * rows));
  }
  int64_t block, rows;
  LaunchOptions options;
};

// What the kernels leave: a loss for each row; a sum or mean of them.
void reduce_rows(const Tensor& losses, int64_t reduction, const Tensor& out) {
  constexpr std::array kZero{Accumulator{Accumulator::compute, "0"}, Accumulator{}, Accumulator{}};
  static Reduction sum{{.module = "reduction/sum", .combine = "add", .accumulators = kZero}};
  static Reduction mean{{.module = "reduction/sum",
                         .combine = "add",
                         .finish = "mean",
                         .accumulators = kZero,
                         .finish_scalars = 1}};
  if (reduction == at::Reduction::Mean)
    mean.run({&losses}, DimensionSet().set(), {&out}, losses.scalar_type(), {losses.numel()});
  else
    sum.run({&losses}, DimensionSet().set(), {&out}, losses.scalar_type());
}

// Calls `run` with a place for the losses, which is `out` itself if nothing is reduced.
template <class Run>
void with_losses(const Tensor& self, const Matrix& x, int64_t reduction, const Tensor& out,
                 const Run& run) {
  if (reduction == at::Reduction::None) return run(out);
  const bool is_wide = self.scalar_type() == at::kDouble;
  const Tensor losses =
      allocate_output({x.rows}, {}, self.options().dtype(is_wide ? at::kDouble : at::kFloat));
  run(losses);
  reduce_rows(losses, reduction, out);
}

const char* refuse_input(const Tensor& self, const Tensor& target) {
  if (!self.is_floating_point() ||
      (self.is_cpu() && self.scalar_type() != at::kFloat && self.scalar_type() != at::kDouble))
    return "margin loss of this dtype";
  if (self.dim() < 1 || self.dim() > 2 || self.numel() == 0) return "margin loss of this shape";
  return target.scalar_type() == at::kLong ? nullptr : "margin loss: dtype of target";
}

// On a CPU PyTorch's own kernel raises.
bool has_foreign_target(const Tensor& target, int64_t least, int64_t classes) {
  if (!target.is_cpu()) return false;
  const auto [lowest, highest] = at::aminmax(target);
  return lowest.item<int64_t>() < least || highest.item<int64_t>() >= classes;
}

const char* refuse_gradient(const Tensor& grad_output, const Tensor& self, int64_t reduction) {
  const int64_t rows = Matrix(self).rows;
  if (grad_output.scalar_type() != self.scalar_type()) return "margin loss: dtype of gradient";
  const bool has_rows = reduction == at::Reduction::None && grad_output.dim() > 0;
  const bool fits = has_rows ? grad_output.dim() == 1 && grad_output.numel() == rows
                             : grad_output.numel() == 1 && grad_output.dim() <= 1;
  return fits ? nullptr : "margin loss: shape of gradient";
}

// Of a mean: with the number of rows.
double gradient_scale(const Matrix& x, int64_t reduction) {
  const int64_t rows = reduction == at::Reduction::Mean ? x.rows : 1;
  return 1.0 / static_cast<double>(x.classes * rows);
}

int64_t gradient_stride(const Tensor& grad_output) {
  return grad_output.numel() > 1 ? grad_output.stride(0) : 0;
}

template <class Run>
void with_numbers(const Tensor& self, const Run& run, std::same_as<double> auto... numbers) {
  if (self.scalar_type() == at::kDouble)
    run(fp64(numbers)...);
  else
    run(numbers...);
}

const char* refuse_multi(const Tensor& self, const Tensor& target, const at::Scalar& p,
                         const at::Scalar& margin, const std::optional<Tensor>& weight) {
  if (const char* reason = refuse_input(self, target)) return reason;
  const Matrix x(self);
  if (target.dim() > 1 || target.numel() != x.rows) return "margin loss: shape of target";
  if (p.isComplex() || margin.isComplex() || (p.toDouble() != 1 && p.toDouble() != 2))
    return "margin loss of another order";
  if (weight.has_value() && weight->defined() &&
      (weight->dim() > 1 || weight->numel() != x.classes || !weight->is_contiguous() ||
       weight->scalar_type() != self.scalar_type()))
    return "margin loss: weight";
  return has_foreign_target(target, 0, x.classes) ? "margin loss: target out of range" : nullptr;
}

struct MultiMarginMeta : at::impl::MetaBase {
  void meta(const Tensor& self, const Tensor& target, const at::Scalar&, const at::Scalar&,
            at::OptionalTensorRef, int64_t reduction) {
    const bool keeps_rows = reduction == at::Reduction::None;
    set_output_raw_strided(0, keeps_rows ? target.sizes() : at::IntArrayRef(), {}, self.options());
  }
};
struct MultiMargin : StructuredOp<MultiMarginMeta> {
  static const char* refuse(const Tensor& self, const Tensor& target, const at::Scalar& p,
                            const at::Scalar& margin, const std::optional<Tensor>& weight,
                            const auto&...) {
    return refuse_multi(self, target, p, margin, weight);
  }
  void impl(const Tensor& self, const Tensor& target, const at::Scalar& p, const at::Scalar& margin,
            at::OptionalTensorRef weight, int64_t reduction, const Tensor& out) {
    static const Kernel kernel("loss/margin_loss", "multi_margin");
    const Matrix x(self);
    const Tile tile(x, self.is_cpu());
    with_losses(self, x, reduction, out, [&](const Tensor& losses) {
      const auto run = [&](auto edge, auto scale) {
        launch(kernel, tile.options, grid_1d(ceil_div(x.rows, tile.rows)), self, self, target,
               weight, written(losses), x.rows, x.classes,
               stride(target.dim() == 0 ? 0 : target.stride(0)), stride(x.row_stride),
               stride(x.class_stride), edge, scale, constant(compute_type(self)),
               constant(p.toLong()), constant(weight.has_value()), constant(tile.rows),
               constant(tile.block));
      };
      with_numbers(self, run, margin.toDouble(), 1.0 / static_cast<double>(x.classes));
    });
  }
};
TILEWISE_STRUCTURED(MultiMargin, "multi_margin_loss");

struct MultiMarginBackwardMeta : at::impl::MetaBase {
  void meta(const Tensor&, const Tensor& self, const Tensor&, const at::Scalar&, const at::Scalar&,
            at::OptionalTensorRef, int64_t) {
    set_output_raw_strided(0, self.sizes(), {}, self.options());
  }
};
struct MultiMarginBackward : StructuredOp<MultiMarginBackwardMeta> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            const at::Scalar& p, const at::Scalar& margin,
                            const std::optional<Tensor>& weight, int64_t reduction,
                            const auto&...) {
    if (const char* reason = refuse_multi(self, target, p, margin, weight)) return reason;
    return refuse_gradient(grad_output, self, reduction);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target,
            const at::Scalar& p, const at::Scalar& margin, const at::OptionalTensorRef& weight,
            int64_t reduction, const Tensor& grad_input) {
    static const Kernel kernel("loss/margin_loss", "multi_margin_backward");
    const Matrix x(self), out(grad_input);
    const Tile tile(x, self.is_cpu());
    const auto run = [&](auto edge, auto scale) {
      launch(kernel, tile.options, grid_1d(ceil_div(x.rows, tile.rows)), self, grad_output, self,
             target, weight, written(grad_input), x.rows, x.classes,
             stride(gradient_stride(grad_output)), stride(target.dim() == 0 ? 0 : target.stride(0)),
             stride(x.row_stride), stride(x.class_stride), stride(out.row_stride),
             stride(out.class_stride), edge, scale, constant(compute_type(self)),
             constant(p.toLong()), constant(weight.has_value()), constant(tile.rows),
             constant(tile.block));
    };
    with_numbers(self, run, margin.toDouble(), gradient_scale(x, reduction));
  }
};
TILEWISE_STRUCTURED(MultiMarginBackward, "multi_margin_loss_backward");

const char* refuse_multilabel(const Tensor& self, const Tensor& target) {
  if (const char* reason = refuse_input(self, target)) return reason;
  if (target.sizes() != self.sizes()) return "margin loss: shape of target";
  return has_foreign_target(target, -1, self.size(-1)) ? "margin loss: target out of range"
                                                       : nullptr;
}

struct MultilabelMeta : at::impl::MetaBase {
  void meta(const Tensor& self, const Tensor& target, int64_t reduction) {
    const bool keeps_rows = reduction == at::Reduction::None && self.dim() == 2;
    set_output_raw_strided(0, keeps_rows ? self.sizes().slice(0, 1) : at::IntArrayRef(), {},
                           self.options());
    set_output_raw_strided(1, target.sizes(), {}, self.options());
  }
};
struct Multilabel : StructuredOp<MultilabelMeta, 2> {
  static const char* refuse(const Tensor& self, const Tensor& target, const auto&...) {
    return refuse_multilabel(self, target);
  }
  void impl(const Tensor& self, const Tensor& target, int64_t reduction, const Tensor& out,
            const Tensor& is_target) {
    static const Kernel kernel("loss/margin_loss", "multilabel");
    const Matrix x(self), labels(target), marks(is_target);
    const Tile tile(x, self.is_cpu());
    with_losses(self, x, reduction, out, [&](const Tensor& losses) {
      const auto run = [&](auto scale) {
        launch(kernel, tile.options, grid_1d(x.rows), self, self, target, written(is_target),
               written(losses), x.classes, stride(x.row_stride), stride(x.class_stride),
               stride(labels.row_stride), stride(labels.class_stride), stride(marks.row_stride),
               stride(marks.class_stride), scale, constant(compute_type(self)),
               constant(tile.block));
      };
      with_numbers(self, run, 1.0 / static_cast<double>(x.classes));
    });
  }
};
TILEWISE_STRUCTURED(Multilabel, "multilabel_margin_loss_forward");

struct MultilabelBackwardMeta : at::impl::MetaBase {
  void meta(const Tensor&, const Tensor& self, const Tensor&, int64_t, const Tensor&) {
    set_output_raw_strided(0, self.sizes(), {}, self.options());
  }
};
struct MultilabelBackward : StructuredOp<MultilabelBackwardMeta> {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& target,
                            int64_t reduction, const Tensor& is_target, const auto&...) {
    if (const char* reason = refuse_multilabel(self, target)) return reason;
    if (is_target.sizes() != target.sizes() || is_target.scalar_type() != self.scalar_type())
      return "margin loss: is_target";
    return refuse_gradient(grad_output, self, reduction);
  }
  void impl(const Tensor& grad_output, const Tensor& self, const Tensor& target, int64_t reduction,
            const Tensor& is_target, const Tensor& grad_input) {
    static const Kernel kernel("loss/margin_loss", "multilabel_backward");
    const Matrix x(self), labels(target), marks(is_target), out(grad_input);
    const Tile tile(x, self.is_cpu());
    const auto run = [&](auto scale) {
      launch(kernel, tile.options, grid_1d(x.rows), self, grad_output, self, target, is_target,
             written(grad_input), x.classes, stride(gradient_stride(grad_output)),
             stride(x.row_stride), stride(x.class_stride), stride(labels.row_stride),
             stride(labels.class_stride), stride(marks.row_stride), stride(marks.class_stride),
             stride(out.row_stride), stride(out.class_stride), scale, constant(compute_type(self)),
             constant(tile.block));
    };
    with_numbers(self, run, gradient_scale(x, reduction));
  }
};
TILEWISE_STRUCTURED(MultilabelBackward, "multilabel_margin_loss_backward");

}  // namespace
}  // namespace tilewise::ops
