// SPDX-License-Identifier: Apache-2.0
// Conversions between lanes of 8-bit floats and f32. Widening is exact. Narrowing rounds once, to
// nearest even or towards zero, and saturates: what is too large, infinities included, becomes the
// largest finite number, as cvt.rn.satfinite does on GPUs. Towards zero, e5m2 keeps infinities,
// since it is the upper half of an f16 cut off there. NaN stays NaN.
#include "compiler/llvm/lane_ops.h"
#include "compiler/ttir/float8.h"

namespace tilewise::compiler {
namespace {

constexpr int kF32Mantissa = 23;
constexpr int kF32Bias = 127;

double power_of_two(int exponent) {
  return exponent < 0    ? 1.0 / power_of_two(-exponent)
         : exponent == 0 ? 1.0
                         : 2.0 * power_of_two(exponent - 1);
}

}  // namespace

std::string LaneOps::widen_float8(const std::string& value, ScalarKind from, int lanes) {
  const Float8Format& format = float8_format(from);
  const std::string bytes = llvm_type(ScalarKind::i8, lanes);
  const std::string bits = llvm_type(ScalarKind::i32, lanes);
  const std::string floats = llvm_type(ScalarKind::f32, lanes);
  auto number = [&](int64_t x) { return integer_constant(x, ScalarKind::i32, lanes); };
  if (from == ScalarKind::f8e5m2) {  // The upper half of an f16.
    const std::string shorts = llvm_type(ScalarKind::i16, lanes);
    const std::string wide = b_.assign("zext " + bytes + " " + value + " to " + shorts);
    const std::string half = b_.assign("shl " + shorts + " " + wide + ", " +
                                       integer_constant(8, ScalarKind::i16, lanes));
    return convert_float(bitcast(half, ScalarKind::i16, ScalarKind::f16, lanes), ScalarKind::f16,
                         ScalarKind::f32, lanes);
  }
  const std::string wide = b_.assign("zext " + bytes + " " + value + " to " + bits);
  const std::string magnitude = b_.assign("and " + bits + " " + wide + ", " + number(0x7F));
  // Normal numbers: move the exponent and mantissa into place, and change the exponent's bias.
  const std::string moved = b_.assign("shl " + bits + " " + magnitude + ", " +
                                      number(kF32Mantissa - format.mantissa_bits));
  const std::string biased =
      b_.assign("add " + bits + " " + moved + ", " +
                number(int64_t{kF32Bias - format.exponent_bias} << kF32Mantissa));
  // Numbers below the smallest normal one are a count of steps.
  const std::string count = b_.assign("uitofp " + bits + " " + magnitude + " to " + floats);
  const double step = power_of_two(1 - format.exponent_bias - format.mantissa_bits);
  const std::string small = bitcast(b_.assign("fmul " + floats + " " + count + ", " +
                                              float_constant(step, ScalarKind::f32, lanes)),
                                    ScalarKind::f32, ScalarKind::i32, lanes);
  const std::string is_small = b_.assign("icmp ult " + bits + " " + magnitude + ", " +
                                         number(int64_t{1} << format.mantissa_bits));
  std::string result = select(is_small, small, biased, ScalarKind::i32, lanes);
  const std::string is_nan = b_.assign(
      "icmp eq " + bits + " " + (format.is_fnuz ? wide : magnitude) + ", " + number(format.nan));
  result = select(is_nan, number(0x7FC00000), result, ScalarKind::i32, lanes);
  const std::string sign = b_.assign("and " + bits + " " + wide + ", " + number(0x80));
  const std::string moved_sign = b_.assign("shl " + bits + " " + sign + ", " + number(24));
  const std::string all = b_.assign("or " + bits + " " + result + ", " + moved_sign);
  return bitcast(all, ScalarKind::i32, ScalarKind::f32, lanes);
}

std::string LaneOps::narrow_to_float8(const std::string& value, ScalarKind to, Rounding rounding,
                                      int lanes) {
  const Float8Format& format = float8_format(to);
  const std::string bits = llvm_type(ScalarKind::i32, lanes);
  const std::string floats = llvm_type(ScalarKind::f32, lanes);
  auto number = [&](int64_t x) { return integer_constant(x, ScalarKind::i32, lanes); };
  const int dropped = kF32Mantissa - format.mantissa_bits;
  const bool nearest = rounding == Rounding::nearest_even;

  const std::string raw = bitcast(value, ScalarKind::f32, ScalarKind::i32, lanes);
  const std::string magnitude = b_.assign("and " + bits + " " + raw + ", " + number(0x7FFFFFFF));
  const std::string size = bitcast(magnitude, ScalarKind::i32, ScalarKind::f32, lanes);
  // Normal results: round at the last kept bit (a carry moves into the exponent), change the bias.
  std::string rounded = magnitude;
  if (nearest) {
    const std::string last = b_.assign("lshr " + bits + " " + magnitude + ", " + number(dropped));
    const std::string odd = b_.assign("and " + bits + " " + last + ", " + number(1));
    const std::string half =
        b_.assign("add " + bits + " " + odd + ", " + number((int64_t{1} << (dropped - 1)) - 1));
    rounded = b_.assign("add " + bits + " " + magnitude + ", " + half);
  }
  const std::string kept = b_.assign("lshr " + bits + " " + rounded + ", " + number(dropped));
  const std::string normal =
      b_.assign("sub " + bits + " " + kept + ", " +
                number(int64_t{kF32Bias - format.exponent_bias} << format.mantissa_bits));
  // Smaller ones are a count of steps: adding 2^23 steps rounds to it.
  const int step = 1 - format.exponent_bias - format.mantissa_bits;
  std::string count;
  if (nearest) {
    const double rounder = power_of_two(step + kF32Mantissa);
    const std::string sum = b_.assign("fadd " + floats + " " + size + ", " +
                                      float_constant(rounder, ScalarKind::f32, lanes));
    count = b_.assign("and " + bits + " " + bitcast(sum, ScalarKind::f32, ScalarKind::i32, lanes) +
                      ", " + number((1 << kF32Mantissa) - 1));
  } else {
    const std::string steps =
        b_.assign("fmul " + floats + " " + size + ", " +
                  float_constant(power_of_two(-step), ScalarKind::f32, lanes));
    count = float_to_integer(steps, ScalarKind::f32, ScalarKind::i32, true, lanes);
  }
  const std::string is_small =
      b_.assign("fcmp olt " + floats + " " + size + ", " +
                float_constant(power_of_two(1 - format.exponent_bias), ScalarKind::f32, lanes));
  std::string result = select(is_small, count, normal, ScalarKind::i32, lanes);
  const std::string bounded =
      intrinsic("umin", ScalarKind::i32, lanes, {result, number(format.largest)});
  result = bounded;
  if (format.has_infinity && !nearest) {
    const std::string is_infinite =
        b_.assign("icmp eq " + bits + " " + magnitude + ", " + number(0x7F800000));
    result = select(is_infinite, number(format.largest + 1), result, ScalarKind::i32, lanes);
  }
  const std::string sign = b_.assign("lshr " + bits + " " + raw + ", " + number(24));
  const std::string kept_sign = b_.assign("and " + bits + " " + sign + ", " + number(0x80));
  std::string all = b_.assign("or " + bits + " " + result + ", " + kept_sign);
  if (format.is_fnuz) {  // There is no -0.
    const std::string is_zero = b_.assign("icmp eq " + bits + " " + result + ", " + number(0));
    all = select(is_zero, number(0), all, ScalarKind::i32, lanes);
  }
  const std::string is_nan = b_.assign("fcmp uno " + floats + " " + value + ", " + value);
  all = select(is_nan, number(format.nan), all, ScalarKind::i32, lanes);
  return b_.assign("trunc " + bits + " " + all + " to " + llvm_type(ScalarKind::i8, lanes));
}

}  // namespace tilewise::compiler
