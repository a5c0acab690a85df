// SPDX-License-Identifier: Apache-2.0
// Lists of tensors as the foreach kernels read them, see kernels/common/tensor_table.py,
// Note [Tensor table].
//
//   const TensorTable table({out, self}, {});
//   table.add_to(pack);   // the kernel's first three parameters
//   ... launch_packed(kernel, pack, options, grid_1d(table.chunks()), device);
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>

#include "runtime/argument_pack.h"

namespace tilewise::ops {

class TensorTable {
 public:
  // `lists`: the columns of addresses, all of the same length. `numbers`: one per tensor, or none.
  // `cells`: a last column of addresses, of single elements (step counts), or none. On a GPU the
  // table is copied there once and found again when the same lists come back, as they do in an
  // optimizer; a captured graph repeats the copy. Throws a Refusal where that cannot be done.
  TensorTable(at::ArrayRef<at::TensorList> lists, at::ArrayRef<at::Scalar> numbers,
              at::TensorList cells = {});

  // Adds table, chunk map and chunk size.
  void add_to(runtime::ArgumentPack& pack) const;

  const at::Tensor& table() const { return table_; }  // int64
  int64_t chunks() const { return chunks_; }
  int64_t chunk_size() const { return chunk_size_; }
  bool is_aligned() const { return is_aligned_; }
  // Chunks that one CPU thread handles at least: some 32768 elements, ATen's own grain.
  int64_t grain() const { return grain_; }

 private:
  at::Tensor table_;
  int64_t table_words_ = 0;
  int64_t chunks_ = 0;
  int64_t chunk_size_ = 0;
  int64_t grain_ = 1;
  bool is_aligned_ = true;
};

}  // namespace tilewise::ops
