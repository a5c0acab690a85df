// SPDX-License-Identifier: Apache-2.0
// Normals with a mean or a standard deviation for each element: standard normals, and one pass that
// shifts and scales them. (normal_ and normal.Tensor_float are beside the other fills.)
#include <ATen/ExpandUtils.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/amin.h>

#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/random/distribution.h"

namespace tilewise::ops {
namespace {

const char* refuse_parameters(const Tensor& mean, const Tensor& std) {
  if (!mean.is_floating_point() || mean.scalar_type() != std.scalar_type())
    return "normal: dtypes of the parameters";
  return at::are_expandable(mean.sizes(), std.sizes()) ? nullptr : "normal: shapes";
}

// PyTorch raises for negative deviations, on a GPU by waiting for it.
void check_deviations(const Tensor& std) {
  if (std.numel() == 0) return;
  if (!(at::amin(std).item<double>() >= 0)) throw dispatch::Refusal{"normal: deviations"};
}

// PyTorch has rules of its own for results that are given.
const char* refuse_out(const Tensor& out, at::IntArrayRef sizes, at::ScalarType dtype) {
  if (out.scalar_type() != dtype) return "normal: dtype of out=";
  if (out.numel() != 0 && out.sizes() != sizes) return "out= is resized with a warning";
  return out.numel() == 0 || out.is_non_overlapping_and_dense()
             ? nullptr
             : "random fill of a tensor with gaps";
}

// A mean for each element, or one for all.
template <class Mean>
void draw(const Tensor& out, const Mean& mean, const Tensor& std,
          const OptionalGenerator& generator) {
  static PointwiseFunction normal("arithmetic:scale_and_shift", kFloating);
  check_deviations(std);
  fill_random(Distribution::normal, out, generator, 0, 1);
  if (out.numel() == 0) return;
  at::TensorIteratorConfig config;
  config.add_output(out).add_const_input(out).add_const_input(std).resize_outputs(false);
  if constexpr (std::is_same_v<Mean, Tensor>) config.add_const_input(mean);
  auto iter = config.build();
  PointwiseArguments arguments;
  arguments.add(mean);
  normal.run(iter, out.scalar_type(), arguments);
}

struct NormalTensorTensor : PlainOp {
  static const char* refuse(const Tensor& mean, const Tensor& std, const OptionalGenerator&) {
    return refuse_parameters(mean, std);
  }
  static Tensor call(const Tensor& mean, const Tensor& std, OptionalGenerator generator) {
    Tensor out = allocate_output(at::infer_size(mean.sizes(), std.sizes()), {}, mean.options());
    draw(out, mean, std, generator);
    return out;
  }
};
TILEWISE_OPERATOR(NormalTensorTensor, "normal.Tensor_Tensor");

struct NormalTensorTensorOut : PlainOp {
  static const char* refuse(const Tensor& mean, const Tensor& std, const OptionalGenerator&,
                            const Tensor& out) {
    if (const char* reason = refuse_parameters(mean, std)) return reason;
    if (out.is_alias_of(mean) || out.is_alias_of(std)) return "normal: out= is a parameter";
    return refuse_out(out, at::infer_size(mean.sizes(), std.sizes()), mean.scalar_type());
  }
  static Tensor& call(const Tensor& mean, const Tensor& std, OptionalGenerator generator,
                      Tensor& out) {
    at::native::resize_output(out, at::infer_size(mean.sizes(), std.sizes()));
    draw(out, mean, std, generator);
    return out;
  }
};
TILEWISE_OPERATOR(NormalTensorTensorOut, "normal.Tensor_Tensor_out");

struct NormalFloatTensor : PlainOp {
  static const char* refuse(double, const Tensor& std, const OptionalGenerator&) {
    return std.is_floating_point() ? nullptr : "normal: dtypes of the parameters";
  }
  static Tensor call(double mean, const Tensor& std, OptionalGenerator generator) {
    Tensor out = allocate_output(std.sizes(), {}, std.options());
    draw(out, mean, std, generator);
    return out;
  }
};
TILEWISE_OPERATOR(NormalFloatTensor, "normal.float_Tensor");

struct NormalFloatTensorOut : PlainOp {
  static const char* refuse(double, const Tensor& std, const OptionalGenerator&,
                            const Tensor& out) {
    if (!std.is_floating_point()) return "normal: dtypes of the parameters";
    if (out.is_alias_of(std)) return "normal: out= is a parameter";
    return refuse_out(out, std.sizes(), std.scalar_type());
  }
  static Tensor& call(double mean, const Tensor& std, OptionalGenerator generator, Tensor& out) {
    at::native::resize_output(out, std.sizes());
    draw(out, mean, std, generator);
    return out;
  }
};
TILEWISE_OPERATOR(NormalFloatTensorOut, "normal.float_Tensor_out");

}  // namespace
}  // namespace tilewise::ops
