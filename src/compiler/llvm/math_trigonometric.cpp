// SPDX-License-Identifier: Apache-2.0
// x = n pi/2 + r with |r| <= pi/4 (Cody and Waite), then minimax polynomials of sin(r) and cos(r),
// chosen and signed by n mod 4. Arguments too large for this reduction go to libm, lane by lane.
//
// Largest errors in ulp:  sin   cos   tan
//                   f32   1.55  1.55  2.24
//                   f64   1.47  1.45  2.84
#include <numbers>

#include "compiler/llvm/math_coefficients.h"
#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {
namespace {

// pi/2 as a sum. With fused multiply-add each part has all bits, and x - n part[0] is still exact
// up to the limit, because both are multiples of the same small power of two. Without it, the
// first parts have so few bits that their products with n are exact.
struct HalfPi {
  double parts[4];
  double limit;  // Of |x|.
};

HalfPi half_pi(const Value& x) {
  if (x.writer->has_fma()) {
    return x.is_wide()
               ? HalfPi{{0x1.921fb54442d18p+0, 0x1.1a62633145c07p-54, -0x1.f1976b7ed8fbcp-110, 0.0},
                        0x1p28}
               : HalfPi{{0x1.921fb6p+0, -0x1.777a5cp-25, -0x1.ee59dap-50, 0.0}, 0x1p18};
  }
  return x.is_wide()
             ? HalfPi{{0x1.921fb54p+0, 0x1.10b46118p-30, 0x1.313198ap-61, 0x1.701b839a25205p-92},
                      0x1p22}
             : HalfPi{{0x1.92p+0, 0x1.fb4p-12, 0x1.444p-24, 0x1.68c234p-39}, 0x1p13};
}

struct Angle {
  Value quadrant;  // Low bits.
  Value r;
  Value z;          // r^2.
  Value too_large;  // Lanes that this angle is wrong for;
  Value from_libm;  // this is their result.
};

Angle reduce(const Value& x, const char* libm_function) {
  const HalfPi constant = half_pi(x);
  const Value too_large = greater(abs(x), constant.limit);
  const Value from_libm = x.writer->call_libm_if_any(too_large, libm_function);
  const Rounded n = round_product(x, 2.0 / std::numbers::pi);
  Value r = x;
  for (const double part : constant.parts) {
    if (part != 0.0) r = fma(-n.number, part, r);
  }
  return {n.low_bits, r, r * r, too_large, from_libm};
}

Value sin_of(const Angle& angle) {
  const Value& z = angle.z;
  const Value tail = z.is_wide() ? polynomial(z, kSinF64) : polynomial(z, kSinF32);
  return fma(angle.r * z, tail, angle.r);
}

Value cos_of(const Angle& angle) {
  const Value& z = angle.z;
  const Value tail = z.is_wide() ? polynomial(z, kCosF64) : polynomial(z, kCosF32);
  const Value leading = fma(z, -0.5, 1.0);
  if (!z.is_wide()) return fma(z * z, tail, leading);
  // What the rounding of `leading` lost, which is exact again.
  const Value lost = fma(z, -0.5, 1.0 - leading);
  return leading + fma(z * z, tail, lost);
}

// Moves bit 1 of the quadrant to the sign.
Value with_sign_of_quadrant(const Value& magnitude, const Value& quadrant) {
  const int sign_shift = quadrant.is_wide() ? 62 : 30;
  return from_bits(bits(magnitude) ^ ((quadrant & int64_t{2}) << sign_shift));
}

}  // namespace

Value sin(const Value& x) {
  const Angle angle = reduce(x, "sin");
  const Value is_odd = is_set(angle.quadrant & int64_t{1});
  const Value result =
      with_sign_of_quadrant(select(is_odd, cos_of(angle), sin_of(angle)), angle.quadrant);
  const Value signed_result = select(equal(x, 0.0), x, result);  // For -0.
  return select(angle.too_large, angle.from_libm, signed_result);
}

// Negative in quadrants 1 and 2, where bit 1 of the next one is set.
Value cos(const Value& x) {
  const Angle angle = reduce(x, "cos");
  const Value is_odd = is_set(angle.quadrant & int64_t{1});
  const Value result = with_sign_of_quadrant(select(is_odd, sin_of(angle), cos_of(angle)),
                                             angle.quadrant + int64_t{1});
  return select(angle.too_large, angle.from_libm, result);
}

// tan(r), or -1 / tan(r) in odd quadrants. Behind the reduction f32 goes on in f64, as the errors
// of sine, cosine and quotient would add up to 3.5 ulp.
Value tan(const Value& x) {
  const Angle angle = reduce(x, "tan");
  const Value is_odd = is_set(angle.quadrant & int64_t{1});
  const Value r = x.is_wide() ? angle.r : widen(angle.r);
  const Angle precise{angle.quadrant, r, r * r, angle.too_large, angle.from_libm};
  const Value sine = sin_of(precise);
  const Value cosine = cos_of(precise);
  const Value quotient = select(is_odd, -cosine, sine) / select(is_odd, sine, cosine);
  const Value result = x.is_wide() ? quotient : narrow(quotient);
  const Value signed_result = select(equal(x, 0.0), x, result);  // For -0.
  return select(angle.too_large, angle.from_libm, signed_result);
}

}  // namespace tilewise::compiler::formulas
