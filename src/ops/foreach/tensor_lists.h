// SPDX-License-Identifier: Apache-2.0
// Which lists of tensors one launch can serve, and how mixed lists are taken apart.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/FunctionRef.h>

#include <cstdint>

namespace tilewise::ops {

// Why these lists cannot be served by one launch for each dtype, or nullptr: they must be of
// `dtypes` (DtypeClass bits), and agree tensor by tensor in dtype, size and layout, without gaps.
// ATen's own rule for its fast path.
const char* refuse_lists(at::ArrayRef<at::TensorList> lists, uint8_t dtypes);

// Whether an element of one is where that of the other is: same sizes and strides (dimensions of
// size 1 may have any).
bool have_same_layout(const at::Tensor& a, const at::Tensor& b);

bool is_of_one_dtype(at::TensorList tensors);

// Calls `visit` with the sub-lists of each dtype of the first list, and their places in it.
void for_each_dtype(
    at::ArrayRef<at::TensorList> lists,
    c10::function_ref<void(at::ArrayRef<at::TensorList>, at::ArrayRef<size_t>)> visit);

// Why `lists` cannot be written to in place at `out` in any order: a tensor of `out` shares memory
// with another one of `out`, or with an operand of another index.
const char* refuse_overlap(at::TensorList out, at::ArrayRef<at::TensorList> lists);

}  // namespace tilewise::ops
