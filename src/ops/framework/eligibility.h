// SPDX-License-Identifier: Apache-2.0
// The checks every operator shares, made before anything is allocated: is a scope in force for this
// overload, and are its tensors of a kind that Triton kernels can read at all?
#pragma once

#include <ATen/core/Tensor.h>

#include "dispatch/registry.h"
#include "ops/framework/signature.h"

namespace tilewise::ops {

// Whether kernels have an element type for `dtype`; complex, quantized and sub-byte ones have none.
bool has_kernel_dtype(at::ScalarType dtype);

// Complex numbers that kernels see as pairs of a Triton type.
inline bool is_pair(at::ScalarType dtype) {
  return dtype == at::kComplexFloat || dtype == at::kComplexDouble;
}

// Looks at the tensors of one call. `reason` is nullptr while nothing speaks against serving it.
struct TensorInspector {
  TensorInspector(dispatch::Backend backend, int cpu_dims_allowed, bool complex_is_allowed)
      : device_type(backend == dispatch::Backend::cpu ? at::kCPU : at::kCUDA),
        cpu_dims(cpu_dims_allowed),
        complex_allowed(complex_is_allowed) {}

  void operator()(const at::Tensor& tensor) {
    const at::ScalarType dtype = tensor.scalar_type();
    if (!has_kernel_dtype(dtype) && !(complex_allowed && is_pair(dtype)))
      reason = "dtype without a Triton type";
    // PyTorch resolves these views before most operators, not before all.
    if (tensor.is_conj() || tensor.is_neg()) reason = "lazily conjugated or negated tensor";
    if (tensor.layout() != at::kStrided) reason = "layout is not strided";
    const at::Device device = tensor.device();
    if (device.type() == device_type) {
      if (device_index < 0) device_index = device.index();
      // PyTorch raises its own error for tensors on several GPUs.
      if (device.index() != device_index) reason = "tensors on several devices";
    } else if (!(device.is_cpu() && tensor.dim() <= cpu_dims)) {
      reason = "tensors on several devices";
    }
  }

  at::DeviceType device_type;
  int cpu_dims;  // of tensors that may be in the CPU's memory: 0 for numbers, -1 for none
  bool complex_allowed;
  at::DeviceIndex device_index = -1;
  const char* reason = nullptr;
};

// Whether an operator has a kernel for pairs.
template <class Op>
bool takes_complex() {
  if constexpr (requires { Op::kComplexAllowed; })
    return true;
  else if constexpr (requires { Op::function().takes_complex(); })
    return Op::function().takes_complex();
  else
    return false;
}

// Dimensions of tensors that may stay in the CPU's memory beside tensors on a GPU.
template <class Op>
constexpr int cpu_dims_allowed() {
  if constexpr (requires { Op::kCpuVectorsAllowed; }) return 1;
  return Op::kCpuScalarsAllowed ? 0 : -1;
}

// The reason why a call is not served, or nullptr.
template <class Op, class... Args>
const char* find_refusal(const dispatch::OverloadEntry& entry, const Args&... args) {
  TensorInspector inspect(entry.backend, cpu_dims_allowed<Op>(), takes_complex<Op>());
  (visit_tensors(inspect, args), ...);
  if (inspect.reason != nullptr) return inspect.reason;
  if constexpr (requires { Op::refuse(args...); }) return Op::refuse(args...);
  return nullptr;
}

// Counts a fallback, or raises if the scope is strict.
void fall_back(dispatch::OverloadEntry& entry, const dispatch::Scope& scope, const char* reason);

inline bool serves(const dispatch::Scope* scope, const dispatch::OverloadEntry& entry) {
  return scope != nullptr && !scope->excluded[static_cast<size_t>(entry.id)];
}

}  // namespace tilewise::ops
