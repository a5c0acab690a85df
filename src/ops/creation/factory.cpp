// SPDX-License-Identifier: Apache-2.0
#include "ops/creation/factory.h"

#include <c10/core/impl/VirtualGuardImpl.h>

#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

// "cuda" means the current GPU.
c10::Device with_index(c10::Device device) {
  if (device.is_cpu() || device.has_index()) return device;
  return c10::impl::VirtualGuardImpl(device.type()).getDevice();
}

}  // namespace

at::ScalarType default_dtype() { return c10::typeMetaToScalarType(c10::get_default_dtype()); }

const char* FactoryOptions::refuse(at::ScalarType inferred) const {
  if (layout.value_or(at::kStrided) != at::kStrided) return "layout is not strided";
  if (pin_memory.value_or(false)) return "pinned memory";
  return has_kernel_dtype(dtype.value_or(inferred)) ? nullptr : "dtype without a Triton type";
}

const char* FactoryOptions::refuse_like(const at::Tensor& self) const {
  if (device.has_value() && with_index(*device) != self.device()) return "another device";
  return refuse(self.scalar_type());
}

NewTensor::NewTensor(at::IntArrayRef sizes, const FactoryOptions& options,
                     at::ScalarType inferred) {
  const c10::Device device = with_index(options.device.value_or(at::kCPU));
  if (!device.is_cpu()) guard_.reset_device(device);
  for (const int64_t size : sizes)
    if (size < 0) throw dispatch::Refusal{"negative size"};
  tensor_ = allocate_output(
      sizes, {}, at::TensorOptions().dtype(options.dtype.value_or(inferred)).device(device));
}

}  // namespace tilewise::ops
