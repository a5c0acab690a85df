// SPDX-License-Identifier: Apache-2.0
// The formulas behind math_library.h, each on f32 or f64 vectors. Their errors stand at the top of
// their files, in ulp: units in the last place of the result, the largest of 50 million arguments
// for f32 and 2 million for f64, on a target with fused multiply-add. Of erfc, pow, atan2 and erf
// of f64, only those arguments were tried that tests/compiler/test_math_library.py tries, or 30
// thousand: their references are slow.
#pragma once

#include "compiler/llvm/vector_writer.h"

namespace tilewise::compiler::formulas {

using Value = VectorValue;

Value exp(const Value& x);
Value exp_of_moderate(const Value& x);  // For |x| < 87 (f32), 708 (f64): where it is normal.
Value exp2(const Value& x);
Value exp2_for_f32(const Value& x);  // On f64, for |x| < 1000, with an error of 2^-28.
Value expm1(const Value& x);
Value tanh(const Value& x);
Value sinh(const Value& x);
Value cosh(const Value& x);

Value log(const Value& x);
Value log2(const Value& x);
Value log2_for_f32(const Value& x);  // On f64, for normal x, 0 and inf, with an error of 2^-35.
Value log10(const Value& x);
Value log1p(const Value& x);
Value asinh(const Value& x);
Value acosh(const Value& x);
Value atanh(const Value& x);

Value sin(const Value& x);
Value cos(const Value& x);
Value tan(const Value& x);

Value asin(const Value& x);
Value acos(const Value& x);
Value atan(const Value& x);
Value atan2(const Value& y, const Value& x);

Value erf(const Value& x);
Value erfc(const Value& x);
Value pow(const Value& base, const Value& exponent);
Value rsqrt(const Value& x);
Value fmod(const Value& x, const Value& y);

// For f32 functions that are too rare for a formula of their own: f64 leaves 29 spare bits.
template <class Formula, class... Values>
Value through_f64(Formula formula, const Values&... values) {
  return narrow(formula(widen(values)...));
}

// What depends on the format.
struct Format {
  int fraction_bits;  // Without the leading one.
  int64_t one_bits;   // The bits of 1.0.
  double rounder;     // 1.5 * 2^fraction_bits: adding it rounds to an integer.
};

inline Format format_of(const Value& x) {
  if (x.is_wide()) return {52, 0x3ff0000000000000, 0x1.8p52};
  return {23, 0x3f800000, 0x1.8p23};
}

// The integer nearest to x * factor, twice: as a float, and in the low bits of an integer (whose
// high bits are of no meaning). For results below 2^22 (f32) or 2^51 (f64); free of undefined
// values for all others, NaN included, as a conversion instruction of LLVM would not be.
struct Rounded {
  Value number;
  Value low_bits;
};

inline Rounded round_product(const Value& x, double factor) {
  const double rounder = format_of(x).rounder;
  const Value shifted = fma(x, factor, rounder);
  return {shifted - rounder, bits(shifted)};
}

// 2^n for integers n within the range of normal numbers, from the low bits of n.
inline Value power_of_two(const Value& n) {
  const Format format = format_of(n);
  return from_bits((n << format.fraction_bits) + format.one_bits);
}

}  // namespace tilewise::compiler::formulas
