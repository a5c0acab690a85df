// SPDX-License-Identifier: Apache-2.0
#include <ATen/MemoryOverlap.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/glu_meta.h>

#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

struct Glu : StructuredOp<at::meta::structured_glu> {
  void impl(const Tensor&, int64_t, const Tensor&) {
    static PointwiseFunction function("activation:glu", kFloating);
    function.run(*this, common_dtype(), {});  // the iterator holds both halves
  }
};
TILEWISE_STRUCTURED(Glu, "glu");

const char* refuse_glu_backward(const Tensor& grad_output, const Tensor& self, int64_t dim) {
  if (self.dim() == 0 || dim < -self.dim() || dim >= self.dim()) return "glu: no such dimension";
  if (dim < 0) dim += self.dim();
  bool fits = grad_output.dim() == self.dim() && grad_output.scalar_type() == self.scalar_type();
  for (int64_t d = 0; fits && d < self.dim(); ++d)
    fits = self.size(d) == grad_output.size(d) * (d == dim ? 2 : 1);
  return fits ? nullptr : "glu: arguments do not fit";
}

// Both halves of the gradient are outputs of one kernel. Whole tensors are the iterator's operands,
// in the shape of a half, and the second halves are other addresses: four views would take as long
// as all else in a small call.
void glu_backward(const Tensor& grad_output, const Tensor& self, int64_t dim,
                  const Tensor& grad_input) {
  static PointwiseFunction function("activation:glu_backward", kFloating);
  if (dim < 0) dim += self.dim();
  auto iter = at::TensorIteratorConfig()
                  .set_check_mem_overlap(false)  // two outputs are one tensor
                  .check_all_same_dtype(false)   // they are
                  .resize_outputs(false)
                  .declare_static_shape(grad_output.sizes())
                  .add_output(grad_input)
                  .add_output(grad_input)
                  .add_const_input(grad_output)
                  .add_const_input(self)
                  .add_const_input(self)
                  .build();
  const auto move_to_second_half = [&](int operand, const Tensor& tensor) {
    const int64_t elements = grad_output.size(dim) * tensor.stride(dim);
    auto* first = static_cast<char*>(iter.data_ptr(operand));
    iter.unsafe_replace_operand(operand, first + elements * tensor.element_size());
  };
  move_to_second_half(1, grad_input);
  move_to_second_half(4, self);
  function.run(iter, self.scalar_type(), {});
}

struct GluBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, int64_t dim) {
    return refuse_glu_backward(grad_output, self, dim);
  }
  static Tensor call(const Tensor& grad_output, const Tensor& self, int64_t dim) {
    Tensor grad_input = allocate_output(self.sizes(), {}, self.options());
    glu_backward(grad_output, self, dim, grad_input);
    return grad_input;
  }
};
TILEWISE_OPERATOR(GluBackward, "glu_backward");

struct GluBackwardOut : PlainOp {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, int64_t dim,
                            const Tensor& grad_input) {
    if (grad_input.scalar_type() != self.scalar_type()) return "out= of another dtype";
    if (at::has_internal_overlap(grad_input) == at::MemOverlap::Yes ||
        at::get_overlap_status(grad_input, grad_output) == at::MemOverlapStatus::Partial ||
        at::get_overlap_status(grad_input, self) == at::MemOverlapStatus::Partial)
      return "out= overlaps";
    return refuse_glu_backward(grad_output, self, dim);
  }
  static Tensor& call(const Tensor& grad_output, const Tensor& self, int64_t dim,
                      Tensor& grad_input) {
    at::native::resize_output(grad_input, self.sizes());
    glu_backward(grad_output, self, dim, grad_input);
    return grad_input;
  }
};
TILEWISE_OPERATOR(GluBackwardOut, "glu_backward.grad_input");

// On the CPU PyTorch keeps exp(-|x|) for the backward pass, and both results are contiguous; on
// GPUs the buffer stays empty.
std::tuple<Tensor, Tensor> log_sigmoid(const Tensor& self, const Tensor& output,
                                       const Tensor& buffer) {
  static PointwiseFunction with_buffer("activation:log_sigmoid", kFloating);
  static PointwiseFunction alone("activation:log_sigmoid_alone", kFloating);
  at::TensorIteratorConfig config;
  config.add_output(output);
  if (self.is_cpu()) config.add_output(buffer);
  auto iter = config.add_const_input(self).build();
  (self.is_cpu() ? with_buffer : alone).run(iter, self.scalar_type(), {});
  return {output, buffer};
}

struct LogSigmoid : PlainOp {
  static std::tuple<Tensor, Tensor> call(const Tensor& self) {
    if (!self.is_cpu())
      return log_sigmoid(self, at::empty_like(self), allocate_output({0}, {}, self.options()));
    const auto format = at::MemoryFormat::Contiguous;
    return log_sigmoid(self, at::empty_like(self, {}, format), at::empty_like(self, {}, format));
  }
};
TILEWISE_OPERATOR(LogSigmoid, "log_sigmoid_forward");

struct LogSigmoidOut : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& output, const Tensor& buffer) {
    const bool matches =
        output.scalar_type() == self.scalar_type() && buffer.scalar_type() == self.scalar_type();
    return matches ? nullptr : "out= of another dtype";
  }
  static std::tuple<Tensor&, Tensor&> call(const Tensor& self, Tensor& output, Tensor& buffer) {
    at::native::resize_output(output, self.sizes());
    if (self.is_cpu()) at::native::resize_output(buffer, self.sizes());
    log_sigmoid(self, output, buffer);
    return {output, buffer};
  }
};
TILEWISE_OPERATOR(LogSigmoidOut, "log_sigmoid_forward.output");

struct PreluBackward : PlainOp {
  static const char* refuse(const Tensor& grad_output, const Tensor& self, const Tensor& weight) {
    const bool matches = grad_output.scalar_type() == self.scalar_type() &&
                         weight.scalar_type() == self.scalar_type();
    return matches ? nullptr : "prelu: dtypes differ";
  }
  static std::tuple<Tensor, Tensor> call(const Tensor& grad_output, const Tensor& self,
                                         const Tensor& weight) {
    static PointwiseFunction function("activation:prelu_backward", kFloating);
    Tensor grad_self = at::empty({0}, self.options());
    Tensor grad_weight = at::empty({0}, weight.options());
    auto iter = at::TensorIteratorConfig()
                    .add_output(grad_self)
                    .add_output(grad_weight)
                    .add_const_input(self)
                    .add_const_input(weight)
                    .add_const_input(grad_output)
                    .build();
    function.run(iter, self.scalar_type(), {});
    return {grad_self, grad_weight};
  }
};
TILEWISE_OPERATOR(PreluBackward, "_prelu_kernel_backward");

// Which types there are is decided in ATen's kernel.
struct AddRelu : PointwiseOp<AddRelu, BinaryWith<const at::Scalar&>> {
  static const char* refuse(const Tensor& self, const auto&...) {
    switch (self.scalar_type()) {
      case at::kChar:
      case at::kShort:
      case at::kInt:
      case at::kLong:
      case at::kFloat:
      case at::kDouble:
        return nullptr;
      default:
        return "_add_relu: dtype";
    }
  }
  TILEWISE_FUNCTION("activation:add_relu", kInteger | kSingle)
};
TILEWISE_STRUCTURED(AddRelu, "_add_relu.Tensor");

}  // namespace
}  // namespace tilewise::ops
