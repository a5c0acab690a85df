// SPDX-License-Identifier: Apache-2.0
// Loops, branches and calls. A carried tensor lives in one buffer during the whole loop.
#include "compiler/passes/schedule_builder.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

void ScheduleBuilder::build_control(Operation& op) {
  const int first = op.is("scf.for") ? 3 : 0;
  if (op.is("scf.for") || op.is("scf.while")) {
    const Block& body = *op.regions[0].blocks[0];
    const int skip = op.is("scf.for") ? 1 : 0;
    for (int i = first; i < op.operand_count(); ++i) {
      const Value* init = op.operand(i);
      if (!init->type.is_tensor) continue;
      const Value* argument = body.arguments[i - first + skip].get();
      BufferView view;
      if (op.is("scf.for")) view = buffer_to_update(op.result(i - first), init);
      auto old = program_.views.find(init);
      const bool is_there =
          view.buffer && old != program_.views.end() && old->second.buffer == view.buffer;
      if (!view.buffer) view = allocate(init->type);
      if (!is_there) materialize(init, view, op.index);
      program_.views[argument] = view;
      if (op.is("scf.for")) program_.views[op.result(i - first)] = view;
    }
  }
  if (!op.is("scf.for")) {
    for (const auto& result : op.results) {
      if (!result->type.is_tensor) continue;
      const BufferView view = allocate(result->type);
      program_.views[result.get()] = view;
      if (op.is("scf.while")) {
        program_.views[op.regions[1].blocks[0]->arguments[result->index].get()] = view;
      }
    }
  }
  close();
  Item& item = add_item(*current_, Item::Kind::control, &op);
  for (Region& region : op.regions) {
    allocate_block_arguments(region);
    for (auto& block : region.blocks) {
      item.regions.push_back(std::make_unique<Schedule>());
      Schedule& schedule = *item.regions.back();
      schedule.block = block.get();
      schedule.owner = &item;
      build_block(schedule);
    }
  }
}

// Tensors that branches pass to a block. The blocks of loops have one predecessor, which has put
// their arguments in place.
void ScheduleBuilder::allocate_block_arguments(const Region& region) {
  for (size_t i = 1; i < region.blocks.size(); ++i) {
    for (const auto& argument : region.blocks[i]->arguments) {
      if (argument->type.is_tensor) program_.views[argument.get()] = allocate(argument->type);
    }
  }
}

// Where the terminator's operand i goes, for tensors.
BufferView ScheduleBuilder::target_of(const Operation& terminator, int i) {
  if (terminator.is("cf.br")) {
    return program_.views.at(terminator.successors[0]->arguments[i].get());
  }
  const Operation& op = *terminator.parent->parent;
  if (terminator.is("scf.condition")) return program_.views.at(op.result(i - 1));
  if (op.is("scf.while")) {
    return program_.views.at(op.regions[0].blocks[0]->arguments[i].get());
  }
  return program_.views.at(op.result(i));
}

// The tensors that a terminator passes on. All carried ones change at once at the end of the body.
// Where a new tensor would overwrite one that another update still reads, it goes to a buffer of
// its own and is copied last.
void ScheduleBuilder::pass_tensors(Operation& yield) {
  struct Update {
    const Value* value;
    BufferView target;
  };
  std::vector<Update> updates;
  for (int i = 0; i < yield.operand_count(); ++i) {
    const Value* value = yield.operand(i);
    if (!value->type.is_tensor) continue;
    const BufferView target = target_of(yield, i);
    auto source = program_.views.find(value);
    if (source != program_.views.end() && source->second.buffer == target.buffer) continue;
    updates.push_back({value, target});
  }
  std::vector<std::pair<BufferView, BufferView>> copies;
  for (size_t i = 0; i < updates.size(); ++i) {
    BufferView target = updates[i].target;
    bool conflict = false;
    for (size_t j = 0; j < updates.size(); ++j) {
      conflict |= reads_buffer(
          updates[j].value, target.buffer,
          j == i ? true : updates[j].value->type.shape == updates[i].value->type.shape);
    }
    if (conflict) {
      BufferView temporary =
          allocate_buffer(program_, target.buffer->kind, updates[i].value->type.shape);
      copies.emplace_back(temporary, target);
      target = temporary;
    }
    materialize(updates[i].value, target, yield.index);
  }
  close();
  for (auto& [from, to] : copies) {
    Item& item = add_item(*current_, Item::Kind::copy, &yield);
    item.a = from;
    item.b = to;
  }
}

// True if evaluating `value` reads `buffer`. With `same_nest`, reads lane by lane of the lane
// that is written do not count, because a nest evaluates all updates of a lane before it stores
// any.
bool ScheduleBuilder::reads_buffer(const Value* value, const Buffer* buffer, bool same_nest) {
  std::vector<std::pair<const Value*, bool>> todo{{value, same_nest}};
  // Each value once in either way: rounds of a cipher double the paths through them.
  std::unordered_set<const Value*> seen[2];
  while (!todo.empty()) {
    auto [current, lane_by_lane] = todo.back();
    todo.pop_back();
    if (!seen[lane_by_lane].insert(current).second) continue;
    auto view = program_.views.find(current);
    if (view != program_.views.end()) {
      if (view->second.buffer == buffer && !lane_by_lane) return true;
      continue;
    }
    if (!is_expression(current)) continue;
    const bool keeps = lane_by_lane && is_class(*current->definition, OpClass::elementwise);
    for (const Value* operand : current->definition->operands) todo.push_back({operand, keeps});
  }
  return false;
}

}  // namespace tilewise::compiler
