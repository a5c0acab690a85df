// SPDX-License-Identifier: Apache-2.0
// The floating-point types that generated LLVM text computes with.
#pragma once

#include <cstdint>
#include <string>

namespace tilewise::compiler {

enum class FloatType : uint8_t { f16, bf16, f32, f64 };

inline int size_bytes(FloatType type) {
  return type == FloatType::f64 ? 8 : type == FloatType::f32 ? 4 : 2;
}

// "f32", as in the names of generated functions.
inline const char* short_name(FloatType type) {
  constexpr const char* kNames[] = {"f16", "bf16", "f32", "f64"};
  return kNames[static_cast<int>(type)];
}

// "float", as LLVM spells it.
inline const char* llvm_name(FloatType type) {
  constexpr const char* kNames[] = {"half", "bfloat", "float", "double"};
  return kNames[static_cast<int>(type)];
}

// "float" for one lane, "<16 x float>" for sixteen.
inline std::string llvm_vector_name(FloatType type, int lanes) {
  if (lanes == 1) return llvm_name(type);
  return "<" + std::to_string(lanes) + " x " + llvm_name(type) + ">";
}

}  // namespace tilewise::compiler
