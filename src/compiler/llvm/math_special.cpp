// SPDX-License-Identifier: Apache-2.0
// The error function, powers, and the reciprocal square root.
//
// Largest errors in ulp:  erf   erfc  pow   rsqrt
//                   f32   3.28  0.70  0.54  1.48
//                   f64   1.27  3.45  libm  1.50
#include <limits>

#include "compiler/llvm/math_coefficients.h"
#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// f64, for |x| <= 1.
Value erf_of_small(const Value& x) { return fma(x, polynomial(x * x, kErfSmallF64), x); }

// t^2 as the sum of two values, the second what the rounding of the first lost.
struct Square {
  Value high, low;
};

Square exact_square(const Value& t) {
  const Value high = t * t;
  if (t.writer->has_fma()) return {high, fma(t, t, -high)};
  // Dekker: the upper half of the bits has an exact square.
  const Value upper = from_bits(bits(t) & ~int64_t{0x7ffffff});
  const Value lower = t - upper;
  return {high, (upper * upper - high) + upper * lower * 2.0 + lower * lower};
}

// f64, for t in [0.9, 28]: exp(-t^2) times a slowly falling function. The rounding error of t^2,
// up to 2^-44, would be a relative error of the result.
Value erfc_of_large(const Value& t) {
  const Square square = exact_square(t);
  const Value power = exp(-square.high);
  const Value u = (t - 3.0) / (t + 3.0);
  const Value slow = polynomial(u, kErfcxF64) / (t + t + 1.0);
  return power * fma(-square.low, slow, slow);
}

}  // namespace

// Beyond the upper bounds the result is 1 to the last bit. f32: 1 - erfc(a) = 1 - 2^y with y = a
// times a polynomial, for all a, since 2^y - 1 = 2^n (2^r - 1) + (2^n - 1) with y = n + r loses no
// bits where y is small. No select, no second polynomial: the instructions bound the speed of gelu.
Value erf(const Value& x) {
  const Value a = abs(x);
  if (x.is_wide()) {
    const Value small = erf_of_small(x);
    const Value t = at_least(at_most(a, 6.0), 0.9);
    return select(less(a, 1.0), small, copysign(1.0 - erfc_of_large(t), x));
  }
  const Value t = at_most(a, 3.93);
  const Value y = t * polynomial(t, kErfF32);
  const Rounded n = round_product(y, 1.0);
  const Value r = y - n.number;
  const Value power = power_of_two(n.low_bits);
  return copysign(fma(-power, r * polynomial(r, kExp2M1F32), 1.0 - power), x);
}

// f32: 2^y in f64 with y = a times a polynomial, as in erf; from 10.07 on it rounds to 0.
Value erfc(const Value& x) {
  if (!x.is_wide()) {
    const Value t = widen(at_most(abs(x), 10.07));
    const Value y = t * polynomial(fma(t, 2.0 / 10.07, -1.0), kErfcForF32);
    const Value large = exp2_for_f32(y);
    return narrow(select(less(widen(x), 0.0), 2.0 - large, large));
  }
  const Value large = erfc_of_large(at_least(at_most(abs(x), 28.0), 0.9));
  const Value folded = select(less(x, 0.0), 2.0 - large, large);
  return select(less(abs(x), 0.9), 1.0 - erf_of_small(x), folded);
}

// exp2(y log2(x)) in f64. Where the result is finite, the product is below 150, so that the error
// of the logarithm, 2^-35 of it, is below 2^-27: an eighth of an ulp of f32. The special cases are
// those of C's pow.
Value pow(const Value& base, const Value& exponent) {
  if (base.is_wide()) return base.writer->call_libm("pow");
  const Value x = widen(base);
  const Value y = widen(exponent);
  const Value product = at_least(at_most(y * log2_for_f32(abs(x)), 160.0), -160.0);
  const Value magnitude = exp2_for_f32(product);
  const Value is_one = equal(abs(x), 1.0) | equal(y, 0.0);
  const Value unsigned_result = select(is_one, 1.0, magnitude);
  const Value whole = trunc(y);
  const Value is_fraction = not_equal(whole, y);
  const Value half = y * 0.5;
  const Value is_odd = not_equal(trunc(half), half) & equal(whole - y, 0.0);
  const Value result = select(is_odd, copysign(unsigned_result, x), unsigned_result);
  const Value is_undefined = less(x, 0.0) & greater(x, -kInfinity) & is_fraction;
  const Value defined = select(is_undefined, kNaN, result);
  // NaN of an argument wins but for pow(1, y) and pow(x, 0).
  const Value loses = equal(x, 1.0) | equal(y, 0.0);
  return narrow(select(loses, 1.0, select(is_nan(x) | is_nan(y), x + y, defined)));
}

// Rounded twice, as PyTorch's on CPUs is, so that results agree to the bit.
Value rsqrt(const Value& x) { return 1.0 / sqrt(x); }

}  // namespace tilewise::compiler::formulas
