// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/split_edges.h"

#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

std::unique_ptr<Block> edge_block(const Operation& branch, size_t successor, int first) {
  auto block = std::make_unique<Block>();
  block->label = "edge";
  block->parent = branch.parent->parent;
  auto jump = std::make_unique<Operation>();
  jump->name = "cf.br";
  jump->info = find_op("cf.br");
  jump->location = branch.location;
  jump->parent = block.get();
  const int count = branch.successor_operands[successor];
  jump->operands.assign(branch.operands.begin() + first, branch.operands.begin() + first + count);
  jump->successors = {branch.successors[successor]};
  jump->successor_operands = {count};
  block->operations.push_back(std::move(jump));
  return block;
}

void split_region(Region& region) {
  for (size_t i = 0; i < region.blocks.size(); ++i) {
    for (auto& op : region.blocks[i]->operations) {
      for (Region& inner : op->regions) split_region(inner);
    }
    if (region.blocks[i]->operations.empty()) continue;
    Operation& branch = *region.blocks[i]->terminator();
    if (!branch.is("cf.cond_br")) continue;
    int first = 1;
    for (size_t side = 0; side < 2; ++side) {
      const int count = branch.successor_operands[side];
      if (count == 0) continue;
      auto block = edge_block(branch, side, first);
      first += count;
      branch.successors[side] = block.get();
      branch.successor_operands[side] = 0;
      // Behind the branch: blocks stay in an order in which values are defined before their uses.
      region.blocks.insert(region.blocks.begin() + static_cast<ptrdiff_t>(i) + 1, std::move(block));
    }
    branch.operands.resize(1);
  }
}

}  // namespace

void split_edges(Function& function) {
  split_region(function.body);
  number_operations(function);
}

}  // namespace tilewise::compiler
