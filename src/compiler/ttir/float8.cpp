// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/float8.h"

#include <cmath>

#include "base/check.h"

namespace tilewise::compiler {

const Float8Format& float8_format(ScalarKind kind) {
  static constexpr Float8Format kE4M3{3, 7, 0x7E, 0x7F, false, false};
  static constexpr Float8Format kE5M2{2, 15, 0x7B, 0x7F, true, false};
  static constexpr Float8Format kE4M3Fnuz{3, 8, 0x7F, 0x80, false, true};
  static constexpr Float8Format kE5M2Fnuz{2, 16, 0x7F, 0x80, false, true};
  switch (kind) {
    case ScalarKind::f8e4m3:
      return kE4M3;
    case ScalarKind::f8e5m2:
      return kE5M2;
    case ScalarKind::f8e4m3fnuz:
      return kE4M3Fnuz;
    default:
      TILEWISE_ASSERT(kind == ScalarKind::f8e5m2fnuz, kind_name(kind));
      return kE5M2Fnuz;
  }
}

double float8_value(uint8_t bits, ScalarKind kind) {
  const Float8Format& format = float8_format(kind);
  const int magnitude = bits & 0x7F;
  const bool negative = bits & 0x80;
  if (format.is_fnuz ? bits == format.nan : magnitude > format.largest + format.has_infinity) {
    return NAN;
  }
  if (magnitude > format.largest) return negative ? -INFINITY : INFINITY;
  const int exponent = magnitude >> format.mantissa_bits;
  const int one = 1 << format.mantissa_bits;
  const int mantissa = magnitude & (one - 1);
  const int scale = 1 - format.exponent_bias - format.mantissa_bits;
  const double value = exponent == 0 ? std::ldexp(mantissa, scale)
                                     : std::ldexp(mantissa + one, scale + exponent - 1);
  return negative ? -value : value;
}

// Constants are few, so all 127 magnitudes are tried.
uint8_t float8_bits(double value, ScalarKind kind) {
  const Float8Format& format = float8_format(kind);
  if (std::isnan(value)) return format.nan;
  const bool negative = std::signbit(value);
  if (std::isinf(value) && format.has_infinity) {
    return static_cast<uint8_t>((negative ? 0x80 : 0) | (format.largest + 1));
  }
  const double magnitude = std::fabs(value);
  uint8_t best = format.largest;
  if (magnitude < float8_value(best, kind)) {
    for (uint8_t bits = 0; bits < format.largest; ++bits) {
      const double lower = magnitude - float8_value(bits, kind);
      const double upper = float8_value(bits + 1, kind) - magnitude;
      if (upper < 0) continue;
      best = lower < upper || (lower == upper && bits % 2 == 0) ? bits : bits + 1;
      break;
    }
  }
  return best == 0 && format.is_fnuz ? 0 : static_cast<uint8_t>((negative ? 0x80 : 0) | best);
}

}  // namespace tilewise::compiler
