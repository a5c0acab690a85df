// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/text_builder.h"

#include <bit>
#include <cmath>
#include <cstdio>

#include "compiler/ttir/float8.h"

namespace tilewise::compiler {
namespace {

std::string vector_of(const std::string& scalar, int lanes) {
  return lanes == 1 ? scalar : "<" + std::to_string(lanes) + " x " + scalar + ">";
}

const char* scalar_type(ScalarKind kind) {
  switch (kind) {
    case ScalarKind::i1:
      return "i1";
    case ScalarKind::i8:
    case ScalarKind::f8e4m3:
    case ScalarKind::f8e5m2:
    case ScalarKind::f8e4m3fnuz:
    case ScalarKind::f8e5m2fnuz:
      return "i8";
    case ScalarKind::i16:
    case ScalarKind::bf16:
      return "i16";
    case ScalarKind::i32:
      return "i32";
    case ScalarKind::i64:
    case ScalarKind::index:
      return "i64";
    case ScalarKind::f16:
      return "half";
    case ScalarKind::f32:
      return "float";
    case ScalarKind::f64:
      return "double";
    case ScalarKind::pointer:
      return "ptr";
    case ScalarKind::none:
      break;
  }
  return "void";
}

// Round to nearest even; what is rounded here are constants of the kernel, already of the type.
uint16_t bfloat_bits(double value) {
  if (std::isnan(value)) return 0x7FC0;
  const uint32_t bits = std::bit_cast<uint32_t>(static_cast<float>(value));
  return static_cast<uint16_t>((bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

uint16_t half_bits(double value) {
  const uint16_t sign = std::signbit(value) ? 0x8000 : 0;
  const double magnitude = std::fabs(value);
  if (std::isnan(value)) return 0x7E00;
  if (magnitude >= 65520) return sign | 0x7C00;
  if (magnitude < std::ldexp(1, -14)) {
    return sign | static_cast<uint16_t>(std::nearbyint(std::ldexp(magnitude, 24)));
  }
  int exponent = 0;
  const double fraction = std::frexp(magnitude, &exponent);  // In [0.5, 1).
  const auto mantissa = static_cast<int>(std::nearbyint(std::ldexp(fraction, 11)));
  // A mantissa that rounds up to 2048 carries into the exponent by itself.
  return static_cast<uint16_t>(sign | (((exponent + 14) << 10) + (mantissa - 1024)));
}

}  // namespace

std::string llvm_type(ScalarKind kind, int lanes) { return vector_of(scalar_type(kind), lanes); }

std::string llvm_storage_type(ScalarKind kind, int lanes) {
  return vector_of(kind == ScalarKind::i1 ? "i8" : scalar_type(kind), lanes);
}

std::string scalar_result_type(const std::vector<Type>& results) {
  if (results.empty()) return "void";
  if (results.size() == 1) return llvm_type(results[0].kind, 1);
  std::string text;
  for (const Type& type : results) text += (text.empty() ? "{ " : ", ") + llvm_type(type.kind, 1);
  return text + " }";
}

std::string splat_constant(const std::string& scalar, ScalarKind kind, int lanes) {
  if (lanes == 1) return scalar;
  return "splat (" + llvm_type(kind, 1) + " " + scalar + ")";
}

std::string integer_constant(int64_t value, ScalarKind kind, int lanes) {
  std::string text;
  if (kind == ScalarKind::i1) {
    text = value & 1 ? "true" : "false";
  } else {
    const int shift = 64 - bit_width(kind);  // Keeps to the type's range, as LLVM demands.
    text = std::to_string(static_cast<int64_t>(static_cast<uint64_t>(value) << shift) >> shift);
  }
  return splat_constant(text, kind, lanes);
}

std::string float_constant(double value, ScalarKind kind, int lanes) {
  if (is_float8(kind)) return integer_constant(float8_bits(value, kind), ScalarKind::i8, lanes);
  char text[32];
  if (kind == ScalarKind::bf16) {
    return integer_constant(bfloat_bits(value), ScalarKind::i16, lanes);
  }
  if (kind == ScalarKind::f16) {
    std::snprintf(text, sizeof text, "0xH%04X", half_bits(value));
  } else {
    // LLVM spells floats as the bits of a double with the same value.
    if (kind == ScalarKind::f32) value = static_cast<float>(value);
    std::snprintf(text, sizeof text, "0x%016llX",
                  static_cast<unsigned long long>(std::bit_cast<uint64_t>(value)));
  }
  return splat_constant(text, kind, lanes);
}

bool is_constant_text(const std::string& text) { return !text.empty() && text[0] != '%'; }

std::string ModuleText::math(MathOp op, FloatType type, int lanes) {
  std::string name;
  std::string text = math_function(op, type, lanes, target_, name);
  define(name, text);
  uses_math_ = true;
  return "@" + name;
}

std::string ModuleText::global(const std::string& initializer) {
  std::string name = "@tw_constant" + std::to_string(global_count_++);
  globals_ += name + " = private unnamed_addr constant " + initializer + ", align 64\n";
  return name;
}

std::string ModuleText::whole_text(const std::string& kernel) const {
  std::string text = "target triple = \"" + target_.triple + "\"\n" + globals_;
  for (const std::string& declaration : declarations_) text += declaration + "\n";
  if (uses_math_) text += math_declarations(target_);
  for (const auto& [name, function] : functions_) text += function;
  const std::string bits = std::to_string(vector_bytes_ * 8);
  // Without it, LLVM spills vectors where the caller's stack happens to end: three times out of
  // four each spill and reload then crosses a cache line. gelu of (1024, 4096) f32: 2250 us,
  // aligned 1750.
  const std::string stack =
      target_.vector_bytes > 16 ? " alignstack=" + std::to_string(target_.vector_bytes) : "";
  return text + kernel + "attributes #0 = { nounwind" + stack + " \"target-cpu\"=\"" + target_.cpu +
         "\" \"target-features\"=\"" + target_.features + "\" \"prefer-vector-width\"=\"" + bits +
         "\" \"min-legal-vector-width\"=\"" + bits + "\" }\n";
}

}  // namespace tilewise::compiler
