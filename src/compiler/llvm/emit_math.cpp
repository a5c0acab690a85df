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
    {"dsqrt_rn", "sqrt"},  {"frsqrt_rn", "rsqrt"}, {"fma_rn", "fma"},   {"fmaf_rn", "fma"},
};

// Functions of libm itself, called lane by lane.
constexpr std::string_view kLibm[] = {"cbrt",   "fdim", "hypot", "lgamma", "nextafter", "remainder",
                                      "tgamma", "j0",   "j1",    "y0",     "y1"};

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
  if (name == "frcp_rn" || name == "drcp_rn") {
    result = b_.assign("fdiv " + type + " " + float_constant(1, kind, lanes) + ", " + x[0]);
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
    result = call_external(kind == ScalarKind::f64 ? name : name + "f", std::vector(x.size(), kind),
                           kind, x, lanes);
    return true;
  }
  return false;
}

}  // namespace tilewise::compiler
