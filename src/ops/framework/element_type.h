// SPDX-License-Identifier: Apache-2.0
// The one table between ATen's scalar types and the runtime's.
#pragma once

#include <c10/core/ScalarType.h>

#include <optional>

#include "runtime/dtype.h"

namespace tilewise::ops {

constexpr std::optional<runtime::DType> element_type(c10::ScalarType dtype) {
  using runtime::DType;
  switch (dtype) {
    case c10::ScalarType::Bool:
      return DType::i1;
    case c10::ScalarType::Char:
      return DType::i8;
    case c10::ScalarType::Short:
      return DType::i16;
    case c10::ScalarType::Int:
      return DType::i32;
    case c10::ScalarType::Long:
      return DType::i64;
    case c10::ScalarType::Byte:
      return DType::u8;
    case c10::ScalarType::UInt16:
      return DType::u16;
    case c10::ScalarType::UInt32:
      return DType::u32;
    case c10::ScalarType::UInt64:
      return DType::u64;
    case c10::ScalarType::Half:
      return DType::fp16;
    case c10::ScalarType::BFloat16:
      return DType::bf16;
    case c10::ScalarType::Float:
      return DType::fp32;
    case c10::ScalarType::Double:
      return DType::fp64;
    default:
      return std::nullopt;
  }
}

// The type in which a pointwise operator or a reduction computes: 16-bit floats in 32 bits, as
// ATen.
constexpr runtime::DType accumulate_type(runtime::DType dtype) {
  return dtype == runtime::DType::fp16 || dtype == runtime::DType::bf16 ? runtime::DType::fp32
                                                                        : dtype;
}

}  // namespace tilewise::ops
