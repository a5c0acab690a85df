// SPDX-License-Identifier: Apache-2.0
// The pointwise generator: from a scalar function and a description of the operands to the text of
// a Triton kernel. Operands are seen as TensorIterator leaves them, coalesced, dimension 0
// innermost. What a variant names is compiled in; sizes and outer strides are arguments, so that a
// new shape compiles nothing. No ATen here: ops/framework/pointwise.cpp fills the description in.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string>

#include "runtime/dtype.h"

namespace tilewise::codegen {

using runtime::DType;

inline constexpr int kMaxOperands = 16;
inline constexpr int kMaxScalars = 12;

// How an operand moves along the innermost dimension.
enum class InnerStride : uint8_t {
  unit,   // neighbors in memory
  zero,   // one value for the whole row
  any,    // a stride argument
  value,  // not in memory: the kernel receives the number itself (a 0-dim CPU tensor)
};

struct Operand {
  DType dtype;
  InnerStride inner;
  bool is_complex = false;  // pairs of dtype; strides count single numbers
  bool operator==(const Operand&) const = default;
};

// A scalar function of kernels/pointwise/ ("activation:gelu"), and constants that follow its tensor
// and scalar parameters, as Python literals (", 'tanh'"). A function that is in no file brings the
// text that defines it.
struct ScalarFunction {
  std::string module;
  std::string name;
  std::string literals;
  std::string source = {};
};

// Everything a kernel is generated from, besides the function.
struct PointwiseVariant {
  uint8_t outputs = 1;
  uint8_t inputs = 0;
  uint8_t scalars = 0;          // parameters that come as numbers, after the tensors
  uint8_t rank = 1;             // of the coalesced iteration space, at least 1
  DType compute = DType::fp32;  // inputs are converted to it, results from it to their own
  bool is_logical = false;      // results are "not zero" before they take their own type
  bool streams = false;         // outputs are stored past the cache
  // Each value is two: real and imaginary part. The function takes and returns pairs (a result that
  // is not complex is single), scalars included.
  bool is_complex = false;
  std::array<Operand, kMaxOperands> operands{};  // outputs first

  int operand_count() const { return outputs + inputs; }

  // One dimension, hence no rows.
  bool is_flat() const { return rank == 1; }

  // Compared on every call: operands that are not there do not count.
  bool operator==(const PointwiseVariant& other) const {
    return outputs == other.outputs && inputs == other.inputs && scalars == other.scalars &&
           rank == other.rank && compute == other.compute && is_logical == other.is_logical &&
           streams == other.streams && is_complex == other.is_complex &&
           std::equal(operands.begin(), operands.begin() + operand_count(), other.operands.begin());
  }
};

// The text of a module with one function `kernel`. Its parameters, in order:
//   a pointer for every operand, outputs first (for InnerStride::value the number itself, both
//   parts if the variant is complex);
//   the scalars, likewise;
//   flat:    n; the stride of every operand that is InnerStride::any; BLOCK
//   strided: size of every dimension; then for every operand in memory its strides from dimension 1
//            up, preceded by that of dimension 0 if it is InnerStride::any; then BLOCK_Y, BLOCK_X.
// All sizes and strides (in elements) have the same integer type.
// The grid has one dimension: ceil(n / BLOCK), or ceil(size0 / BLOCK_X) * ceil(rows / BLOCK_Y).
std::string pointwise_source(const ScalarFunction& function, const PointwiseVariant& variant);

// A readable name for the kernel in reports: "gelu_2d_bf16_bf16".
std::string pointwise_name(const ScalarFunction& function, const PointwiseVariant& variant);

}  // namespace tilewise::codegen
