// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/uses.h"

namespace tilewise::compiler {
namespace {

void collect(const Block& block, std::vector<Operation*>& operations) {
  for (const auto& op : block.operations) {
    operations.push_back(op.get());
    for (const Region& region : op->regions) {
      for (const auto& inner : region.blocks) collect(*inner, operations);
    }
  }
}

}  // namespace

std::vector<Operation*> all_operations(const Function& function) {
  std::vector<Operation*> operations;
  for (const auto& block : function.body.blocks) collect(*block, operations);
  return operations;
}

UseMap find_uses(const Function& function) {
  UseMap uses;
  for (Operation* op : all_operations(function)) {
    for (int i = 0; i < op->operand_count(); ++i) uses[op->operand(i)].push_back({op, i});
  }
  return uses;
}

}  // namespace tilewise::compiler
