// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/device_functions.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numbers>

namespace tilewise::backends {
namespace {

// --- Special functions, in double; f32 ones are narrowed.

double sinpi(double x) {
  if (!std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
  const double rest = std::remainder(x, 2.0);  // Exact, in [-1, 1].
  if (rest == 0 || std::fabs(rest) == 1) return std::copysign(0.0, x);
  return std::sin(rest * std::numbers::pi);
}

double cospi(double x) {
  if (!std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
  const double rest = std::fabs(std::remainder(x, 2.0));
  return rest == 0.5 ? 0.0 : std::cos(rest * std::numbers::pi);
}

// Halley's method from a logarithmic start that is off by at most 0.002: each step triples the
// number of right digits.
double erfinv(double y) {
  if (!(std::fabs(y) < 1)) {
    return std::fabs(y) == 1 ? std::copysign(std::numeric_limits<double>::infinity(), y)
                             : std::numeric_limits<double>::quiet_NaN();
  }
  if (y == 0) return y;
  const double w = std::log1p(-y * y);
  const double a = 2 / (std::numbers::pi * 0.147) + w / 2;
  double x = std::copysign(std::sqrt(std::sqrt(a * a - w / 0.147) - a), y);
  for (int step = 0; step < 4; ++step) {
    // y - erf(x), without cancellation near the ends.
    const double rest = y > 0.5    ? std::erfc(x) - (1 - y)
                        : y < -0.5 ? (1 + y) - std::erfc(-x)
                                   : y - std::erf(x);
    const double newton = rest / (2 * std::numbers::inv_sqrtpi * std::exp(-x * x));
    x += newton / (1 + x * newton);
  }
  return x;
}

double erfcinv(double y) {
  if (!(y > 0 && y < 2)) {
    if (y == 0) return std::numeric_limits<double>::infinity();
    if (y == 2) return -std::numeric_limits<double>::infinity();
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (y > 0.1 && y < 1.9) return erfinv(1 - y);
  if (y > 1) return -erfcinv(2 - y);
  // erfc(x) ~ exp(-x^2) / (x sqrt(pi)): Newton's method on the logarithm.
  double x = std::sqrt(-std::log(y));
  for (int step = 0; step < 8; ++step) {
    const double value = std::erfc(x);
    const double slope = -2 * std::numbers::inv_sqrtpi * std::exp(-x * x);
    x -= std::log(value / y) * value / slope;
  }
  return x;
}

// exp(x^2) erfc(x): where exp overflows or erfc underflows, the continued fraction of erfc.
double erfcx(double x) {
  if (x < 25) return std::exp(x * x) * std::erfc(x);
  double fraction = 0;
  for (int k = 20; k > 0; --k) fraction = k * 0.5 / (x + fraction);
  return std::numbers::inv_sqrtpi / (x + fraction);
}

double normcdf(double x) { return std::erfc(-x / std::numbers::sqrt2) / 2; }
double normcdfinv(double y) { return -std::numbers::sqrt2 * erfcinv(2 * y); }

double norm(std::initializer_list<double> parts) {
  double sum = 0;
  for (const double part : parts) sum = std::hypot(sum, part);
  return sum;
}

// The power series converges everywhere; its terms are positive, so that nothing cancels.
double bessel_i(int order, double x) {
  const double half = x / 2;
  double term = order == 0 ? 1 : half;
  double sum = term;
  for (int k = 1; k < 2000 && std::fabs(term) > std::fabs(sum) * 1e-17; ++k) {
    term *= half * half / (k * (k + static_cast<double>(order)));
    sum += term;
  }
  return sum;
}

double exp10_of(double x) { return std::pow(10.0, x); }
double logb_of(double x) { return std::logb(x); }
double rcbrt(double x) { return 1 / std::cbrt(x); }
double bessel_i0(double x) { return bessel_i(0, x); }
double bessel_i1(double x) { return bessel_i(1, x); }

template <double (*Function)(double)>
float narrowed(float x) {
  return static_cast<float>(Function(x));
}

template <class Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

template <double (*Function)(double)>
void add_both(FunctionTable& table, const std::string& name) {
  table["__nv_" + name] = address(Function);
  table["__nv_" + name + "f"] = address(&narrowed<Function>);
}

void add_special_functions(FunctionTable& table) {
  add_both<sinpi>(table, "sinpi");
  add_both<cospi>(table, "cospi");
  add_both<exp10_of>(table, "exp10");
  add_both<exp10_of>(table, "fast_exp10");
  add_both<logb_of>(table, "logb");
  add_both<rcbrt>(table, "rcbrt");
  add_both<erfinv>(table, "erfinv");
  add_both<erfcinv>(table, "erfcinv");
  add_both<erfcx>(table, "erfcx");
  add_both<normcdf>(table, "normcdf");
  add_both<normcdfinv>(table, "normcdfinv");
  add_both<bessel_i0>(table, "cyl_bessel_i0");
  add_both<bessel_i1>(table, "cyl_bessel_i1");
}

// --- Functions of several operands, for both types.

template <class T>
void add_for(FunctionTable& table, const std::string& suffix) {
  auto add = [&](const char* name, auto* function) {
    table["__nv_" + (name + suffix)] = address(function);
  };
  add("rhypot", +[](T x, T y) { return static_cast<T>(1 / norm({x, y})); });
  add("norm3d", +[](T x, T y, T z) { return static_cast<T>(norm({x, y, z})); });
  add("rnorm3d", +[](T x, T y, T z) { return static_cast<T>(1 / norm({x, y, z})); });
  add("norm4d", +[](T x, T y, T z, T w) { return static_cast<T>(norm({x, y, z, w})); });
  add("rnorm4d", +[](T x, T y, T z, T w) { return static_cast<T>(1 / norm({x, y, z, w})); });
  add("jn", +[](int32_t n, T x) { return static_cast<T>(::jn(n, x)); });
  add("yn", +[](int32_t n, T x) { return static_cast<T>(::yn(n, x)); });
  add("ldexp", +[](T x, int32_t n) { return std::ldexp(x, n); });
  add("scalbn", +[](T x, int32_t n) { return std::scalbn(x, n); });
  add("ilogb", +[](T x) { return static_cast<int32_t>(std::ilogb(x)); });
  add("llrint", +[](T x) { return static_cast<int64_t>(std::llrint(x)); });
  add("llround", +[](T x) { return static_cast<int64_t>(std::llround(x)); });
}

// --- Integers and bits.

uint32_t byte_perm(uint32_t x, uint32_t y, uint32_t selector) {
  const uint64_t bytes = uint64_t{y} << 32 | x;
  uint32_t result = 0;
  for (int i = 0; i < 4; ++i) {
    result |= static_cast<uint32_t>(bytes >> (8 * (selector >> (4 * i) & 7)) & 0xFF) << (8 * i);
  }
  return result;
}

template <class T>
T absolute_difference(T x, T y) {
  return x > y ? static_cast<T>(uint32_t(x) - uint32_t(y))
               : static_cast<T>(uint32_t(y) - uint32_t(x));
}

int32_t mul24(int32_t x, int32_t y) {
  auto low = [](int32_t v) {
    return static_cast<int64_t>(static_cast<uint32_t>(v) << 8) << 32 >> 40;
  };
  return static_cast<int32_t>(low(x) * low(y));
}

void add_integer_functions(FunctionTable& table) {
  table["__nv_byte_perm"] = address(&byte_perm);
  table["__nv_sad"] = address(+[](int32_t x, int32_t y, uint32_t z) {
    return static_cast<uint32_t>(absolute_difference(x, y)) + z;
  });
  table["__nv_usad"] =
      address(+[](uint32_t x, uint32_t y, uint32_t z) { return absolute_difference(x, y) + z; });
  table["__nv_hadd"] =
      address(+[](int32_t x, int32_t y) { return static_cast<int32_t>((int64_t{x} + y) >> 1); });
  table["__nv_uhadd"] = address(
      +[](uint32_t x, uint32_t y) { return static_cast<uint32_t>((uint64_t{x} + y) >> 1); });
  table["__nv_rhadd"] = address(
      +[](int32_t x, int32_t y) { return static_cast<int32_t>((int64_t{x} + y + 1) >> 1); });
  table["__nv_urhadd"] = address(
      +[](uint32_t x, uint32_t y) { return static_cast<uint32_t>((uint64_t{x} + y + 1) >> 1); });
  table["__nv_mul24"] = address(&mul24);
  table["__nv_umul24"] = address(+[](uint32_t x, uint32_t y) {
    return static_cast<uint32_t>(uint64_t{x & 0xFFFFFF} * (y & 0xFFFFFF));
  });
  table["__nv_ffs"] = address(+[](uint32_t x) { return x == 0 ? 0 : std::countr_zero(x) + 1; });
  table["__nv_ffsll"] = address(+[](uint64_t x) { return x == 0 ? 0 : std::countr_zero(x) + 1; });
  table["__nv_clz"] = address(+[](uint32_t x) { return std::countl_zero(x); });
  table["__nv_clzll"] = address(+[](uint64_t x) { return std::countl_zero(x); });
  table["__nv_popc"] = address(+[](uint32_t x) { return std::popcount(x); });
  table["__nv_popcll"] = address(+[](uint64_t x) { return std::popcount(x); });
  table["__nv_hiloint2double"] = address(+[](uint32_t high, uint32_t low) {
    return std::bit_cast<double>(uint64_t{high} << 32 | low);
  });
  table["__nv_double2loint"] =
      address(+[](double x) { return static_cast<uint32_t>(std::bit_cast<uint64_t>(x)); });
  table["__nv_double2hiint"] =
      address(+[](double x) { return static_cast<uint32_t>(std::bit_cast<uint64_t>(x) >> 32); });
  table["__nv_saturatef"] = address(+[](float x) { return x > 0 ? std::min(x, 1.0f) : 0.0f; });
  // The upper half of an approximate reciprocal; the lower one is zero.
  table["__nv_rcp64h"] = address(+[](double x) {
    return std::bit_cast<double>(std::bit_cast<uint64_t>(1 / x) & ~uint64_t{0xFFFFFFFF});
  });
}

}  // namespace

void* find_device_function(std::string_view name) {
  static const auto* const kTable = [] {
    auto* table = new FunctionTable;
    add_special_functions(*table);
    add_for<float>(*table, "f");
    add_for<double>(*table, "");
    add_integer_functions(*table);
    add_rounding_functions(*table);
    return table;
  }();
  if (!name.starts_with("__nv_")) return nullptr;
  auto found = kTable->find(std::string(name));
  return found == kTable->end() ? nullptr : found->second;
}

}  // namespace tilewise::backends
