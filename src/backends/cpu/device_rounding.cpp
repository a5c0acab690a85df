// SPDX-License-Identifier: Apache-2.0
// libdevice's arithmetic and conversions that round to nearest (rn), towards zero (rz), down (rd)
// or up (ru). The operation runs in the processor's mode of that name.
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <limits>

#include "backends/cpu/device_functions.h"

namespace tilewise::backends {
namespace {

// Keeps the compiler from moving what computes `value`, or uses it, across this point.
template <class T>
void fix_in_place(T& value) {
  asm volatile("" : "+m"(value));
}

template <int Mode, class Function, class... Operands>
auto rounded(Function function, Operands... operands) {
  const int before = std::fegetround();
  std::fesetround(Mode);
  (fix_in_place(operands), ...);
  auto result = function(operands...);
  fix_in_place(result);
  std::fesetround(before);
  return result;
}

// As GPUs convert: out of range to the nearest integer there is, NaN to 0.
template <int Mode, class To, class From>
To to_integer(From value) {
  const From whole = rounded<Mode>([](From x) { return std::nearbyint(x); }, value);
  if (std::isnan(whole)) return 0;
  const auto above = std::ldexp(From{1}, std::numeric_limits<To>::digits);
  if (whole >= above) return std::numeric_limits<To>::max();
  if (whole < static_cast<From>(std::numeric_limits<To>::min())) {
    return std::numeric_limits<To>::min();
  }
  return static_cast<To>(whole);
}

template <int Mode, class To, class From>
To to_float(From value) {
  return rounded<Mode>([](From x) { return static_cast<To>(x); }, value);
}

template <class Function>
void* address(Function* function) {
  return reinterpret_cast<void*>(function);
}

template <int Mode, class T>
void add_arithmetic(FunctionTable& table, const std::string& type, const std::string& fma,
                    const std::string& mode) {
  auto add = [&](const char* name, auto* function) {
    table["__nv_" + type + name + mode] = address(function);
  };
  add("add", +[](T a, T b) { return rounded<Mode>([](T x, T y) { return x + y; }, a, b); });
  add("sub", +[](T a, T b) { return rounded<Mode>([](T x, T y) { return x - y; }, a, b); });
  add("mul", +[](T a, T b) { return rounded<Mode>([](T x, T y) { return x * y; }, a, b); });
  add("div", +[](T a, T b) { return rounded<Mode>([](T x, T y) { return x / y; }, a, b); });
  add("rcp", +[](T a) { return rounded<Mode>([](T x) { return 1 / x; }, a); });
  add("sqrt", +[](T a) { return rounded<Mode>([](T x) { return std::sqrt(x); }, a); });
  table["__nv_" + fma + mode] = address(+[](T a, T b, T c) {
    return rounded<Mode>([](T x, T y, T z) { return std::fma(x, y, z); }, a, b, c);
  });
}

template <int Mode, class From>
void add_conversions(FunctionTable& table, const std::string& from, const std::string& mode) {
  table["__nv_" + from + "2int" + mode] = address(&to_integer<Mode, int32_t, From>);
  table["__nv_" + from + "2uint" + mode] = address(&to_integer<Mode, uint32_t, From>);
  table["__nv_" + from + "2ll" + mode] = address(&to_integer<Mode, int64_t, From>);
  table["__nv_" + from + "2ull" + mode] = address(&to_integer<Mode, uint64_t, From>);
  table["__nv_int2" + from + mode] = address(&to_float<Mode, From, int32_t>);
  table["__nv_uint2" + from + mode] = address(&to_float<Mode, From, uint32_t>);
  table["__nv_ll2" + from + mode] = address(&to_float<Mode, From, int64_t>);
  table["__nv_ull2" + from + mode] = address(&to_float<Mode, From, uint64_t>);
}

template <int Mode>
void add_mode(FunctionTable& table, const std::string& mode) {
  add_arithmetic<Mode, float>(table, "f", "fmaf", mode);
  add_arithmetic<Mode, double>(table, "d", "fma", mode);
  add_conversions<Mode, float>(table, "float", mode);
  add_conversions<Mode, double>(table, "double", mode);
  table["__nv_double2float" + mode] = address(&to_float<Mode, float, double>);
}

}  // namespace

void add_rounding_functions(FunctionTable& table) {
  add_mode<FE_TONEAREST>(table, "_rn");
  add_mode<FE_TOWARDZERO>(table, "_rz");
  add_mode<FE_DOWNWARD>(table, "_rd");
  add_mode<FE_UPWARD>(table, "_ru");
}

}  // namespace tilewise::backends
