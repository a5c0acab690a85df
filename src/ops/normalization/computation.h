// SPDX-License-Identifier: Apache-2.0
// In what norms compute: fp64 for fp64 tensors, fp32 for all others.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"

namespace tilewise::ops {

inline DType compute_type(const at::Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

// Calls `run` with what makes a kernel's argument of that type of a number.
template <class Run>
void with_number_type(DType compute, Run run) {
  if (compute == DType::fp64)
    run([](double value) { return fp64(value); });
  else
    run([](double value) { return value; });
}

// Statistics or partial results next to `like`.
inline at::Tensor statistics_buffer(const at::Tensor& like, at::IntArrayRef sizes) {
  const bool is_wide = like.scalar_type() == at::kDouble;
  return allocate_output(sizes, {}, like.options().dtype(is_wide ? at::kDouble : at::kFloat));
}

}  // namespace tilewise::ops
