// SPDX-License-Identifier: Apache-2.0
// One operation after the other: what becomes a root, what stays a scalar operation.
#include "compiler/passes/build_schedule.h"

#include "compiler/passes/schedule_builder.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

[[noreturn]] void reject_operation(const Operation& op, const std::string& reason) {
  throw CompileError(op.location, op.name + ": " + reason);
}

TileProgram ScheduleBuilder::build() {
  allocate_block_arguments(program_.function->body);
  for (auto& block : program_.function->body.blocks) {
    program_.schedules.push_back(std::make_unique<Schedule>());
    Schedule& schedule = *program_.schedules.back();
    schedule.block = block.get();
    build_block(schedule);
  }
  return std::move(program_);
}

void ScheduleBuilder::build_block(Schedule& schedule) {
  Schedule* outer = current_;
  current_ = &schedule;
  Operation& last = *schedule.block->terminator();
  for (const auto& op : schedule.block->operations) {
    if (op.get() != &last) build_operation(*op);
  }
  pass_tensors(last);
  close();
  add_item(schedule, Item::Kind::operation, &last);
  current_ = outer;
}

bool ScheduleBuilder::touches_tensor(const Operation& op) {
  for (const Value* operand : op.operands) {
    if (operand->type.is_tensor) return true;
  }
  return false;
}

void ScheduleBuilder::build_operation(Operation& op) {
  if (is_class(op, OpClass::load)) last_load_ = op.index;
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
      if (op.is("tt.print")) return build_print(op);
      return build_scalar(op);
    default:
      return build_scalar(op);
  }
}

void ScheduleBuilder::build_scalar(Operation& op) {
  bool must_close = is_class(op, OpClass::store) || is_class(op, OpClass::atomic) ||
                    is_class(op, OpClass::effect) || op.is("tt.unsplat");
  for (const Value* operand : op.operands) must_close |= pending_.contains(operand);
  if (open_ && is_class(op, OpClass::load)) must_close |= open_->writes_memory();
  if (must_close) close();
  add_item(*current_, Item::Kind::operation, &op);
}

// The scalars of a print are printed by its item, each tensor by a nest behind it.
void ScheduleBuilder::build_print(Operation& op) {
  build_scalar(op);
  for (const Value* operand : op.operands) {
    if (!operand->type.is_tensor) continue;
    close();
    add_root({Root::Kind::print, &op, operand, {}, op.index}, operand->type.shape);
    close();
  }
}

void ScheduleBuilder::build_atomic(Operation& op) {
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

void ScheduleBuilder::build_reduction(Operation& op) {
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

BufferView allocate_buffer(TileProgram& program, ScalarKind kind,
                           const std::vector<int64_t>& shape) {
  auto buffer = std::make_unique<Buffer>();
  buffer->id = static_cast<int>(program.buffers.size());
  buffer->kind = kind;
  buffer->elements = 1;
  for (int64_t extent : shape) buffer->elements *= extent;
  place_buffer(program, *buffer);
  program.buffers.push_back(std::move(buffer));
  return {program.buffers.back().get(), 0, row_major_strides(shape)};
}

void place_buffer(TileProgram& program, Buffer& buffer) {
  constexpr int64_t kAlignment = 64;
  buffer.offset = program.scratch_bytes;
  const int64_t bytes = buffer.elements * storage_bytes(buffer.kind);
  program.scratch_bytes += (bytes + kAlignment - 1) / kAlignment * kAlignment;
}

TileProgram build_schedule(Function& function, const UseMap& uses, const Target& target) {
  return ScheduleBuilder(function, uses, target).build();
}

}  // namespace tilewise::compiler
