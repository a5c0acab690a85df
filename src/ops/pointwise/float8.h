// SPDX-License-Identifier: Apache-2.0
// Floating point numbers of 8 bits, which kernels see as bytes: copies, and conversions from and to
// every other type. Operators in general leave them to PyTorch (eligibility.h); those that copy
// specialize find_refusal.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/framework/eligibility.h"

namespace tilewise::ops {

inline bool is_float8(at::ScalarType dtype) {
  return dtype == at::kFloat8_e4m3fn || dtype == at::kFloat8_e5m2 ||
         dtype == at::kFloat8_e4m3fnuz || dtype == at::kFloat8_e5m2fnuz ||
         dtype == at::kFloat8_e8m0fnu;
}

// As copy_elements, where at least one of the two is of 8-bit floats.
void copy_float8(const at::Tensor& self, const at::Tensor& src);

// find_refusal for an operator that takes them.
template <class Op, class... Args>
const char* find_refusal_of_copy(const dispatch::OverloadEntry& entry, const Args&... args) {
  TensorInspector inspect(entry.backend, cpu_dims_allowed<Op>(), takes_complex<Op>());
  auto as_bytes = [&inspect](const at::Tensor& tensor) {
    // No choice between the two in one expression: it would copy the tensor, whose second reference
    // takes Python's lock, 0.1 us.
    if (is_float8(tensor.scalar_type()))
      inspect(tensor.view(at::kByte));
    else
      inspect(tensor);
  };
  (visit_tensors(as_bytes, args), ...);
  if (inspect.reason != nullptr) return inspect.reason;
  if constexpr (requires { Op::refuse(args...); }) return Op::refuse(args...);
  return nullptr;
}

}  // namespace tilewise::ops
