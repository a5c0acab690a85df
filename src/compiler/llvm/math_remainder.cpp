// SPDX-License-Identifier: Apache-2.0
// Remainders, which are exact.
#include <limits>

#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {
namespace {

// For f32 and any finite quotient, in f64: each step takes away the quotient as far as f64 gives
// it. With the divisor's 24 bits it leaves at most 25 bits, so that the fused multiply-add is
// exact, and a quotient 2^51 times smaller, or about 1: six steps serve the largest, 2^277.
Value fmod_by_steps(const Value& x, const Value& y) {
  constexpr int kSteps = 6;
  const Value divisor = widen(abs(y));
  const Value inverse = 1.0 / divisor;
  Value rest = widen(abs(x));
  for (int step = 0; step < kSteps; ++step) rest = fma(-trunc(rest * inverse), divisor, rest);
  rest = select(less(rest, 0.0), rest + divisor, rest);
  rest = select(less(rest, divisor), rest, rest - divisor);
  return copysign(narrow(rest), x);
}

}  // namespace

// x - n y with the sign of x, n being the whole part of x / y. As the quotient is rounded, n may be
// one too large, and what remains negative. Both remainders are floats, and the fused multiply-add
// gives them exactly as long as n is exact. Larger quotients are rare; an infinite x, a zero y
// and NaN give NaN in the same formula.
Value fmod(const Value& x, const Value& y) {
  if (!x.writer->has_fma()) return x.writer->call_libm("fmod");
  const double limit = x.is_wide() ? 0x1p52 : 0x1p23;
  const Value dividend = abs(x), divisor = abs(y);
  const Value quotient = dividend / divisor;
  const Value is_finite = less(dividend, std::numeric_limits<double>::infinity());
  const Value too_large = greater(quotient, limit) & is_finite & greater(divisor, 0.0);
  const Value of_large = x.is_wide() ? x.writer->call_libm_if_any(too_large, "fmod")
                                     : x.writer->call_if_any(too_large, fmod_by_steps);
  const Value rest = fma(-trunc(quotient), divisor, dividend);
  const Value positive = select(less(rest, 0.0), rest + divisor, rest);
  const Value result = select(less(quotient, 1.0), dividend, positive);  // An infinite y, too.
  return select(too_large, of_large, copysign(result, x));
}

}  // namespace tilewise::compiler::formulas
