// SPDX-License-Identifier: Apache-2.0
// tt.extern_elementwise: the functions of CUDA's libdevice, which Triton's own libdevice module
// names. Most are those of emit_math.cpp under another name; integer ones are instructions; the
// rest is called one lane at a time (extern_functions.h).
#include <cmath>

#include "compiler/llvm/extern_functions.h"
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {
namespace {

struct Rename {
  std::string_view symbol;
  const char* instruction;
};

// Same bits, another type.
constexpr std::string_view kBitcasts[] = {
    "__nv_int_as_float",  "__nv_float_as_int",       "__nv_uint_as_float",
    "__nv_float_as_uint", "__nv_longlong_as_double", "__nv_double_as_longlong",
};

// Plain instructions, rounding to nearest. Unlike +, they do not fuse with others.
constexpr Rename kInstructions[] = {
    {"__nv_fadd_rn", "fadd"}, {"__nv_dadd_rn", "fadd"}, {"__nv_fsub_rn", "fsub"},
    {"__nv_dsub_rn", "fsub"}, {"__nv_fmul_rn", "fmul"}, {"__nv_dmul_rn", "fmul"},
};

constexpr Rename kConversions[] = {
    {"__nv_double2float_rn", "fptrunc"}, {"__nv_int2float_rn", "sitofp"},
    {"__nv_uint2float_rn", "uitofp"},    {"__nv_int2double_rn", "sitofp"},
    {"__nv_uint2double_rn", "uitofp"},   {"__nv_ll2float_rn", "sitofp"},
    {"__nv_ull2float_rn", "uitofp"},     {"__nv_ll2double_rn", "sitofp"},
    {"__nv_ull2double_rn", "uitofp"},
};

}  // namespace

// Counts of bits, which are 32 bits wide whatever is counted.
bool LaneOps::count_bits(std::string_view symbol, const std::string& x, ScalarKind kind, int lanes,
                         std::string& result) {
  const bool finds_first = symbol.starts_with("__nv_ffs");
  if (symbol.starts_with("__nv_popc")) {
    result = intrinsic("ctpop", kind, lanes, {x});
  } else if (symbol.starts_with("__nv_clz")) {
    result = intrinsic("ctlz", kind, lanes, {x}, "i1 false");
  } else if (finds_first) {
    result = intrinsic("cttz", kind, lanes, {x}, "i1 false");
  } else {
    return false;
  }
  if (kind == ScalarKind::i64)
    result = b_.assign("trunc " + llvm_type(kind, lanes) + " " + result + " to " +
                       llvm_type(ScalarKind::i32, lanes));
  if (!finds_first) return true;
  // From 1, and 0 where there is none.
  const std::string place = b_.assign("add " + llvm_type(ScalarKind::i32, lanes) + " " + result +
                                      ", " + integer_constant(1, ScalarKind::i32, lanes));
  const std::string is_zero = b_.assign("icmp eq " + llvm_type(kind, lanes) + " " + x + ", " +
                                        integer_constant(0, kind, lanes));
  result =
      select(is_zero, integer_constant(0, ScalarKind::i32, lanes), place, ScalarKind::i32, lanes);
  return true;
}

// What is an instruction or two, whether of integers or between types.
bool LaneOps::emit_extern_integer(const Operation& op, const Operands& x, int lanes,
                                  std::string& result) {
  const std::string symbol = op.word("symbol");
  const ScalarKind kind = op.operand(0)->type.kind;
  const ScalarKind to = op.result()->type.kind;
  const std::string type = llvm_type(kind, lanes);
  for (const std::string_view name : kBitcasts) {
    if (symbol != name || bit_width(kind) != bit_width(to)) continue;
    result = bitcast(x[0], kind, to, lanes);
    return true;
  }
  for (const Rename& rename : kInstructions) {
    if (symbol != rename.symbol || x.size() != 2 || kind != to) continue;
    result = b_.assign(std::string(rename.instruction) + " " + type + " " + x[0] + ", " + x[1]);
    return true;
  }
  for (const Rename& rename : kConversions) {
    if (symbol != rename.symbol || !is_runtime_function(symbol, op)) continue;
    result = b_.assign(std::string(rename.instruction) + " " + type + " " + x[0] + " to " +
                       llvm_type(to, lanes));
    return true;
  }
  if (is_integer(kind) && is_runtime_function(symbol, op) &&
      count_bits(symbol, x[0], kind, lanes, result))
    return true;
  if (!is_integer(kind) || kind != to) return false;
  if (symbol == "__nv_mulhi" || symbol == "__nv_mul64hi") {
    result = multiply_extended(true, x[0], x.at(1), kind, lanes)[1];
  } else if (symbol == "__nv_umulhi" || symbol == "__nv_umul64hi") {
    result = multiply_extended(false, x[0], x.at(1), kind, lanes)[1];
  } else if (symbol == "__nv_abs" || symbol == "__nv_llabs") {
    result = intrinsic("abs", kind, lanes, {x[0]}, "i1 false");
  } else if (symbol == "__nv_brev" || symbol == "__nv_brevll") {
    result = intrinsic("bitreverse", kind, lanes, {x[0]});
  } else {
    return false;
  }
  return true;
}

// Functions of libdevice: those of emit_math, and tests of one float, which return integers.
std::string LaneOps::emit_extern(const Operation& op, const Operands& operands, int lanes) {
  const std::string symbol = op.word("symbol");
  const ScalarKind kind = op.operand(0)->type.kind;
  const ScalarKind result_kind = op.result()->type.kind;
  Operands x = operands;
  std::string result;
  if (emit_extern_integer(op, operands, lanes, result)) return result;
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
  bool same_kinds = kind == result_kind;
  for (const Value* operand : op.operands) same_kinds &= operand->type.kind == kind;
  if (same_kinds && emit_math(op, operands, kind, lanes, result)) return result;
  if (is_runtime_function(symbol, op)) {
    std::vector<ScalarKind> kinds;
    for (const Value* operand : op.operands) kinds.push_back(operand->type.kind);
    return call_external(symbol, kinds, result_kind, operands, lanes);
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

}  // namespace tilewise::compiler
