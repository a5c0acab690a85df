// SPDX-License-Identifier: Apache-2.0
#include <ATen/Dispatch_v2.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstring>

#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"
#include "ops/framework/scalar_range.h"
#include "ops/pointwise/copy_elements.h"
#include "ops/pointwise/float8.h"

namespace tilewise::ops {

void copy_elements(const Tensor& self, const Tensor& src) {
  static PointwiseFunction copy("arithmetic:copy", kAll | kUnsigned, BoolCompute::bit);
  if (self.numel() == 0) return;
  if (is_float8(self.scalar_type()) || is_float8(src.scalar_type())) return copy_float8(self, src);
  auto iter = at::TensorIteratorConfig()
                  .add_output(self)
                  .add_const_input(src)
                  .resize_outputs(false)
                  .check_all_same_dtype(false)
                  .build();
  copy.run(iter, self.is_complex() ? self.scalar_type() : src.scalar_type(), {});
}

namespace {

// Few numbers in the CPU's memory: to look at their layout and launch takes longer than the stores,
// for 8 KiB 0.5 us and 0.1.
constexpr size_t kFilledByHost = size_t{32} << 10;

// The bits of a number as `dtype` stores it.
uint64_t stored_bits(const at::Scalar& value, at::ScalarType dtype) {
  uint64_t bits = 0;
  AT_DISPATCH_V2(dtype, "fill", AT_WRAP([&] {
                   const auto number = value.to<scalar_t>();
                   std::memcpy(&bits, &number, sizeof(number));
                 }),
                 at::kBool, at::kHalf, at::kBFloat16, AT_EXPAND(AT_ALL_TYPES),
                 AT_EXPAND(AT_BAREBONES_UNSIGNED_TYPES));
  return bits;
}

template <class Word>
void fill_words(void* data, size_t bytes, uint64_t bits) {
  std::fill_n(static_cast<Word*>(data), bytes / sizeof(Word), static_cast<Word>(bits));
}

bool filled_by_host(const Tensor& self, const at::Scalar& value) {
  const size_t bytes = self.nbytes();
  if (!self.is_cpu() || bytes > kFilledByHost || !self.is_non_overlapping_and_dense()) return false;
  if (!has_kernel_dtype(self.scalar_type()) || value.isComplex()) return false;
  const uint64_t bits = stored_bits(value, self.scalar_type());
  void* const data = self.mutable_data_ptr();
  const size_t size = self.element_size();
  const auto fill = size == 1 || bits == 0 ? fill_words<uint8_t>
                    : size == 2            ? fill_words<uint16_t>
                    : size == 4            ? fill_words<uint32_t>
                                           : fill_words<uint64_t>;
  fill(data, bytes, bits);
  return true;
}

}  // namespace

void fill_elements(const Tensor& self, const at::Scalar& value) {
  static PointwiseFunction constant("arithmetic:constant", kAll | kUnsigned);
  if (self.numel() == 0 || filled_by_host(self, value)) return;
  auto iter = at::TensorIteratorConfig()
                  .set_check_mem_overlap(false)  // one value everywhere: overlap is harmless
                  .check_all_same_dtype(false)
                  .add_output(self)
                  .resize_outputs(false)
                  .build();
  PointwiseArguments arguments;
  // 0.5 and infinity are True too, of which an integer keeps nothing.
  arguments.add(self.scalar_type() == at::kBool ? at::Scalar(value.to<bool>()) : value);
  constant.run(iter, self.scalar_type(), arguments);
}

namespace {

// Copies and casts within one device; dtype, broadcasting and any strides.
struct Copy : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static bool is_transfer(const Tensor& self, const Tensor& src, bool) {
    return self.device() != src.device();
  }
  static const char* refuse(const Tensor& self, const Tensor& src, bool) {
    // ATen's kernel has the error for shapes and the warning for lost imaginary parts.
    if (!at::is_expandable_to(src.sizes(), self.sizes())) return "shapes do not broadcast";
    if (src.is_complex() && !self.is_complex()) return "complex numbers converted to real ones";
    return nullptr;
  }
  static Tensor& call(Tensor& self, const Tensor& src, bool) {
    if (!self.is_same(src)) copy_elements(self, src);
    return self;
  }
};
}  // namespace

template <>
const char* find_refusal<Copy>(const dispatch::OverloadEntry& entry, const Tensor& self,
                               const Tensor& src, const bool& non_blocking) {
  return find_refusal_of_copy<Copy>(entry, self, src, non_blocking);
}

namespace {

TILEWISE_OPERATOR(Copy, "copy_");

struct FillScalar : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static const char* refuse(const Tensor& self, const at::Scalar& value) {
    return is_representable(value, self.scalar_type()) ? nullptr : "value does not fit the dtype";
  }
  static Tensor& call(Tensor& self, const at::Scalar& value) {
    fill_elements(self, value);
    return self;
  }
};
TILEWISE_OPERATOR(FillScalar, "fill_.Scalar");

// A number in a tensor of no dimensions.
const char* refuse_fill(const Tensor& self, const Tensor& value) {
  if (value.dim() != 0) return "fill with a tensor of several elements";
  if (value.is_complex() && !self.is_complex()) return "complex numbers converted to real ones";
  if (self.device() != value.device() && !is_representable(value.item(), self.scalar_type()))
    return "value does not fit the dtype";
  return nullptr;
}

void fill_with_tensor(Tensor& self, const Tensor& value) {
  if (self.device() != value.device())
    fill_elements(self, value.item());  // in the CPU's memory: no synchronization
  else
    copy_elements(self, self.is_alias_of(value) ? value.clone() : value);
}

struct FillTensor : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static constexpr bool kCpuScalarsAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& value) {
    return refuse_fill(self, value);
  }
  static Tensor& call(Tensor& self, const Tensor& value) {
    fill_with_tensor(self, value);
    return self;
  }
};
TILEWISE_OPERATOR(FillTensor, "fill_.Tensor");

struct FillTensorNew : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static constexpr bool kCpuScalarsAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& value) {
    return refuse_fill(self, value);
  }
  static Tensor call(const Tensor& self, const Tensor& value) {
    Tensor result = at::empty_like(self);
    fill_with_tensor(result, value);
    return result;
  }
};
TILEWISE_OPERATOR(FillTensorNew, "fill.Tensor");

struct Zero : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static const char* refuse(const Tensor& self) {
    return self.scalar_type() == at::kFloat8_e8m0fnu ? "zeros of a type that has none" : nullptr;
  }
  static Tensor& call(Tensor& self) {
    if (is_float8(self.scalar_type()))
      fill_elements(self.view(at::kByte), 0);
    else
      fill_elements(self, 0);
    return self;
  }
};
}  // namespace

template <>
const char* find_refusal<Zero>(const dispatch::OverloadEntry& entry, const Tensor& self) {
  return find_refusal_of_copy<Zero>(entry, self);
}

TILEWISE_OPERATOR(Zero, "zero_");

}  // namespace tilewise::ops
