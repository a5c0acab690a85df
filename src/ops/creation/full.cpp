// SPDX-License-Identifier: Apache-2.0
// Tensors of one value, new and like another one.
#include <ATen/ops/empty_like.h>

#include "ops/creation/factory.h"
#include "ops/framework/scalar_range.h"
#include "ops/pointwise/copy_elements.h"

namespace tilewise::ops {
namespace {

using at::Scalar;
using Dtype = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;
using Format = std::optional<at::MemoryFormat>;

// full(...) of True is bool, of integers int64, of other numbers the default.
at::ScalarType dtype_of(const Scalar& value) {
  if (value.isBoolean()) return at::kBool;
  return value.isIntegral(false) ? at::kLong : default_dtype();
}

const char* refuse_new(c10::SymIntArrayRef size, const Scalar& value, const FactoryOptions& options,
                       at::ScalarType inferred) {
  if (!known_sizes(size).has_value()) return "sizes are symbols";
  if (const char* reason = options.refuse(inferred)) return reason;
  return is_representable(value, options.dtype.value_or(inferred)) ? nullptr
                                                                   : "value does not fit the dtype";
}

Tensor make_new(c10::SymIntArrayRef size, const Scalar& value, const FactoryOptions& options,
                at::ScalarType inferred) {
  NewTensor result(*known_sizes(size), options, inferred);
  fill_elements(*result, value);
  return *result;
}

struct Full : PlainOp {
  static const char* refuse(c10::SymIntArrayRef size, const Scalar& fill_value, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return refuse_new(size, fill_value, {dtype, layout, device, pin_memory}, dtype_of(fill_value));
  }
  static Tensor call(c10::SymIntArrayRef size, const Scalar& fill_value, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    return make_new(size, fill_value, {dtype, layout, device, pin_memory}, dtype_of(fill_value));
  }
};
TILEWISE_OPERATOR(Full, "full");

// The dtype is the default one, whatever the number is.
struct ScalarTensor : PlainOp {
  static const char* refuse(const Scalar& s, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    const FactoryOptions options{dtype, layout, device, pin_memory};
    if (const char* reason = options.refuse(default_dtype())) return reason;
    return is_representable(s, dtype.value_or(default_dtype())) ? nullptr
                                                                : "value does not fit the dtype";
  }
  static Tensor call(const Scalar& s, Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    NewTensor result({}, {dtype, layout, device, pin_memory}, default_dtype());
    fill_elements(*result, s);
    return *result;
  }
};
TILEWISE_OPERATOR(ScalarTensor, "scalar_tensor");

template <int kValue>
struct Constant : PlainOp {
  static const char* refuse(c10::SymIntArrayRef size, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    return refuse_new(size, kValue, {dtype, layout, device, pin_memory}, default_dtype());
  }
  static Tensor call(c10::SymIntArrayRef size, Dtype dtype, Layout layout, Device device,
                     Flag pin_memory) {
    return make_new(size, kValue, {dtype, layout, device, pin_memory}, default_dtype());
  }
};
TILEWISE_OPERATOR(Constant<1>, "ones");
TILEWISE_OPERATOR(Constant<0>, "zeros");

// A tensor beside `self`, of sizes of its own.
const char* refuse_beside(const Tensor& self, c10::SymIntArrayRef size, const Scalar& value,
                          const FactoryOptions& options) {
  if (const char* reason = options.refuse_like(self)) return reason;
  return refuse_new(size, value, options, self.scalar_type());
}

Tensor make_beside(const Tensor& self, c10::SymIntArrayRef size, const Scalar& value,
                   FactoryOptions options) {
  options.device = self.device();
  return make_new(size, value, options, self.scalar_type());
}

struct NewFull : PlainOp {
  static const char* refuse(const Tensor& self, c10::SymIntArrayRef size, const Scalar& fill_value,
                            Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    return refuse_beside(self, size, fill_value, {dtype, layout, device, pin_memory});
  }
  static Tensor call(const Tensor& self, c10::SymIntArrayRef size, const Scalar& fill_value,
                     Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    return make_beside(self, size, fill_value, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(NewFull, "new_full");

template <int kValue>
struct NewConstant : PlainOp {
  static const char* refuse(const Tensor& self, c10::SymIntArrayRef size, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return refuse_beside(self, size, kValue, {dtype, layout, device, pin_memory});
  }
  static Tensor call(const Tensor& self, c10::SymIntArrayRef size, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    return make_beside(self, size, kValue, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(NewConstant<1>, "new_ones");
TILEWISE_OPERATOR(NewConstant<0>, "new_zeros");

// Of the sizes of `self`, in its memory format.
const char* refuse_alike(const Tensor& self, const Scalar& value, const FactoryOptions& options) {
  if (const char* reason = options.refuse_like(self)) return reason;
  return is_representable(value, options.dtype.value_or(self.scalar_type()))
             ? nullptr
             : "value does not fit the dtype";
}

Tensor make_alike(const Tensor& self, const Scalar& value, const FactoryOptions& options,
                  Format memory_format) {
  const Tensor result = at::empty_like(self, options.dtype, options.layout, options.device,
                                       options.pin_memory, memory_format);
  fill_elements(result, value);
  return result;
}

struct FullLike : PlainOp {
  static const char* refuse(const Tensor& self, const Scalar& fill_value, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory, Format) {
    return refuse_alike(self, fill_value, {dtype, layout, device, pin_memory});
  }
  static Tensor call(const Tensor& self, const Scalar& fill_value, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory, Format memory_format) {
    return make_alike(self, fill_value, {dtype, layout, device, pin_memory}, memory_format);
  }
};
TILEWISE_OPERATOR(FullLike, "full_like");

template <int kValue>
struct ConstantLike : PlainOp {
  static const char* refuse(const Tensor& self, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory, Format) {
    return refuse_alike(self, kValue, {dtype, layout, device, pin_memory});
  }
  static Tensor call(const Tensor& self, Dtype dtype, Layout layout, Device device, Flag pin_memory,
                     Format memory_format) {
    return make_alike(self, kValue, {dtype, layout, device, pin_memory}, memory_format);
  }
};
TILEWISE_OPERATOR(ConstantLike<1>, "ones_like");
TILEWISE_OPERATOR(ConstantLike<0>, "zeros_like");

struct FillNew : PlainOp {
  static const char* refuse(const Tensor& self, const Scalar& value) {
    return refuse_alike(self, value, {});
  }
  static Tensor call(const Tensor& self, const Scalar& value) {
    return make_alike(self, value, {}, std::nullopt);
  }
};
TILEWISE_OPERATOR(FillNew, "fill.Scalar");

}  // namespace
}  // namespace tilewise::ops
