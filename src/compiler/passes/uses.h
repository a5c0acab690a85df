// SPDX-License-Identifier: Apache-2.0
// Who uses a value: MLIR's use lists, computed once for a function.
#pragma once

#include <unordered_map>
#include <vector>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

struct Use {
  Operation* op;
  int operand;
};

using UseMap = std::unordered_map<const Value*, std::vector<Use>>;

UseMap find_uses(const Function& function);

// Every operation of the function in text order, those of regions included.
std::vector<Operation*> all_operations(const Function& function);

}  // namespace tilewise::compiler
