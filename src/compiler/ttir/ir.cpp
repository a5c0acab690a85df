// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/ir.h"

#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdlib>

#include "compiler/ttir/float8.h"

namespace tilewise::compiler {
namespace {

int64_t parse_integer(const std::string& text, const SourceLocation& location) {
  if (text == "true") return -1;  // i1 is signed in MLIR; only its lowest bit is used.
  if (text == "false") return 0;
  errno = 0;
  char* end = nullptr;
  int64_t value = text.starts_with("-") || text.find('x') == std::string::npos
                      ? std::strtoll(text.c_str(), &end, 10)
                      : static_cast<int64_t>(std::strtoull(text.c_str(), &end, 16));
  if (errno == ERANGE) value = static_cast<int64_t>(std::strtoull(text.c_str(), &end, 10));
  if (text.empty() || *end != 0) throw CompileError(location, "\"" + text + "\" is no integer");
  return value;
}

// MLIR prints floats that have no short decimal form (infinities, NaN) as their bits in hex.
double float_from_bits(uint64_t bits, ScalarKind kind) {
  switch (kind) {
    case ScalarKind::f64:
      return std::bit_cast<double>(bits);
    case ScalarKind::f32:
      return std::bit_cast<float>(static_cast<uint32_t>(bits));
    case ScalarKind::bf16:
      return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
    case ScalarKind::f16: {
      const int exponent = static_cast<int>(bits >> 10 & 31);
      const int mantissa = static_cast<int>(bits & 1023);
      double magnitude = exponent == 31  ? (mantissa ? NAN : INFINITY)
                         : exponent == 0 ? std::ldexp(mantissa, -24)
                                         : std::ldexp(mantissa + 1024, exponent - 25);
      return bits & 0x8000 ? -magnitude : magnitude;
    }
    default:
      return is_float8(kind) ? float8_value(static_cast<uint8_t>(bits), kind) : 0;
  }
}

const Attribute& value_attribute(const Operation& constant) {
  const Attribute* value = constant.attribute("value");
  if (!value) throw CompileError(constant.location, "a constant without a value");
  return *value;
}

const std::string& element_text(const Operation& constant, size_t element) {
  const Attribute& value = value_attribute(constant);
  if (value.kind != Attribute::Kind::list) return value.text;
  if (value.elements.empty()) throw CompileError(constant.location, "an empty constant");
  return value.elements[value.elements.size() == 1 ? 0 : element];
}

void number_block(Block& block, int& next) {
  for (auto& op : block.operations) {
    op->index = next++;
    op->parent = &block;
    for (Region& region : op->regions) {
      for (auto& inner : region.blocks) {
        inner->parent = op.get();
        number_block(*inner, next);
      }
    }
  }
}

}  // namespace

int64_t Operation::integer(const std::string& key) const {
  const Attribute* found = attribute(key);
  if (!found) throw CompileError(location, name + " without the attribute " + key);
  return parse_integer(found->text, location);
}

Function& Module::kernel() const {
  for (auto& function : functions) {
    if (function->is_public) return *function;
  }
  throw CompileError({}, "the module has no public function");
}

Function* Module::find(std::string_view name) const {
  for (auto& function : functions) {
    if (function->name == name) return function.get();
  }
  return nullptr;
}

void number_operations(Function& function) {
  int next = 0;
  for (auto& block : function.body.blocks) number_block(*block, next);
}

bool constant_is_splat(const Operation& constant) {
  const Attribute& value = value_attribute(constant);
  return value.kind != Attribute::Kind::list || value.elements.size() == 1;
}

int64_t constant_integer(const Operation& constant, size_t element) {
  return parse_integer(element_text(constant, element), constant.location);
}

double constant_float(const Operation& constant, size_t element) {
  const std::string& text = element_text(constant, element);
  const ScalarKind kind = constant.result()->type.kind;
  if (text.starts_with("0x") || text.starts_with("0X")) {
    return float_from_bits(std::strtoull(text.c_str(), nullptr, 16), kind);
  }
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != 0) {
    throw CompileError(constant.location, "\"" + text + "\" is no number");
  }
  // The short decimal form stands for the nearest value of the type.
  return kind == ScalarKind::f64 ? value : static_cast<double>(static_cast<float>(value));
}

}  // namespace tilewise::compiler
