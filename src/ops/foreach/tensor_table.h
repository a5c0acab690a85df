// SPDX-License-Identifier: Apache-2.0
// The table through which one launch finds the elements of a whole list of tensors; its layout is in
// kernels/common/tensor_table.py, Note [Tensor table].
//
//   const TensorTable table({out, self}, {});
//   launch(kernel, options, grid_1d(table.chunks()), self[0], table.table(), table.chunk_map(), ...);
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include <initializer_list>

namespace tilewise::ops {

class TensorTable {
 public:
  // `lists`: the columns of addresses, all of the same length. `scalars`: one per tensor, or none.
  // On a GPU the table is copied there once and found again when the same lists come back, as
  // they do in an optimizer. Throws a Refusal while a graph is captured.
  TensorTable(std::initializer_list<at::TensorList> lists, at::ArrayRef<at::Scalar> scalars);

  const at::Tensor& table() const { return table_; }          // int64
  const at::Tensor& chunk_map() const { return chunk_map_; }  // int32
  int64_t chunks() const { return chunks_; }
  int64_t chunk_size() const { return chunk_size_; }
  bool is_aligned() const { return is_aligned_; }

 private:
  at::Tensor table_;
  at::Tensor chunk_map_;
  int64_t chunks_ = 0;
  int64_t chunk_size_ = 0;
  bool is_aligned_ = true;
};

// Why these lists cannot be served by one launch, or nullptr: they must be floating, of one dtype,
// and agree tensor by tensor in size and layout, without gaps. ATen's own rule for its fast path.
const char* refuse_lists(std::initializer_list<at::TensorList> lists);

}  // namespace tilewise::ops
