// SPDX-License-Identifier: Apache-2.0
// x = 2^e m with m in [sqrt(1/2), sqrt(2)), log(x) = e ln(2) + log(1 + f), f = m - 1. As e = 0
// about x = 1, nothing cancels there.
//
// Largest errors in ulp:  log   log2  log10  log1p  asinh  acosh  atanh
//                   f32   0.82  0.96  0.98   1.42   0.51   0.51   0.51
//                   f64   0.78  1.00  0.98   1.27   libm   libm   libm, lane by lane
// Without fused multiply-add: log2 1.6, log10 1.3 in f32.
#include <limits>

#include "compiler/llvm/math_coefficients.h"
#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler::formulas {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// A constant as the sum of two: the error of the first would be seen in the result.
struct SplitConstant {
  double high, low;
};

struct Decomposed {
  Value e;         // As a float.
  Value e_bits;    // As an integer.
  Value mantissa;  // [sqrt(1/2), sqrt(2)).
};

// For positive normal x; anything else gives finite nonsense.
Decomposed decompose(const Value& x) {
  const Format format = format_of(x);
  const int64_t root_bits = x.is_wide() ? 0x3fe6a09e667f3bcd : 0x3f3504f3;  // sqrt(1/2).
  const int64_t rounder_bits = x.is_wide() ? 0x4338000000000000 : 0x4b400000;
  const Value e = (bits(x) - root_bits) >> format.fraction_bits;
  // Integers are added to the bits of the rounder: AVX2 has no conversion of 64-bit integers.
  return {from_bits(e + rounder_bits) - format.rounder, e,
          from_bits(bits(x) - (e << format.fraction_bits))};
}

// log(1 + f) = f + tail, where f is exact.
Value log1p_tail(const Value& f) {
  const Value half_square = f * f * 0.5;
  if (!f.is_wide()) return fma(f * f * f, polynomial(f, kLogF32), -half_square);
  const Value s = f / (f + 2.0);
  const Value z = s * s;
  return fma(s, fma(z, polynomial(z, kLogF64), half_square), -half_square);
}

// ln(2) with so few bits in its first part that the product with e is exact.
Value log_of_parts(const Value& e, const Value& f) {
  const SplitConstant ln2 = e.is_wide() ? SplitConstant{0x1.62e42feep-1, 0x1.a39ef35793c76p-33}
                                        : SplitConstant{0x1.63p-1, -0x1.bd0106p-13};
  return fma(e, ln2.high, fma(e, ln2.low, log1p_tail(f)) + f);
}

struct Reduction {
  Value e, f;
};

// Denormals are scaled up first.
Reduction reduce(const Value& x) {
  const bool wide = x.is_wide();
  const Value is_denormal = less(x, wide ? 0x1p-1022 : 0x1p-126);
  const Value normal = select(is_denormal, x * (wide ? 0x1p54 : 0x1p25), x);
  const Decomposed parts = decompose(normal);
  const Value e = select(is_denormal, parts.e - (wide ? 54.0 : 25.0), parts.e);
  return {e, parts.mantissa - 1.0};
}

// What a logarithm is where `finite` is not meant: NaN below `pole`, -inf at it; inf and NaN stay.
Value with_special_cases(const Value& x, double pole, const Value& finite) {
  const Value positive = select(less(x, kInfinity), finite, x);
  return select(less(x, pole), kNaN, select(equal(x, pole), -kInfinity, positive));
}

// log(1 + f) * factor, rounded about once.
Value scaled_log1p(const Value& f, const SplitConstant& factor) {
  return fma(f, factor.high, fma(f, factor.low, log1p_tail(f) * factor.high));
}

}  // namespace

Value log(const Value& x) {
  const Reduction reduced = reduce(x);
  return with_special_cases(x, 0.0, log_of_parts(reduced.e, reduced.f));
}

Value log2(const Value& x) {
  const SplitConstant log2_e = x.is_wide()
                                   ? SplitConstant{0x1.71547652b82fep+0, 0x1.777d0ffda0d24p-56}
                                   : SplitConstant{0x1.715476p+0, 0x1.4ae0cp-26};
  const Reduction reduced = reduce(x);
  return with_special_cases(x, 0.0, scaled_log1p(reduced.f, log2_e) + reduced.e);
}

Value log2_for_f32(const Value& x) {
  const Decomposed parts = decompose(x);
  const Value f = parts.mantissa - 1.0;
  return with_special_cases(x, 0.0, fma(f, polynomial(f, kLog2ForF32), parts.e));
}

Value log10(const Value& x) {
  const SplitConstant log10_e = x.is_wide()
                                    ? SplitConstant{0x1.bcb7b1526e50ep-2, 0x1.95355baaafad3p-57}
                                    : SplitConstant{0x1.bcb7b2p-2, -0x1.5b235ep-27};
  const SplitConstant log10_2 = x.is_wide() ? SplitConstant{0x1.34413509ep-2, 0x1.79fef311f12b3p-38}
                                            : SplitConstant{0x1.344p-2, 0x1.3509f8p-18};
  const Reduction reduced = reduce(x);
  const Value fraction = fma(reduced.e, log10_2.low, scaled_log1p(reduced.f, log10_e));
  return with_special_cases(x, 0.0, fma(reduced.e, log10_2.high, fraction));
}

// e is that of 1 + x, but f = 2^-e x + (2^-e - 1) comes from x itself: exact where it matters. From
// 2^30 on, 2^-e could leave the range, and the 1 is below the last bit in any case.
Value log1p(const Value& x) {
  const Value sum = x + 1.0;
  const Decomposed parts = decompose(sum);
  const Value power = power_of_two(int64_t{0} - parts.e_bits);
  const double far = x.is_wide() ? 0x1p60 : 0x1p30;
  const Value f = select(greater(x, far), parts.mantissa - 1.0, fma(x, power, power - 1.0));
  const Value result = with_special_cases(x, -1.0, log_of_parts(parts.e, f));
  return select(equal(x, 0.0), x, result);  // For -0.
}

Value asinh(const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("asinh");
  const auto formula = [](const Value& a) {
    const Value root = sqrt(fma(a, a, 1.0));
    return select(equal(a, kInfinity), a, log1p(a + a * a / (root + 1.0)));
  };
  return copysign(through_f64(formula, abs(x)), x);
}

// In f64, x^2 - 1 is exact for an x of f32.
Value acosh(const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("acosh");
  const auto formula = [](const Value& a) {
    return select(less(a, 1.0), kNaN, log(a + sqrt(fma(a, a, -1.0))));
  };
  return through_f64(formula, x);
}

Value atanh(const Value& x) {
  if (x.is_wide()) return x.writer->call_libm("atanh");
  const auto formula = [](const Value& a) { return log1p((a + a) / (1.0 - a)) * 0.5; };
  return copysign(through_f64(formula, abs(x)), x);
}

}  // namespace tilewise::compiler::formulas
