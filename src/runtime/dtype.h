// SPDX-License-Identifier: Apache-2.0
// Element types as Triton knows them. The conversion from ATen's ScalarType is in ops/.
#pragma once

#include <cstdint>
#include <string_view>

namespace tilewise::runtime {

// Fits in four bits: an argument's tag holds it beside the argument's kind.
enum class DType : uint8_t {
  i1,
  i8,
  i16,
  i32,
  i64,
  u8,
  u16,
  u32,
  u64,
  fp16,
  bf16,
  fp32,
  fp64,
  fp8e4nv,
  fp8e5
};

constexpr std::string_view triton_name(DType dtype) {
  constexpr std::string_view kNames[] = {"i1",   "i8",   "i16",  "i32",     "i64",
                                         "u8",   "u16",  "u32",  "u64",     "fp16",
                                         "bf16", "fp32", "fp64", "fp8e4nv", "fp8e5"};
  return kNames[static_cast<int>(dtype)];
}

constexpr int size_bytes(DType dtype) {
  constexpr int kBytes[] = {1, 1, 2, 4, 8, 1, 2, 4, 8, 2, 2, 4, 8, 1, 1};
  return kBytes[static_cast<int>(dtype)];
}

}  // namespace tilewise::runtime
