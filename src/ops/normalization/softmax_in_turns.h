// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ops/normalization/row_kernel.h"

namespace tilewise::ops {

// softmax or log_softmax of rows that no program holds, in one launch that reads memory once. False
// if it was no case for it: CPUs, small tensors, strides, rows that are too long. `rows`: of both.
bool softmax_in_turns(const at::Tensor& self, const at::Tensor& out, const Rows& rows, bool is_log,
                      bool is_safe, at::ScalarType compute);

// The same for the gradient of the input. `rows`: of the three.
bool softmax_backward_in_turns(const at::Tensor& grad, const at::Tensor& output,
                               const at::Tensor& grad_input, const Rows& rows, bool is_log,
                               at::ScalarType compute);

}  // namespace tilewise::ops
