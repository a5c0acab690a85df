// SPDX-License-Identifier: Apache-2.0
// f32 only, with f64 left to libm, lane by lane: models do not use it.
//
// Largest errors in ulp of f32:  asin 1.36, acos 1.13, atan 1.18, atan2 0.51.
#include <limits>
#include <numbers>

#include "compiler/llvm/math_coefficients.h"
#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {
namespace {

constexpr double kPi = std::numbers::pi;

// pi/2 - x. Rounded to f32, pi/2 is too large by 4.4e-8, most of an ulp of a result of 1/2: what
// was lost goes to x first, where it is exact enough.
Value half_pi_minus(const Value& x) {
  constexpr double kLost = kPi / 2 - static_cast<double>(static_cast<float>(kPi / 2));
  return kPi / 2 - (x - kLost);
}

// For t in [0, 1].
Value atan_of_unit(const Value& t) {
  const Value z = t * t;
  return fma(t * z, polynomial(z, kAtanF32), t);
}

// asin(t) = pi/2 - 2 asin(sqrt((1 - t) / 2)): for t > 0.55, `small` is asin of that root, else of
// t. At 0.55 and not 0.5 so that twice `small` is below 1 and its last bit that of the result.
struct ArcSine {
  Value is_large;  // |x| > 0.55.
  Value small;
};

ArcSine arc_sine(const Value& x) {
  const Value a = abs(x);
  const Value is_large = greater(a, 0.55);
  const Value z = select(is_large, fma(a, -0.5, 0.5), a * a);
  const Value s = select(is_large, sqrt(z), a);  // NaN for |x| > 1.
  return {is_large, fma(s * z, polynomial(z, kAsinF32), s)};
}

}  // namespace

Value asin(const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("asin");
  const ArcSine part = arc_sine(x);
  return copysign(select(part.is_large, half_pi_minus(part.small + part.small), part.small), x);
}

Value acos(const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("acos");
  const ArcSine part = arc_sine(x);
  const Value twice = part.small + part.small;
  const Value large = select(less(x, 0.0), kPi - twice, twice);
  const Value small = half_pi_minus(copysign(part.small, x));
  return select(part.is_large, large, small);
}

Value atan(const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("atan");
  const Value a = abs(x);
  const Value is_large = greater(a, 1.0);
  const Value angle = atan_of_unit(select(is_large, 1.0 / a, a));
  return copysign(select(is_large, half_pi_minus(angle), angle), x);
}

Value atan2(const Value& y, const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("atan2");
  const auto formula = [](const Value& down, const Value& over) {
    const Value a = abs(down);
    const Value b = abs(over);
    const Value is_steep = less(b, a);
    const Value smaller = select(is_steep, b, a);
    const Value larger = select(is_steep, a, b);
    // 0/0 and inf/inf are the two quotients that are not the tangent that is wanted.
    constexpr double kInfinity = std::numeric_limits<double>::infinity();
    const Value quotient = select(equal(larger, 0.0), 0.0, smaller / larger);
    const Value t = select(equal(smaller, kInfinity), 1.0, quotient);
    const Value z = t * t;
    const Value angle = fma(t * z, polynomial(z, kAtanF32), t);
    const Value first = select(is_steep, kPi / 2 - angle, angle);
    // The sign bit of x, of -0 too.
    const Value is_left = less(copysign(over.writer->number(over, 1.0), over), 0.0);
    const Value result = copysign(select(is_left, kPi - first, first), down);
    return select(is_nan(down) | is_nan(over), down + over, result);
  };
  return through_f64(formula, y, x);
}

}  // namespace tilewise::compiler::formulas
