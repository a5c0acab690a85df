// SPDX-License-Identifier: Apache-2.0
// tilewise.apply: a function of scalars, called for one lane after the other. LLVM inlines it.
#include "compiler/llvm/lane_ops.h"

namespace tilewise::compiler {

LaneOps::Operands LaneOps::emit_apply(const Operation& op, const Operands& x, int lanes) {
  std::vector<Type> types;
  for (const auto& result : op.results) types.push_back(result->type);
  const std::string result_type = scalar_result_type(types);
  Operands results(types.size(), "poison");
  for (int lane = 0; lane < lanes; ++lane) {
    const std::string index = ", i64 " + std::to_string(lane);
    std::string arguments;
    for (size_t i = 0; i < x.size(); ++i) {
      const ScalarKind kind = op.operands[i]->type.kind;
      std::string element = x[i];
      if (lanes > 1) {
        element = b_.assign("extractelement " + llvm_type(kind, lanes) + " " + x[i] + index);
      }
      arguments += (i ? ", " : "") + llvm_type(kind, 1) + " " + element;
    }
    const std::string value =
        b_.assign("call " + result_type + " @" + op.word("callee") + "(" + arguments + ")");
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

}  // namespace tilewise::compiler
