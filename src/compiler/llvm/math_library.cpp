// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/math_library.h"

#include <array>

#include "base/check.h"
#include "compiler/llvm/math_formulas.h"

namespace tilewise::compiler {
namespace {

struct Entry {
  MathOp op;
  const char* name;
  VectorValue (*unary)(const VectorValue&);
  VectorValue (*binary)(const VectorValue&, const VectorValue&);
};

// One row for each operation, in the order of MathOp.
constexpr Entry kEntries[] = {
    {MathOp::acos, "acos", formulas::acos, nullptr},
    {MathOp::acosh, "acosh", formulas::acosh, nullptr},
    {MathOp::asin, "asin", formulas::asin, nullptr},
    {MathOp::asinh, "asinh", formulas::asinh, nullptr},
    {MathOp::atan, "atan", formulas::atan, nullptr},
    {MathOp::atan2, "atan2", nullptr, formulas::atan2},
    {MathOp::atanh, "atanh", formulas::atanh, nullptr},
    {MathOp::cos, "cos", formulas::cos, nullptr},
    {MathOp::cosh, "cosh", formulas::cosh, nullptr},
    {MathOp::erf, "erf", formulas::erf, nullptr},
    {MathOp::erfc, "erfc", formulas::erfc, nullptr},
    {MathOp::exp, "exp", formulas::exp, nullptr},
    {MathOp::exp2, "exp2", formulas::exp2, nullptr},
    {MathOp::expm1, "expm1", formulas::expm1, nullptr},
    {MathOp::fmod, "fmod", nullptr, formulas::fmod},
    {MathOp::log, "log", formulas::log, nullptr},
    {MathOp::log10, "log10", formulas::log10, nullptr},
    {MathOp::log1p, "log1p", formulas::log1p, nullptr},
    {MathOp::log2, "log2", formulas::log2, nullptr},
    {MathOp::pow, "pow", nullptr, formulas::pow},
    {MathOp::rsqrt, "rsqrt", formulas::rsqrt, nullptr},
    {MathOp::sin, "sin", formulas::sin, nullptr},
    {MathOp::sinh, "sinh", formulas::sinh, nullptr},
    {MathOp::tan, "tan", formulas::tan, nullptr},
    {MathOp::tanh, "tanh", formulas::tanh, nullptr},
};

const Entry& entry_of(MathOp op) {
  const Entry& entry = kEntries[static_cast<int>(op)];
  TILEWISE_ASSERT(entry.op == op);
  return entry;
}

}  // namespace

const char* math_op_name(MathOp op) { return entry_of(op).name; }

bool math_op_from_name(std::string_view name, MathOp& op) {
  for (const Entry& entry : kEntries) {
    if (name != entry.name) continue;
    op = entry.op;
    return true;
  }
  return false;
}

int math_op_arity(MathOp op) { return entry_of(op).unary != nullptr ? 1 : 2; }

std::string math_function(MathOp op, FloatType type, int lanes, const Target& target,
                          std::string& name) {
  const Entry& entry = entry_of(op);
  name = std::string("tw_") + entry.name + "_" + (lanes > 1 ? "v" + std::to_string(lanes) : "") +
         short_name(type);
  VectorWriter writer(name, type, lanes, math_op_arity(op), target);
  if (entry.unary != nullptr) return writer.finish(entry.unary(writer.argument(0)));
  return writer.finish(entry.binary(writer.argument(0), writer.argument(1)));
}

// Of the cold branches (sin, cos, tan, fmod) and the f64 forms left to libm. They may set errno,
// which no kernel reads, so that they count as pure.
std::string math_declarations(const Target& target) {
  std::string text;
  if (target.has_scalef()) {
    for (const auto& [type, name, mask] :
         {std::array{"<16 x float>", "ps", "i16"}, std::array{"<8 x double>", "pd", "i8"}}) {
      const std::string vector = type;
      text += "declare " + vector + " @llvm.x86.avx512.mask.scalef." + name + ".512(" + vector +
              ", " + vector + ", " + vector + ", " + mask + ", i32)\n";
    }
  }
  for (const char* name :
       {"sin", "cos", "tan", "asin", "acos", "atan", "asinh", "acosh", "atanh"}) {
    text += std::string("declare double @") + name + "(double) nounwind willreturn memory(none)\n";
  }
  for (const char* name : {"sinf", "cosf", "tanf"}) {
    text += std::string("declare float @") + name + "(float) nounwind willreturn memory(none)\n";
  }
  text += "declare float @fmodf(float, float) nounwind willreturn memory(none)\n";
  for (const char* name : {"pow", "atan2", "fmod"}) {
    text += std::string("declare double @") + name +
            "(double, double) nounwind willreturn memory(none)\n";
  }
  return text;
}

}  // namespace tilewise::compiler
