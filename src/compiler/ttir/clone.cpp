// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/clone.h"

namespace tilewise::compiler {
namespace {

using BlockMap = std::unordered_map<const Block*, Block*>;

Value* mapped(Value* value, const ValueMap& map) {
  auto found = map.find(value);
  return found == map.end() ? value : found->second;
}

std::unique_ptr<Value> clone_value(const Value& value, ValueMap& map) {
  auto copy = std::make_unique<Value>();
  copy->name = value.name;
  copy->type = value.type;
  copy->index = value.index;
  map[&value] = copy.get();
  return copy;
}

void clone_operations(const Block& from, Block& to, ValueMap& map, const BlockMap& blocks);

void clone_blocks(const Region& from, Region& to, Operation* parent, ValueMap& map) {
  BlockMap blocks;
  for (const auto& block : from.blocks) {
    to.blocks.push_back(std::make_unique<Block>());
    Block& copy = *to.blocks.back();
    copy.label = block->label;
    copy.parent = parent;
    blocks[block.get()] = &copy;
    for (const auto& argument : block->arguments) {
      copy.arguments.push_back(clone_value(*argument, map));
      copy.arguments.back()->block = &copy;
    }
  }
  for (const auto& block : from.blocks) {
    clone_operations(*block, *blocks.at(block.get()), map, blocks);
  }
}

void clone_operations(const Block& from, Block& to, ValueMap& map, const BlockMap& blocks) {
  for (const auto& op : from.operations) {
    auto copy = std::make_unique<Operation>();
    copy->name = op->name;
    copy->info = op->info;
    copy->attributes = op->attributes;
    copy->location = op->location;
    copy->parent = &to;
    copy->successor_operands = op->successor_operands;
    for (Value* operand : op->operands) copy->operands.push_back(mapped(operand, map));
    for (Block* successor : op->successors) copy->successors.push_back(blocks.at(successor));
    for (const auto& result : op->results) {
      copy->results.push_back(clone_value(*result, map));
      copy->results.back()->definition = copy.get();
    }
    for (const Region& region : op->regions) {
      copy->regions.emplace_back();
      clone_blocks(region, copy->regions.back(), copy.get(), map);
    }
    to.operations.push_back(std::move(copy));
  }
}

}  // namespace

void clone_operations(const Block& from, Block& to, ValueMap& map) {
  clone_operations(from, to, map, {});
}

void clone_region(const Region& from, Region& to, Operation* parent, ValueMap& map) {
  clone_blocks(from, to, parent, map);
}

}  // namespace tilewise::compiler
