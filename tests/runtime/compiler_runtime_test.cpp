// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/compiler_runtime.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace tilewise::backends {
namespace {

// Calls by the register convention of 16-bit floats: in the low bits of a float's register.
template <class From>
uint32_t truncate(const char* name, From value) {
  const auto function = reinterpret_cast<float (*)(From)>(find_runtime_function(name));
  return std::bit_cast<uint32_t>(function(value)) & 0xffff;
}

float extend_half(uint32_t bits) {
  const auto function = reinterpret_cast<float (*)(float)>(find_runtime_function("__extendhfsf2"));
  return function(std::bit_cast<float>(bits | 0xabcd0000));  // What is above has no meaning.
}

float extend_bfloat(uint32_t bits) { return std::bit_cast<float>(bits << 16); }

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Between each number and the next: itself, just below, at and above the middle.
template <class Extend>
void check_rounding(const char* from_float, const char* from_double, uint32_t infinity,
                    Extend extend) {
  for (uint32_t bits = 0; bits + 1 < infinity; ++bits) {
    const double low = extend(bits);
    const double high = extend(bits + 1);
    const double middle = low + (high - low) / 2;
    EXPECT_EQ(truncate(from_float, static_cast<float>(low)), bits);
    EXPECT_EQ(truncate(from_float, static_cast<float>(-low)), bits | 0x8000);
    EXPECT_EQ(truncate(from_double, std::nextafter(middle, 0.0)), bits);
    EXPECT_EQ(truncate(from_double, middle), bits + (bits & 1));
    EXPECT_EQ(truncate(from_double, std::nextafter(middle, kInfinity)), bits + 1);
  }
  EXPECT_EQ(truncate(from_double, kInfinity), infinity);
  EXPECT_EQ(truncate(from_double, 1e300), infinity);
  EXPECT_EQ(truncate(from_double, -5e-324), 0x8000u);
  EXPECT_GT(truncate(from_float, std::numeric_limits<float>::quiet_NaN()), infinity);
}

TEST(CompilerRuntime, RoundsToHalf) {
  check_rounding("__truncsfhf2", "__truncdfhf2", 0x7c00, extend_half);
}

TEST(CompilerRuntime, RoundsToBfloat) {
  check_rounding("__truncsfbf2", "__truncdfbf2", 0x7f80, extend_bfloat);
}

TEST(CompilerRuntime, ExtendsHalf) {
  EXPECT_EQ(extend_half(0x3c00), 1.0f);
  EXPECT_EQ(extend_half(0xc000), -2.0f);
  EXPECT_EQ(extend_half(0x7bff), 65504.0f);
  EXPECT_EQ(extend_half(0x0001), 0x1p-24f);
  EXPECT_EQ(extend_half(0x7c00), std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(extend_half(0x7e00)));
  EXPECT_TRUE(std::signbit(extend_half(0x8000)));
}

TEST(CompilerRuntime, KnowsNothingElse) { EXPECT_EQ(find_runtime_function("exp"), nullptr); }

}  // namespace
}  // namespace tilewise::backends
