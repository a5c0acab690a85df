// SPDX-License-Identifier: Apache-2.0
// Elementary functions of lanes: LLVM intrinsics that are instructions, the math library, and for
// the rare rest libm, one lane at a time.
#include <algorithm>
#include <cmath>

#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {
namespace {

struct Name {
  std::string_view name;
  const char* target;
};

// Of "math.X" and of libdevice's "__nv_X": functions that are LLVM intrinsics.
constexpr Name kIntrinsics[] = {
    {"abs", "fabs"},          {"absf", "fabs"},           {"ceil", "ceil"},
    {"copysign", "copysign"}, {"fabs", "fabs"},           {"floor", "floor"},
    {"fma", "fma"},           {"nearbyint", "roundeven"}, {"rint", "roundeven"},
    {"round", "round"},       {"roundeven", "roundeven"}, {"sqrt", "sqrt"},
    {"trunc", "trunc"},
};

// libdevice's other names for functions of the math library or of this file.
constexpr Name kAliases[] = {
    {"fast_cos", "cos"},   {"fast_exp", "exp"},    {"fast_log", "log"}, {"fast_log10", "log10"},
    {"fast_log2", "log2"}, {"fast_pow", "pow"},    {"fast_sin", "sin"}, {"fast_tan", "tan"},
    {"fast_tanh", "tanh"}, {"fsqrt_rn", "sqrt"},   {"powf", "pow"},     {"sqrt_rn", "sqrt"},
    {"dsqrt_rn", "sqrt"},  {"frsqrt_rn", "rsqrt"},
};

// Functions of libm itself, called lane by lane.
constexpr std::string_view kLibm[] = {"cbrt",      "fdim",   "fmod", "hypot", "lgamma", "nextafter",
                                      "remainder", "tgamma", "j0",   "j1",    "y0",     "y1"};

const char* find(std::string_view name, const Name* first, const Name* last) {
  for (; first != last; ++first) {
    if (first->name == name) return first->target;
  }
  return nullptr;
}

}  // namespace

bool LaneOps::emit_math(const Operation& op, const Operands& x, ScalarKind kind, int lanes,
                        std::string& result) {
  if (kind != ScalarKind::f32 && kind != ScalarKind::f64) return false;
  std::string name = op.name;
  if (name == "tt.precise_sqrt") name = "math.sqrt";
  if (name.starts_with("math.")) name = name.substr(5);
  if (name == "tt.extern_elementwise") {
    name = op.word("symbol");
    if (name.starts_with("__nv_")) name = name.substr(5);
    // f32 variants end in f: expf. But erf, and fast_expf.
    if (kind == ScalarKind::f32 && name.ends_with("f") && name != "erf") name.pop_back();
  }
  const std::string type = llvm_type(kind, lanes);
  if (const char* alias = find(name, std::begin(kAliases), std::end(kAliases))) name = alias;
  if (const char* target = find(name, std::begin(kIntrinsics), std::end(kIntrinsics))) {
    result = intrinsic(target, kind, lanes, x);
    return true;
  }
  if (name == "fmax" || name == "fmin") {
    result = extremum(name == "fmax", false, x[0], x[1], kind, lanes);
    return true;
  }
  if (name == "div_rn" || name == "fdiv_rn" || name == "fast_divide" || name == "fast_fdivide" ||
      name == "ddiv_rn" || name == "fast_fdivid") {
    result = b_.assign("fdiv " + type + " " + x[0] + ", " + x[1]);
    return true;
  }
  MathOp math_op;
  if (math_op_from_name(name, math_op) && math_op_arity(math_op) == static_cast<int>(x.size())) {
    const FloatType float_type = kind == ScalarKind::f64 ? FloatType::f64 : FloatType::f32;
    std::string arguments;
    for (const std::string& operand : x) {
      arguments += (arguments.empty() ? "" : ", ") + type + " " + operand;
    }
    result = b_.assign("call " + type + " " + module_.math(math_op, float_type, lanes) + "(" +
                       arguments + ")");
    return true;
  }
  if (std::find(std::begin(kLibm), std::end(kLibm), name) != std::end(kLibm)) {
    result = lane_by_lane(kind == ScalarKind::f64 ? name : name + "f", x, kind, lanes);
    return true;
  }
  return false;
}

