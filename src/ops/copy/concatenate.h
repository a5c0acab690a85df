// SPDX-License-Identifier: Apache-2.0
// Concatenation as other operators use it: torch.cat without the dispatcher.
#pragma once

#include <ATen/core/Tensor.h>

namespace tilewise::ops {

at::Tensor concatenate_tensors(at::TensorList tensors, int64_t dim);
// The same into a tensor of the result's dtype.
void concatenate_into(const at::Tensor& out, at::TensorList tensors, int64_t dim);

}  // namespace tilewise::ops
