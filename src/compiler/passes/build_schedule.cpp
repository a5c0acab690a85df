// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/build_schedule.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "base/check.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

[[noreturn]] void reject(const Operation& op, const std::string& reason) {
  throw CompileError(op.location, op.name + ": " + reason);
}

class ScheduleBuilder {
 public:
  ScheduleBuilder(Function& function, const UseMap& uses) : uses_(uses) {
    program_.function = &function;
  }

  TileProgram build() {
    for (auto& block : program_.function->body.blocks) {
      program_.schedules.push_back(std::make_unique<Schedule>());
      Schedule& schedule = *program_.schedules.back();
      schedule.block = block.get();
      build_block(schedule);
      close();
      add_item(schedule, Item::Kind::operation, block->terminator());
    }
    return std::move(program_);
  }

 private:
  // --- The nest that still takes roots. Scalar operations that do not depend on it go before it.

  Item& add_item(Schedule& schedule, Item::Kind kind, Operation* op) {
    auto item = std::make_unique<Item>();
    item->kind = kind;
    item->op = op;
    item->parent = &schedule;
    item->order = static_cast<double>(schedule.items.size());
    schedule.items.push_back(std::move(item));
    return *schedule.items.back();
  }

  void close() {
    if (!open_) return;
    open_->order = static_cast<double>(current_->items.size());
    current_->items.push_back(std::move(open_));
    pending_.clear();
  }

  // Calls visit(value) for the expressions under `value` and the values they start from.
  void walk(const Value* value, std::unordered_set<const Value*>& seen,
            const std::function<void(const Value*)>& visit) {
    if (!seen.insert(value).second) return;
    visit(value);
    if (!is_expression(value) || program_.views.contains(value)) return;
    for (const Value* operand : value->definition->operands) walk(operand, seen, visit);
  }

