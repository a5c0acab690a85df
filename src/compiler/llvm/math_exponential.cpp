// SPDX-License-Identifier: Apache-2.0
// x = n ln(2) + r with |r| <= ln(2) / 2 (Cody and Waite), exp(x) = 2^n exp(r), where exp(r) is
// 1 + r + r^2 times a minimax polynomial.
//
// Largest errors in ulp:  exp   exp2  expm1  tanh  sinh  cosh
//                   f32   1.01  0.95  1.44   1.45  0.51  0.51
//                   f64   1.02  0.94  2.03   2.55  2.73  2.73
// Without fused multiply-add: exp2 1.2 in f32; the others stay.
#include <numbers>

#include "compiler/llvm/math_coefficients.h"
#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {
namespace {

struct ExpReduction {
  Rounded n;
  Value r;
};

// ln(2) in two parts; the first has so few bits (10 and 33) that its product with n is exact also
// without fused multiply-add.
ExpReduction reduce(const Value& x) {
  const double high = x.is_wide() ? 0x1.62e42feep-1 : 0x1.63p-1;
  const double low = x.is_wide() ? 0x1.a39ef35793c76p-33 : -0x1.bd0106p-13;
  const Rounded n = round_product(x, std::numbers::log2e);
  return {n, fma(-n.number, low, fma(-n.number, high, x))};
}

// (exp(r) - 1 - r) / r^2.
Value exp_tail(const Value& r) {
  return r.is_wide() ? polynomial(r, kExpF64) : polynomial(r, kExpF32);
}

// y * 2^n, rounded once, for n in twice the range of exponents: by an instruction, or by two
// factors, of which the first keeps y normal.
Value scale(const Value& y, const Rounded& rounded) {
  if (y.writer->has_scale(y)) return y.writer->scale(y, rounded.number);
  const Value& n = rounded.low_bits;
  // The low bits of n sit below the bits of 1.5 of the rounder: move them up to have the sign.
  const int spare = n.is_wide() ? 13 : 10;
  const Value half = (n << spare) >> (spare + 1);
  return y * power_of_two(half) * power_of_two(n - half);
}

// exp(x) - 1 = 2^n expm1(r) + (2^n - 1), with everything halved so that n = 128 does not overflow
// before the result does. Not for -0.
Value expm1_of_bounded(const Value& x) {
  const ExpReduction reduced = reduce(x);
  const Value& r = reduced.r;
  const Value small = fma(r * r, exp_tail(r), r);
  const Value half_power = power_of_two(reduced.n.low_bits - int64_t{1});
  return fma(small, half_power, half_power - 0.5) * 2.0;
}

struct Halves {
  Value even, odd;
};

// cosh(|x|) and sinh(|x|) of f32 in f64, without a division or cancellation of small numbers: 2^r
// is c + r s with c and s even in r, so that exp(|x|) and exp(-|x|) are 2^n (c + r s) and 2^-n (c -
// r s).
Halves halves_for_f32(const Value& x) {
  const Value a = widen(at_most(abs(x), 100.0));
  const Rounded n = round_product(a, std::numbers::log2e);
  const Value r = fma(a, std::numbers::log2e, -n.number);
  const Value z = r * r;
  const Value c = polynomial(z, kCoshForF32);
  const Value s = r * polynomial(z, kSinhForF32);
  const Value half_up = power_of_two(n.low_bits - int64_t{1});
  const Value half_down = power_of_two(int64_t{-1} - n.low_bits);
  const Value sum = half_up + half_down;
  const Value difference = half_up - half_down;
  return {fma(sum, c, difference * s), fma(difference, c, sum * s)};
}

}  // namespace

// Beyond the bounds, exp is 0 or infinite; within them n stays in the range that `scale` takes.
Value exp(const Value& argument) {
  const Value x = argument.is_wide() ? at_least(at_most(argument, 710.0), -746.0)
                                     : at_least(at_most(argument, 89.0), -104.0);
  const ExpReduction reduced = reduce(x);
  const Value& r = reduced.r;
  return scale(fma(r * r, exp_tail(r), r) + 1.0, reduced.n);
}

Value exp_of_moderate(const Value& x) {
  const ExpReduction reduced = reduce(x);
  const Value& r = reduced.r;
  return (fma(r * r, exp_tail(r), r) + 1.0) * power_of_two(reduced.n.low_bits);
}

Value exp2(const Value& argument) {
  const Value x = argument.is_wide() ? at_least(at_most(argument, 1025.0), -1076.0)
                                     : at_least(at_most(argument, 129.0), -151.0);
  const Rounded n = round_product(x, 1.0);
  const Value r = x - n.number;
  const Value tail = x.is_wide() ? polynomial(r, kExp2F64) : polynomial(r, kExp2F32);
  return scale(fma(r, tail, 1.0), n);
}

Value exp2_for_f32(const Value& x) {
  const Rounded n = round_product(x, 1.0);
  const Value r = x - n.number;
  return fma(r, polynomial(r, kExp2F32), 1.0) * power_of_two(n.low_bits);
}

// The result is -1 from -18 (f32) and -38 (f64) on.
Value expm1(const Value& argument) {
  const Value x = argument.is_wide() ? at_least(at_most(argument, 710.0), -38.0)
                                     : at_least(at_most(argument, 89.0), -18.0);
  return copysign(expm1_of_bounded(x), argument);  // For -0.
}

// For a = |x|, 1 to the last bit beyond the bounds. f64: e / (e + 2) with e = exp(2 a) - 1; f32:
// 1 - 2 / (exp(2 a) + 1), and a polynomial below 0.55, where that would lose bits.
Value tanh(const Value& x) {
  if (x.is_wide()) {
    const Value a = at_most(abs(x), 19.5);
    const Value e = expm1_of_bounded(a + a);
    return copysign(e / (e + 2.0), x);
  }
  const Value a = at_most(abs(x), 9.5);
  const Value z = a * a;
  const Value small = fma(a * z, polynomial(z, kTanhF32), a);
  const Value large = 1.0 - 2.0 / (exp_of_moderate(a + a) + 1.0);
  return copysign(select(less(a, 0.55), small, large), x);
}

// From e = expm1(a): (e + e / (e + 1)) / 2. For a near overflow, exp(a / 2)^2 / 2.
Value sinh(const Value& x) {
  if (!x.is_wide()) return copysign(narrow(halves_for_f32(x).odd), x);
  const Value a = abs(x);
  const Value e = expm1_of_bounded(at_most(a, 40.0));
  const Value root = exp(a * 0.5);
  const Value small = (e + e / (e + 1.0)) * 0.5;
  return copysign(select(greater(a, 40.0), root * 0.5 * root, small), x);
}

Value cosh(const Value& x) {
  if (!x.is_wide()) return narrow(halves_for_f32(x).even);
  const Value root = exp(abs(x) * 0.5);
  const Value e = exp(at_most(abs(x), 40.0));
  return select(greater(abs(x), 40.0), root * 0.5 * root, (e + 1.0 / e) * 0.5);
}

}  // namespace tilewise::compiler::formulas
