// SPDX-License-Identifier: Apache-2.0
// New tensors with the elements of another one: clone, and conversions of the dtype.
#include <ATen/native/Resize.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/pointwise/copy_elements.h"
#include "ops/pointwise/float8.h"

namespace tilewise::ops {
namespace {

// As at::empty_like, without its way through the dispatcher where strides are kept.
Tensor allocate_like(const Tensor& self, at::ScalarType dtype,
                     std::optional<at::MemoryFormat> memory_format) {
  const bool preserves =
      memory_format.value_or(at::MemoryFormat::Preserve) == at::MemoryFormat::Preserve;
  if (preserves && self.is_non_overlapping_and_dense())
    return allocate_output(self.sizes(), self.strides(), self.options().dtype(dtype));
  return at::empty_like(self, self.options().dtype(dtype), memory_format);
}

struct Clone : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static Tensor call(const Tensor& self, std::optional<at::MemoryFormat> memory_format) {
    Tensor result = allocate_like(self, self.scalar_type(), memory_format);
    copy_elements(result, self);
    return result;
  }
};
}  // namespace

template <>
const char* find_refusal<Clone>(const dispatch::OverloadEntry& entry, const Tensor& self,
                                const std::optional<at::MemoryFormat>& memory_format) {
  return find_refusal_of_copy<Clone>(entry, self, memory_format);
}

namespace {

TILEWISE_OPERATOR(Clone, "clone");

struct ToCopy : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static bool is_transfer(const Tensor& self, std::optional<at::ScalarType>,
                          std::optional<at::Layout>, std::optional<at::Device> device,
                          std::optional<bool>, bool, std::optional<at::MemoryFormat>) {
    if (!device.has_value()) return false;
    if (device->type() != self.device().type()) return true;
    // Without an index it is the current one.
    if (device->is_cpu()) return false;
    const auto index = device->has_index()
                           ? device->index()
                           : c10::impl::VirtualGuardImpl(device->type()).getDevice().index();
    return index != self.device().index();
  }
  static const char* refuse(const Tensor& self, std::optional<at::ScalarType> dtype,
                            std::optional<at::Layout> layout, std::optional<at::Device>,
                            std::optional<bool> pin_memory, bool, std::optional<at::MemoryFormat>) {
    const at::ScalarType target = dtype.value_or(self.scalar_type());
    if (layout.value_or(at::kStrided) != at::kStrided) return "layout is not strided";
    if (pin_memory.value_or(false)) return "pinned memory";
    if (!has_kernel_dtype(target) && !is_pair(target) && !is_float8(target))
      return "dtype without a Triton type";
    if (self.is_complex() && !is_pair(target)) return "complex numbers converted to real ones";
    return nullptr;
  }
  static Tensor call(const Tensor& self, std::optional<at::ScalarType> dtype,
                     std::optional<at::Layout>, std::optional<at::Device>, std::optional<bool>,
                     bool, std::optional<at::MemoryFormat> memory_format) {
    Tensor result = allocate_like(self, dtype.value_or(self.scalar_type()), memory_format);
    copy_elements(result, self);
    return result;
  }
};
}  // namespace

template <>
const char* find_refusal<ToCopy>(const dispatch::OverloadEntry& entry, const Tensor& self,
                                 const std::optional<at::ScalarType>& dtype,
                                 const std::optional<at::Layout>& layout,
                                 const std::optional<at::Device>& device,
                                 const std::optional<bool>& pin_memory, const bool& non_blocking,
                                 const std::optional<at::MemoryFormat>& memory_format) {
  return find_refusal_of_copy<ToCopy>(entry, self, dtype, layout, device, pin_memory, non_blocking,
                                      memory_format);
}

namespace {

TILEWISE_OPERATOR(ToCopy, "_to_copy");

// Of real numbers there is nothing to conjugate, but a copy to make.
void conjugate(const Tensor& out, const Tensor& self) {
  static PointwiseFunction function("complex:conjugate", 0);
  if (!self.is_complex()) return copy_elements(out, self);
  if (self.numel() == 0) return;
  auto iter = at::TensorIteratorConfig().add_output(out).add_const_input(self).build();
  function.run(iter, self.scalar_type(), {});
}

struct ConjugateInPlace : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static Tensor& call(Tensor& self) {
    if (self.is_complex()) conjugate(self, self);
    return self;
  }
};
TILEWISE_OPERATOR(ConjugateInPlace, "conj_physical_");

struct ConjugateOut : PlainOp {
  static constexpr bool kComplexAllowed = true;
  static const char* refuse(const Tensor& self, const Tensor& out) {
    if (out.scalar_type() != self.scalar_type()) return "out= has another dtype than the result";
    // PyTorch warns before it resizes what is not empty.
    return out.sizes() == self.sizes() || out.numel() == 0 ? nullptr
                                                           : "out= is resized with a warning";
  }
  static Tensor& call(const Tensor& self, Tensor& out) {
    at::native::resize_output(out, self.sizes());
    conjugate(out, self);
    return out;
  }
};
TILEWISE_OPERATOR(ConjugateOut, "conj_physical.out");

}  // namespace
}  // namespace tilewise::ops
