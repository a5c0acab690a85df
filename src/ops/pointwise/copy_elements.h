// SPDX-License-Identifier: Apache-2.0
// Copies, casts and fills as other operators use them.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

namespace tilewise::ops {

// Writes `src`, broadcast and converted, to `self`, which is on the same device. Throws a Refusal.
void copy_elements(const at::Tensor& self, const at::Tensor& src);

// Fills a strided tensor with a number that its dtype holds. Throws a Refusal.
void fill_elements(const at::Tensor& self, const at::Scalar& value);

}  // namespace tilewise::ops
