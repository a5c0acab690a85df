// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"
#include "ops/framework/scalar_range.h"

namespace tilewise::ops {
namespace {

struct Where : PointwiseOp<Where, WherePreset> {
  static const char* refuse(const Tensor& condition, const auto&...) {
    return condition.scalar_type() == at::kBool ? nullptr : "where: condition is not bool";
  }
  static PointwiseFunction& function() {
    static PointwiseFunction instance("comparison:select", kAll | kUnsigned);
    return instance;
  }
};
TILEWISE_STRUCTURED(Where, "where.self");

// masked_fill keeps the type of self, whatever the value's.
void fill_masked(at::TensorIteratorConfig& config, const Tensor& self, const Tensor& mask,
                 const at::Scalar& value) {
  static PointwiseFunction function("comparison:masked_fill");
  auto iter =
      config.check_all_same_dtype(false).add_const_input(self).add_const_input(mask).build();
  PointwiseArguments arguments;
  arguments.add(value);
  function.run(iter, self.scalar_type(), arguments);
}

const char* refuse_masked_fill(const Tensor& self, const Tensor& mask, const at::Scalar& value) {
  if (mask.scalar_type() != at::kBool) return "masked_fill: mask is not bool";
  return is_representable(value, self.scalar_type()) ? nullptr : "value does not fit the dtype";
}

struct MaskedFillInPlace : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& mask, const at::Scalar& value) {
    if (!at::is_expandable_to(mask.sizes(), self.sizes())) return "shapes do not broadcast";
    return refuse_masked_fill(self, mask, value);
  }
  static Tensor& call(Tensor& self, const Tensor& mask, const at::Scalar& value) {
    at::TensorIteratorConfig config;
    config.add_output(self).resize_outputs(false);
    fill_masked(config, self, mask, value);
    return self;
  }
};
TILEWISE_OPERATOR(MaskedFillInPlace, "masked_fill_.Scalar");

// The result is contiguous, as ATen's clone of the expanded self is.
struct MaskedFill : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& mask, const at::Scalar& value) {
    return refuse_masked_fill(self, mask, value);
  }
  static Tensor call(const Tensor& self, const Tensor& mask, const at::Scalar& value) {
    Tensor result = allocate_output(at::infer_size(self.sizes(), mask.sizes()), {}, self.options());
    at::TensorIteratorConfig config;
    config.add_output(result).resize_outputs(false);
    fill_masked(config, self, mask, value);
    return result;
  }
};
TILEWISE_OPERATOR(MaskedFill, "masked_fill.Scalar");

// The value is a 0-dim tensor, which the kernel reads where it lies: no wait for a GPU.
void fill_masked(at::TensorIteratorConfig& config, const Tensor& self, const Tensor& mask,
                 const Tensor& value) {
  static PointwiseFunction function("comparison:masked_fill", kAll | kUnsigned);
  auto iter = config.check_all_same_dtype(false)
                  .add_const_input(self)
                  .add_const_input(mask)
                  .add_const_input(value)
                  .build();
  function.run(iter, self.scalar_type(), {});
}

// A value of another type must fit, which only its number tells.
const char* refuse_masked_fill(const Tensor& self, const Tensor& mask, const Tensor& value) {
  if (value.dim() != 0) return "masked_fill: value has dimensions";
  if (value.device() != self.device()) return refuse_masked_fill(self, mask, value.item());
  if (value.scalar_type() != self.scalar_type()) return "masked_fill: value of another dtype";
  return mask.scalar_type() == at::kBool ? nullptr : "masked_fill: mask is not bool";
}

struct MaskedFillTensorInPlace : PlainOp {
  static constexpr bool kCpuScalarsAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& mask, const Tensor& value) {
    if (!at::is_expandable_to(mask.sizes(), self.sizes())) return "shapes do not broadcast";
    return refuse_masked_fill(self, mask, value);
  }
  static Tensor& call(Tensor& self, const Tensor& mask, const Tensor& value) {
    if (value.device() != self.device()) return MaskedFillInPlace::call(self, mask, value.item());
    at::TensorIteratorConfig config;
    config.add_output(self).resize_outputs(false);
    fill_masked(config, self, mask, value);
    return self;
  }
};
TILEWISE_OPERATOR(MaskedFillTensorInPlace, "masked_fill_.Tensor");

struct MaskedFillTensor : PlainOp {
  static constexpr bool kCpuScalarsAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& mask, const Tensor& value) {
    return refuse_masked_fill(self, mask, value);
  }
  static Tensor call(const Tensor& self, const Tensor& mask, const Tensor& value) {
    if (value.device() != self.device()) return MaskedFill::call(self, mask, value.item());
    Tensor result = allocate_output(at::infer_size(self.sizes(), mask.sizes()), {}, self.options());
    at::TensorIteratorConfig config;
    config.add_output(result).resize_outputs(false);
    fill_masked(config, self, mask, value);
    return result;
  }
};
TILEWISE_OPERATOR(MaskedFillTensor, "masked_fill.Tensor");

}  // namespace
}  // namespace tilewise::ops