// Functions of libdevice: those of emit_math, and tests of one float, which return integers.
std::string LaneOps::emit_extern(const Operation& op, const Operands& operands, int lanes) {
  const std::string symbol = op.word("symbol");
  const ScalarKind kind = op.operand(0)->type.kind;
  const ScalarKind result_kind = op.result()->type.kind;
  Operands x = operands;
  std::string result;
  if (is_float(kind) && is_integer(result_kind)) {
    const std::string type = llvm_type(kind, lanes);
    const std::string infinity = float_constant(INFINITY, kind, lanes);
    std::string flag;
    if (symbol.find("isnan") != std::string::npos) {
      flag = b_.assign("fcmp uno " + type + " " + x[0] + ", " + x[0]);
    } else if (symbol.find("isinf") != std::string::npos) {
      flag =
          b_.assign("fcmp oeq " + type + " " + intrinsic("fabs", kind, lanes, x) + ", " + infinity);
    } else if (symbol.find("finite") != std::string::npos) {
      flag =
          b_.assign("fcmp one " + type + " " + intrinsic("fabs", kind, lanes, x) + ", " + infinity);
    } else if (symbol.find("signbit") != std::string::npos) {
      const ScalarKind bits_kind = kind == ScalarKind::f64 ? ScalarKind::i64 : ScalarKind::i32;
      flag = b_.assign("icmp slt " + llvm_type(bits_kind, lanes) + " " +
                       bitcast(x[0], kind, bits_kind, lanes) + ", " +
                       integer_constant(0, bits_kind, lanes));
    }
    if (!flag.empty()) {
      if (result_kind == ScalarKind::i1) return flag;
      return b_.assign("zext " + llvm_type(ScalarKind::i1, lanes) + " " + flag + " to " +
                       llvm_type(result_kind, lanes));
    }
  }
  // pow with an integer exponent.
  for (int i = 1; i < op.operand_count() && is_float(kind); ++i) {
    if (is_integer(op.operand(i)->type.kind)) {
      x[i] = b_.assign("sitofp " + llvm_type(op.operand(i)->type.kind, lanes) + " " + x[i] +
                       " to " + llvm_type(kind, lanes));
    }
  }
  if (symbol == "__nv_powif" || symbol == "__nv_powi") {
    const FloatType float_type = kind == ScalarKind::f64 ? FloatType::f64 : FloatType::f32;
    const std::string type = llvm_type(kind, lanes);
    return b_.assign("call " + type + " " + module_.math(MathOp::pow, float_type, lanes) + "(" +
                     type + " " + x[0] + ", " + type + " " + x[1] + ")");
  }
  if (kind == result_kind && emit_math(op, x, kind, lanes, result)) return result;
  throw CompileError(op.location, "the external function \"" + symbol +
                                      "\" is not supported on the CPU for " + kind_name(kind));
}

std::string LaneOps::lane_by_lane(const std::string& function, const Operands& x, ScalarKind kind,
                                  int lanes) {
  const std::string scalar = llvm_type(kind, 1);
  const std::string vector = llvm_type(kind, lanes);
  std::string parameters = scalar;
  for (size_t i = 1; i < x.size(); ++i) parameters += ", " + scalar;
  module_.declare("declare " + scalar + " @" + function + "(" + parameters + ")");
  std::string result = "poison";
  for (int lane = 0; lane < lanes; ++lane) {
    const std::string index = ", i64 " + std::to_string(lane);
    std::string arguments;
    for (const std::string& operand : x) {
      std::string element = operand;
      if (lanes > 1) element = b_.assign("extractelement " + vector + " " + operand + index);
      arguments += (arguments.empty() ? "" : ", ") + scalar + " " + element;
    }
    const std::string value = b_.assign("call " + scalar + " @" + function + "(" + arguments + ")");
    if (lanes == 1) return value;
    result =
        b_.assign("insertelement " + vector + " " + result + ", " + scalar + " " + value + index);
  }
  return result;
}

}  // namespace tilewise::compiler
