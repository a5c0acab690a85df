// SPDX-License-Identifier: Apache-2.0
// The generator of pointwise operators on lists of tensors: from the scalar function of the
// operator on one tensor to the text of a Triton kernel that does a whole list in one launch. The
// text is the same for every element type.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "codegen/pointwise_source.h"

namespace tilewise::codegen {

// What the scalar function's parameters are made of, in order.
enum class ForeachArgument : uint8_t {
  tensors,  // the element of a list's tensor
  number,   // an argument of the kernel
  numbers,  // the tensor's own entry of a list of numbers
  tensor,   // the one element of a tensor
};

// The text of a module with one function `kernel`. Its parameters, in order:
//   table, chunk_map, chunk (see kernels/common/tensor_table.py; columns: the output, then the
//   lists); a value for each `number` and a pointer for each `tensor`; DTYPE, ACC, ALIGNED, BLOCK.
// The grid has one dimension, the number of chunks.
std::string foreach_source(const ScalarFunction& function,
                           std::span<const ForeachArgument> arguments);

// A readable name for reports: "foreach_add_tensors_number".
std::string foreach_name(const ScalarFunction& function,
                         std::span<const ForeachArgument> arguments);

}  // namespace tilewise::codegen
