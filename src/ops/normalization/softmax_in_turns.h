// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/core/Tensor.h>

namespace tilewise::ops {

// softmax or log_softmax of rows that no program holds, in one launch that reads memory once. False
// if it was no case for it: CPUs, small tensors, strides, rows that are too long.
bool softmax_in_turns(const at::Tensor& self, int64_t dim, const at::Tensor& out, bool is_log,
                      bool is_safe, at::ScalarType compute);

// The same for the gradient of the input.
bool softmax_backward_in_turns(const at::Tensor& grad, const at::Tensor& output, int64_t dim,
                               const at::Tensor& grad_input, bool is_log, at::ScalarType compute);

}  // namespace tilewise::ops
