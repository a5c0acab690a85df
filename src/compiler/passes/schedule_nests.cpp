// SPDX-License-Identifier: Apache-2.0
// Which roots share a nest.
#include <algorithm>

#include "compiler/passes/schedule_builder.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

Item& ScheduleBuilder::add_item(Schedule& schedule, Item::Kind kind, Operation* op) {
  auto item = std::make_unique<Item>();
  item->kind = kind;
  item->op = op;
  item->parent = &schedule;
  item->order = static_cast<double>(schedule.items.size());
  schedule.items.push_back(std::move(item));
  return *schedule.items.back();
}

void ScheduleBuilder::close() {
  if (!open_) return;
  open_->order = static_cast<double>(current_->items.size());
  current_->items.push_back(std::move(open_));
  pending_.clear();
}

// Calls visit(value) for the expressions under `value` and the values they start from.
void ScheduleBuilder::walk(const Value* value, std::unordered_set<const Value*>& seen,
                           const std::function<void(const Value*)>& visit) {
  if (!seen.insert(value).second) return;
  visit(value);
  if (!is_expression(value) || program_.views.contains(value)) return;
  for (const Value* operand : value->definition->operands) walk(operand, seen, visit);
}

bool ScheduleBuilder::may_join(const Root& root, const std::vector<int64_t>& shape, int axis) {
  if (!open_ || open_->shape != shape) return false;
  if (axis >= 0 && open_->axis >= 0 && open_->axis != axis) return false;
  for (const Root& other : open_->roots) {
    if (other.kind == Root::Kind::scan || other.is_sequential()) return false;
  }
  int first_store = INT32_MAX;
  for (const Root& other : open_->roots) {
    if (other.writes_memory()) first_store = std::min(first_store, other.position);
  }
  // A load between two stores has no place where both share a nest: another nest that needs it must
  // see the first and not the second.
  if (root.writes_memory() && last_load_ > first_store) return false;
  bool independent = root.kind != Root::Kind::scan && !root.is_sequential();
  std::unordered_set<const Value*> seen;
  for (const Value* input : root.inputs()) {
    walk(input, seen, [&](const Value* value) {
      if (pending_.contains(value)) independent = false;
      // A load below a store in the text must see it.
      const Operation* op = value->definition;
      if (op && is_class(*op, OpClass::load) && op->index > first_store) independent = false;
    });
  }
  return independent;
}

void ScheduleBuilder::add_root(Root root, const std::vector<int64_t>& shape, int axis) {
  if (!may_join(root, shape, axis)) {
    close();
    open_ = std::make_unique<Item>();
    open_->kind = Item::Kind::nest;
    open_->shape = shape;
    open_->parent = current_;
  }
  if (axis >= 0) open_->axis = axis;
  if (root.op && root.kind != Root::Kind::store) {
    for (const auto& result : root.op->results) pending_.insert(result.get());
  }
  open_->roots.push_back(std::move(root));
}

void ScheduleBuilder::materialize(const Value* value, const BufferView& view, int position) {
  add_root({Root::Kind::materialize, nullptr, value, {view}, position}, value->type.shape);
}

BufferView ScheduleBuilder::allocate(const Type& type) {
  return allocate_buffer(program_, type.kind, type.shape);
}

}  // namespace tilewise::compiler