  bool may_join(const Root& root, const std::vector<int64_t>& shape, int axis) {
    if (!open_ || open_->shape != shape) return false;
    if (axis >= 0 && open_->axis >= 0 && open_->axis != axis) return false;
    for (const Root& other : open_->roots) {
      if (other.kind == Root::Kind::scan || other.kind == Root::Kind::atomic) return false;
    }
    int first_store = INT32_MAX;
    for (const Root& other : open_->roots) {
      if (other.writes_memory()) first_store = std::min(first_store, other.position);
    }
    bool independent = root.kind != Root::Kind::scan && root.kind != Root::Kind::atomic;
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

  void add_root(Root root, const std::vector<int64_t>& shape, int axis = -1) {
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

  void materialize(const Value* value, const BufferView& view, int position) {
    add_root({Root::Kind::materialize, nullptr, value, {view}, position}, value->type.shape);
  }

  BufferView allocate(const Type& type) { return allocate_buffer(program_, type.kind, type.shape); }

  // --- One operation after the other.

  void build_block(Schedule& schedule) {
    Schedule* outer = current_;
    current_ = &schedule;
    for (const auto& op : schedule.block->operations) {
      if (op.get() != schedule.block->terminator()) build_operation(*op);
    }
    if (!schedule.owner) return;  // The caller closes after it has added the terminator's roots.
    add_yields(*schedule.owner, *schedule.block->terminator());
    close();
    add_item(schedule, Item::Kind::operation, schedule.block->terminator());
    current_ = outer;
  }

  bool touches_tensor(const Operation& op) {
    for (const Value* operand : op.operands) {
      if (operand->type.is_tensor) return true;
    }
    return false;
  }

  void build_operation(Operation& op) {
    if (is_expression(op)) return;
    switch (op.info->op_class) {
      case OpClass::store:
        if (!touches_tensor(op)) return build_scalar(op);
        return add_root({Root::Kind::store, &op, nullptr, {}, op.index}, op.operand(0)->type.shape);
      case OpClass::atomic:
        return build_atomic(op);
      case OpClass::reduce:
      case OpClass::scan:
        return build_reduction(op);
      case OpClass::dot:
        return build_dot(op);
      case OpClass::control:
        return build_control(op);
      case OpClass::regroup:
        return build_regroup(op);
      case OpClass::shape:
        if (op.is("tt.reshape")) return build_reshape(op);
        return build_scalar(op);
      case OpClass::effect:
        if (op.is("tt.assert") && touches_tensor(op)) {
          return add_root({Root::Kind::assertion, &op, nullptr, {}, op.index},
                          op.operand(0)->type.shape);
        }
        return build_scalar(op);
      default:
        return build_scalar(op);
    }
  }

  void build_scalar(Operation& op) {
    bool must_close = is_class(op, OpClass::store) || is_class(op, OpClass::atomic) ||
                      is_class(op, OpClass::effect) || op.is("tt.unsplat");
    for (const Value* operand : op.operands) must_close |= pending_.contains(operand);
    if (open_ && is_class(op, OpClass::load)) must_close |= open_->writes_memory();
    if (must_close) close();
    add_item(*current_, Item::Kind::operation, &op);
  }

  void build_atomic(Operation& op) {
    if (!touches_tensor(op)) return build_scalar(op);
    Root root{Root::Kind::atomic, &op, nullptr, {}, op.index};
    if (!op.results.empty() && uses_.contains(op.result())) {
      root.views.push_back(allocate(op.result()->type));
      program_.views[op.result()] = root.views[0];
    }
    close();
    add_root(std::move(root), op.operand(0)->type.shape);
    close();
  }

  void build_reduction(Operation& op) {
    const bool is_scan = is_class(op, OpClass::scan);
    Root root{is_scan ? Root::Kind::scan : Root::Kind::reduce, &op, nullptr, {}, op.index};
    for (const auto& result : op.results) {
      root.views.emplace_back();
      if (!result->type.is_tensor) continue;
      root.views.back() = allocate(result->type);
      program_.views[result.get()] = root.views.back();
    }
    add_root(std::move(root), op.operand(0)->type.shape, static_cast<int>(op.integer("axis")));
  }

  // --- Tensors that need memory.

  BufferView buffered(const Value* value, int position) {
    auto found = program_.views.find(value);
    if (found != program_.views.end()) return found->second;
    BufferView view = allocate(value->type);
    materialize(value, view, position);
    close();
    return view;
  }

  // The elements keep their row-major order, so the result is the operand's buffer seen otherwise.
  void build_reshape(Operation& op) {
    BufferView view = buffered(op.operand(0), op.index);
    if (view.strides != row_major_strides(op.operand(0)->type.shape)) {
      BufferView packed = allocate(op.operand(0)->type);
      materialize(op.operand(0), packed, op.index);
      close();
      view = packed;
    }
    program_.views[op.result()] = {view.buffer, view.offset,
                                   row_major_strides(op.result()->type.shape)};
  }

  // join: [s] and [s] -> [s, 2] interleaved; split: the reverse; cat: one behind the other.
  void build_regroup(Operation& op) {
    if (op.is("tt.split")) {
      const BufferView view = buffered(op.operand(0), op.index);
      std::vector<int64_t> strides(view.strides.begin(), view.strides.end() - 1);
      program_.views[op.result(0)] = {view.buffer, view.offset, strides};
      program_.views[op.result(1)] = {view.buffer, view.offset + view.strides.back(), strides};
      return;
    }
    if (op.is("tt.gather")) reject(op, "not supported on the CPU yet");
    const BufferView view = allocate(op.result()->type);
    program_.views[op.result()] = view;
    for (int i = 0; i < 2; ++i) {
      BufferView half = view;
      if (op.is("tt.join")) {
        half.strides.pop_back();
        half.offset += i;
      } else {
        half.offset += i * op.operand(0)->type.elements();
      }
      materialize(op.operand(i), half, op.index);
    }
    close();
  }

  // --- Loops and branches. A carried tensor lives in one buffer during the whole loop.

  const Use* single_use(const Value* value) const {
    auto found = uses_.find(value);
    return found != uses_.end() && found->second.size() == 1 ? &found->second[0] : nullptr;
  }

  // The buffer of the carried tensor that `result` will replace at the end of the loop's body, if
  // `source` (which starts from it) is the only reader of the old tensor; then the new tensor may
  // be computed in place. Example: acc = tl.dot(a, b, acc * scale).
  BufferView buffer_to_update(const Value* result, const Value* source) {
    const Use* yield = single_use(result);
    if (!yield || !yield->op->is("scf.yield")) return {};
    const Block* body = yield->op->parent;
    if (!body->parent || !body->parent->is("scf.for") || result->definition->parent != body) {
      return {};
    }
    const Value* carried = body->arguments.at(static_cast<size_t>(yield->operand) + 1).get();
    const Value* value = carried;
    while (value != source) {
      const Use* use = single_use(value);
      if (!use || !is_class(*use->op, OpClass::elementwise) || use->op->parent != body) return {};
      value = use->op->result();
    }
    return single_use(source) ? program_.views.at(carried) : BufferView{};
  }

  void build_dot(Operation& op) {
    const Type& a = op.operand(0)->type;
    const Type& c = op.operand(2)->type;
    auto is_supported = [](ScalarKind kind) {
      return kind == ScalarKind::f16 || kind == ScalarKind::bf16 || kind == ScalarKind::f32;
    };
    if (!is_supported(a.kind) || !is_supported(op.operand(1)->type.kind) || !is_supported(c.kind)) {
      reject(op, "only fp16, bf16 and fp32 operands are supported");
    }
    const BufferView left = packed(op.operand(0), op.index);
    const BufferView right = packed(op.operand(1), op.index);
    BufferView result =
        c.kind == ScalarKind::f32 ? buffer_to_update(op.result(), op.operand(2)) : BufferView{};
    const bool in_place = result.buffer != nullptr;
    if (!in_place) result = allocate_buffer(program_, ScalarKind::f32, c.shape);
    auto old = program_.views.find(op.operand(2));
    if (!in_place || old == program_.views.end() || old->second.buffer != result.buffer) {
      materialize(op.operand(2), result, op.index);
    }
    close();
    Item& item = add_item(*current_, Item::Kind::dot, &op);
    item.a = left;
    item.b = right;
    item.c = result;
    program_.views[op.result()] = result;
  }

  // A row-major f32 tile, as the dot kernel reads it.
  BufferView packed(const Value* value, int position) {
    auto found = program_.views.find(value);
    if (found != program_.views.end() && found->second.buffer->kind == ScalarKind::f32 &&
        found->second.strides == row_major_strides(value->type.shape)) {
      return found->second;
    }
    BufferView view = allocate_buffer(program_, ScalarKind::f32, value->type.shape);
    materialize(value, view, position);
    return view;
  }

  void build_control(Operation& op) {
    const int first = op.is("scf.for") ? 3 : 0;
    if (!op.is("scf.if")) {
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
      item.regions.push_back(std::make_unique<Schedule>());
      Schedule& schedule = *item.regions.back();
      schedule.block = region.blocks[0].get();
      schedule.owner = &item;
      build_block(schedule);
    }
  }

  // Where the terminator's operand i goes, for tensors.
  BufferView yield_target(const Item& owner, const Operation& yield, int i) {
    const Operation& op = *owner.op;
    if (yield.is("scf.condition")) return program_.views.at(op.result(i - 1));
    if (op.is("scf.while")) {
      return program_.views.at(op.regions[0].blocks[0]->arguments[i].get());
    }
    return program_.views.at(op.result(i));
  }

  // All carried tensors change at once at the end of the body. Where a new tensor would overwrite
  // one that another update still reads, it goes to a buffer of its own and is copied last.
  void add_yields(Item& owner, Operation& yield) {
    struct Update {
      const Value* value;
      BufferView target;
    };
    std::vector<Update> updates;
    for (int i = 0; i < yield.operand_count(); ++i) {
      const Value* value = yield.operand(i);
      if (!value->type.is_tensor) continue;
      const BufferView target = yield_target(owner, yield, i);
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
  bool reads_buffer(const Value* value, const Buffer* buffer, bool same_nest) {
    std::vector<std::pair<const Value*, bool>> todo{{value, same_nest}};
    std::unordered_set<const Value*> seen;
    while (!todo.empty()) {
      auto [current, lane_by_lane] = todo.back();
      todo.pop_back();
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

  TileProgram program_;
  const UseMap& uses_;
  Schedule* current_ = nullptr;
  std::unique_ptr<Item> open_;
  std::unordered_set<const Value*> pending_;  // Results of the open nest.
};

}  // namespace

BufferView allocate_buffer(TileProgram& program, ScalarKind kind,
                           const std::vector<int64_t>& shape) {
  constexpr int64_t kAlignment = 64;
  auto buffer = std::make_unique<Buffer>();
  buffer->id = static_cast<int>(program.buffers.size());
  buffer->kind = kind;
  buffer->elements = 1;
  for (int64_t extent : shape) buffer->elements *= extent;
  buffer->offset = program.scratch_bytes;
  const int64_t bytes = buffer->elements * storage_bytes(kind);
  program.scratch_bytes += (bytes + kAlignment - 1) / kAlignment * kAlignment;
  program.buffers.push_back(std::move(buffer));
  return {program.buffers.back().get(), 0, row_major_strides(shape)};
}

TileProgram build_schedule(Function& function, const UseMap& uses) {
  return ScheduleBuilder(function, uses).build();
}

}  // namespace tilewise::compiler
