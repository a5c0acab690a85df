// SPDX-License-Identifier: Apache-2.0
// Whether a number fits an element type. Where it does not, PyTorch raises "value cannot be
// converted to type ... without overflow"; we leave that to its own kernel.
#pragma once

#include <c10/core/Scalar.h>
#include <c10/core/ScalarType.h>

#include <cmath>
#include <limits>

namespace tilewise::ops {

inline bool is_representable(const at::Scalar& value, at::ScalarType dtype) {
  if (dtype == at::kComplexFloat || dtype == at::kComplexDouble) {
    const auto parts = value.toComplexDouble();
    const auto part_dtype = dtype == at::kComplexFloat ? at::kFloat : at::kDouble;
    return is_representable(parts.real(), part_dtype) && is_representable(parts.imag(), part_dtype);
  }
  if (value.isComplex()) return false;
  const double number = value.isIntegral(/*includeBool=*/true)
                            ? static_cast<double>(value.to<int64_t>())
                            : value.toDouble();
  switch (dtype) {
    case at::kBool:
    case at::kDouble:
      return true;
    case at::kFloat:
      return !std::isfinite(number) || std::abs(number) <= std::numeric_limits<float>::max();
    case at::kHalf:
      return !std::isfinite(number) || std::abs(number) <= 65504;
    case at::kBFloat16:
      return !std::isfinite(number) || std::abs(number) <= 3.3895313892515355e38;
    case at::kChar:
      return number >= -128 && number <= 127;
    case at::kByte:
      return number >= 0 && number <= 255;
    case at::kShort:
      return number >= -32768 && number <= 32767;
    case at::kInt:
      return number >= -2147483648.0 && number <= 2147483647.0;
    case at::kLong:
      return number >= -9223372036854775808.0 && number < 9223372036854775808.0;
    default:
      return false;
  }
}

}  // namespace tilewise::ops
