// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/compiler_runtime.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

namespace tilewise::backends {
namespace {

struct NarrowFormat {
  int fraction_bits;
  int smallest_exponent;  // Of normal numbers.
  uint32_t infinity_bits;
};

constexpr NarrowFormat kHalf = {10, -14, 0x7c00};
constexpr NarrowFormat kBfloat = {7, -126, 0x7f80};

// To nearest, ties to even, in one rounding from double.
uint32_t round_to(const NarrowFormat& format, double value) {
  const uint32_t sign = std::signbit(value) ? 0x8000 : 0;
  const uint32_t quiet_bit = 1u << (format.fraction_bits - 1);
  if (std::isnan(value)) return sign | format.infinity_bits | quiet_bit;
  const double magnitude = std::fabs(value);
  if (magnitude == 0.0) return sign;
  if (std::isinf(magnitude)) return sign | format.infinity_bits;
  const int exponent = std::max(std::ilogb(magnitude), format.smallest_exponent);
  // In units of the last place: an integer up to 2^(fraction_bits + 1). Its leading one, if it has
  // one, and a carry out of the fraction both count up the exponent.
  const auto units =
      static_cast<int64_t>(std::nearbyint(std::scalbn(magnitude, format.fraction_bits - exponent)));
  const int64_t bits =
      (int64_t{exponent - format.smallest_exponent} << format.fraction_bits) + units;
  return sign | static_cast<uint32_t>(std::min<int64_t>(bits, format.infinity_bits));
}

// 16-bit floats are passed and returned in the low bits of a vector register, as a float is.
float in_register(uint32_t bits) { return std::bit_cast<float>(bits); }

float truncate_float_to_half(float value) { return in_register(round_to(kHalf, value)); }
float truncate_double_to_half(double value) { return in_register(round_to(kHalf, value)); }
float truncate_float_to_bfloat(float value) { return in_register(round_to(kBfloat, value)); }
float truncate_double_to_bfloat(double value) { return in_register(round_to(kBfloat, value)); }

float extend_half(float in_low_bits) {
  const uint32_t bits = std::bit_cast<uint32_t>(in_low_bits) & 0xffff;
  const uint32_t sign = (bits & 0x8000) << 16;
  const uint32_t exponent = bits >> 10 & 0x1f;
  const uint32_t fraction = bits & 0x3ff;
  if (exponent == 0x1f) return std::bit_cast<float>(sign | 0x7f800000 | fraction << 13);
  if (exponent == 0) {  // Zero or denormal: multiples of 2^-24.
    return std::copysign(static_cast<float>(fraction) * 0x1p-24f, std::bit_cast<float>(sign));
  }
  return std::bit_cast<float>(sign | (exponent + 112) << 23 | fraction << 13);
}

struct RuntimeFunction {
  std::string_view name;
  void* address;
};

}  // namespace

void* find_runtime_function(std::string_view name) {
  static const RuntimeFunction kFunctions[] = {
      {"__truncsfhf2", reinterpret_cast<void*>(&truncate_float_to_half)},
      {"__truncdfhf2", reinterpret_cast<void*>(&truncate_double_to_half)},
      {"__truncsfbf2", reinterpret_cast<void*>(&truncate_float_to_bfloat)},
      {"__truncdfbf2", reinterpret_cast<void*>(&truncate_double_to_bfloat)},
      {"__extendhfsf2", reinterpret_cast<void*>(&extend_half)},
  };
  for (const RuntimeFunction& function : kFunctions) {
    if (function.name == name) return function.address;
  }
  return nullptr;
}

}  // namespace tilewise::backends
