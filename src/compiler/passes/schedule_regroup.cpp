// SPDX-License-Identifier: Apache-2.0
// Operations that move elements between lanes, through scratch memory.
#include "compiler/passes/schedule_builder.h"

namespace tilewise::compiler {

BufferView ScheduleBuilder::buffered(const Value* value, int position) {
  auto found = program_.views.find(value);
  if (found != program_.views.end()) return found->second;
  BufferView view = allocate(value->type);
  materialize(value, view, position);
  close();
  return view;
}

// The elements keep their row-major order, so the result is the operand's buffer seen otherwise.
void ScheduleBuilder::build_reshape(Operation& op) {
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
void ScheduleBuilder::build_regroup(Operation& op) {
  if (op.is("tt.split")) {
    const BufferView view = buffered(op.operand(0), op.index);
    std::vector<int64_t> strides(view.strides.begin(), view.strides.end() - 1);
    program_.views[op.result(0)] = {view.buffer, view.offset, strides};
    program_.views[op.result(1)] = {view.buffer, view.offset + view.strides.back(), strides};
    return;
  }
  if (op.is("tt.gather")) return build_gather(op);
  if (op.is("tt.histogram")) return build_histogram(op);
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

void ScheduleBuilder::build_gather(Operation& op) {
  const BufferView source = buffered(op.operand(0), op.index);
  close();
  const BufferView view = allocate(op.result()->type);
  add_root({Root::Kind::gather, &op, nullptr, {view, source}, op.index}, op.result()->type.shape);
  program_.views[op.result()] = view;
}

void ScheduleBuilder::build_histogram(Operation& op) {
  const BufferView view = allocate(op.result()->type);
  close();
  add_item(*current_, Item::Kind::clear, &op).a = view;
  add_root({Root::Kind::histogram, &op, nullptr, {view}, op.index}, op.operand(0)->type.shape);
  close();
  program_.views[op.result()] = view;
}

}  // namespace tilewise::compiler
