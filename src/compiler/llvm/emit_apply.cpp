// SPDX-License-Identifier: Apache-2.0
// Calls of scalar functions, for one lane after the other: tilewise.apply, whose functions LLVM
// inlines, and functions of the runtime and of libm.
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {

LaneOps::Operands LaneOps::call_lanes(const std::string& function,
                                      const std::vector<ScalarKind>& kinds,
                                      const std::vector<Type>& types, const Operands& x,
                                      int lanes) {
  const std::string result_type = scalar_result_type(types);
  Operands results(types.size(), "poison");
  for (int lane = 0; lane < lanes; ++lane) {
    const std::string index = ", i64 " + std::to_string(lane);
    std::string arguments;
    for (size_t i = 0; i < x.size(); ++i) {
      std::string element = x[i];
      if (lanes > 1) {
        element = b_.assign("extractelement " + llvm_type(kinds[i], lanes) + " " + x[i] + index);
      }
      arguments += (i ? ", " : "") + llvm_type(kinds[i], 1) + " " + element;
    }
    const std::string value =
        b_.assign("call " + result_type + " @" + function + "(" + arguments + ")");
    for (size_t i = 0; i < types.size(); ++i) {
      std::string element = value;
      if (types.size() > 1) {
        element = b_.assign("extractvalue " + result_type + " " + value + ", " + std::to_string(i));
      }
      results[i] = lanes == 1 ? element
                              : b_.assign("insertelement " + llvm_type(types[i].kind, lanes) + " " +
                                          results[i] + ", " + llvm_type(types[i].kind, 1) + " " +
                                          element + index);
    }
  }
  return results;
}

LaneOps::Operands LaneOps::emit_apply(const Operation& op, const Operands& x, int lanes) {
  std::vector<ScalarKind> kinds;
  for (const Value* operand : op.operands) kinds.push_back(operand->type.kind);
  std::vector<Type> types;
  for (const auto& result : op.results) types.push_back(result->type.scalar());
  return call_lanes(op.word("callee"), kinds, types, x, lanes);
}

// A function with C's linkage.
std::string LaneOps::call_external(const std::string& function,
                                   const std::vector<ScalarKind>& kinds, ScalarKind result,
                                   const Operands& x, int lanes) {
  std::string parameters;
  for (const ScalarKind kind : kinds) {
    parameters += (parameters.empty() ? "" : ", ") + llvm_type(kind, 1);
  }
  module_.declare("declare " + llvm_type(result, 1) + " @" + function + "(" + parameters + ")");
  return call_lanes(function, kinds, {{result, ScalarKind::none, false, {}}}, x, lanes)[0];
}

}  // namespace tilewise::compiler
