// SPDX-License-Identifier: Apache-2.0
// Floating-point arithmetic of lanes, in f32 or f64.
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {

bool LaneOps::emit_float(const Operation& op, const Operands& x, ScalarKind kind, int lanes,
                         std::string& result) {
  if (kind != ScalarKind::f32 && kind != ScalarKind::f64) return false;
  const std::string type = llvm_type(kind, lanes);
  auto binary = [&](const char* instruction) {
    result = b_.assign(std::string(instruction) + " " + type + " " + x[0] + ", " + x[1]);
    return true;
  };
  if (op.is("arith.addf")) return binary("fadd contract");
  if (op.is("arith.subf")) return binary("fsub contract");
  if (op.is("arith.mulf")) return binary("fmul contract");
  if (op.is("arith.divf") || op.is("tt.precise_divf")) return binary("fdiv");
  if (op.is("arith.remf")) {
    const FloatType float_type = kind == ScalarKind::f64 ? FloatType::f64 : FloatType::f32;
    const std::string function = module_.math(MathOp::fmod, float_type, lanes);
    result = b_.assign("call " + type + " " + function + "(" + type + " " + x[0] + ", " + type +
                       " " + x[1] + ")");
    return true;
  }
  if (op.is("arith.negf")) {
    result = b_.assign("fneg " + type + " " + x[0]);
    return true;
  }
  if (op.is("arith.cmpf")) {
    result = b_.assign("fcmp " + op.word("predicate") + " " + type + " " + x[0] + ", " + x[1]);
    return true;
  }
  const bool maximum = op.is("arith.maximumf") || op.is("arith.maxnumf");
  if (maximum || op.is("arith.minimumf") || op.is("arith.minnumf")) {
    const bool propagate = op.is("arith.maximumf") || op.is("arith.minimumf");
    result = extremum(maximum, propagate, x[0], x[1], kind, lanes);
    return true;
  }
  if (op.is("tt.clampf")) {
    const std::string nan = op.word("propagateNan", "none");
    const bool propagate = nan == "all" || nan == "65535";
    // As Triton's GPU backends define it: min(max(x, low), high).
    result = extremum(true, propagate, x[0], x[1], kind, lanes);
    result = extremum(false, propagate, result, x[2], kind, lanes);
    return true;
  }
  return false;
}

// Of zeros with different signs either is returned (nsz), which leaves three x86 instructions.
std::string LaneOps::extremum(bool maximum, bool propagate_nan, const std::string& a,
                              const std::string& b, ScalarKind kind, int lanes) {
  const char* name =
      propagate_nan ? (maximum ? "maximum" : "minimum") : (maximum ? "maxnum" : "minnum");
  return intrinsic(name, kind, lanes, {a, b}, "", "nsz ");
}

}  // namespace tilewise::compiler
