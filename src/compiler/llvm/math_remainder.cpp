// SPDX-License-Identifier: Apache-2.0
// Remainders, which are exact.
#include <limits>

#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {

// x - n y with the sign of x, n being the whole part of x / y. As the quotient is rounded, n may be
// one too large, and what remains negative. Both remainders are floats, and the fused multiply-add
// gives them exactly as long as n is exact. Larger quotients go to libm; an infinite x, a zero y
// and NaN give NaN in the same formula.
Value fmod(const Value& x, const Value& y) {
  if (!x.writer->has_fma()) return x.writer->call_libm("fmod");
  const double limit = x.is_wide() ? 0x1p52 : 0x1p23;
  const Value dividend = abs(x), divisor = abs(y);
  const Value quotient = dividend / divisor;
  const Value is_finite = less(dividend, std::numeric_limits<double>::infinity());
  const Value too_large = greater(quotient, limit) & is_finite & greater(divisor, 0.0);
  const Value from_libm = x.writer->call_libm_if_any(too_large, "fmod");
  const Value rest = fma(-trunc(quotient), divisor, dividend);
  const Value positive = select(less(rest, 0.0), rest + divisor, rest);
  const Value result = select(less(quotient, 1.0), dividend, positive);  // An infinite y, too.
  return select(too_large, from_libm, copysign(result, x));
}

}  // namespace tilewise::compiler::formulas
