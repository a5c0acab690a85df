// SPDX-License-Identifier: Apache-2.0
// Copies and casts as other operators use them.
#pragma once

#include <ATen/core/Tensor.h>

namespace tilewise::ops {

// Writes `src`, broadcast and converted, to `self`, which is on the same device. Throws a Refusal.
void copy_elements(const at::Tensor& self, const at::Tensor& src);

}  // namespace tilewise::ops
