// SPDX-License-Identifier: Apache-2.0
// The 8-bit floats of Triton IR as data: what their bits mean. Lanes of them are converted by
// llvm/emit_float8.cpp.
#pragma once

#include <cstdint>

#include "compiler/ttir/types.h"

namespace tilewise::compiler {

// A sign bit, exponent bits, mantissa bits. The FN formats have no infinity (all ones is NaN); the
// FNUZ ones have neither infinity nor -0, whose bits are their one NaN.
struct Float8Format {
  int mantissa_bits;
  int exponent_bias;
  uint8_t largest;  // The bits of the largest finite number.
  uint8_t nan;
  bool has_infinity;
  bool is_fnuz;
};

const Float8Format& float8_format(ScalarKind kind);

double float8_value(uint8_t bits, ScalarKind kind);
// The nearest number of the format; what is larger than its largest number is that number.
uint8_t float8_bits(double value, ScalarKind kind);

}  // namespace tilewise::compiler
