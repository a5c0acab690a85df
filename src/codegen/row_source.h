// SPDX-License-Identifier: Apache-2.0
// The generator behind kernels that work on whole rows (softmax): any number of kept dimensions and
// either direction of the lanes around one hand-written Triton function.
//
//   def forward_tile(x, out, lane, kept_mask, length, stride_x, stride_out, AXIS, LANES, ...):
//   (numbers of the call, if there are any, follow the strides)
//
// receives, for every tensor, the addresses of its first LANES elements in each row of the tile,
// [KEPT, LANES] or, where rows lie side by side, [LANES, KEPT]; `lane` and `kept_mask` in that
// shape, up to extents of 1; AXIS is that of the lanes.
#pragma once

#include <cstdint>
#include <string>

namespace tilewise::codegen {

struct RowVariant {
  uint8_t tensors = 2;
  uint8_t scalars = 0;
  uint8_t kept_rank = 1;
  bool lanes_are_last = true;
  std::string literals;  // what follows LANES in the call: ", tl.float32, True"

  bool operator==(const RowVariant&) const = default;
};

// The text of a module with one function `kernel`. Its parameters, in order: the tensors; the
// scalars; `kept` and sizes of the kept dimensions as in reduction_source; strides of every tensor
// along the kept dimensions; `length` of a row; the stride of every tensor along it; KEPT, LANES.
// Grid: inner ceil(kept / KEPT); outer ceil(size 0 / KEPT) * the other kept sizes.
std::string row_source(const std::string& module, const std::string& function,
                       const RowVariant& variant);

}  // namespace tilewise::codegen
