// SPDX-License-Identifier: Apache-2.0
// Products of tiles. Their operands are packed into scratch; an accumulator that only the product
// reads stays where it is.
#include "compiler/passes/schedule_builder.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

const Use* ScheduleBuilder::single_use(const Value* value) const {
  auto found = uses_.find(value);
  return found != uses_.end() && found->second.size() == 1 ? &found->second[0] : nullptr;
}

// The buffer of the carried tensor that `result` will replace at the end of the loop's body, if
// `source` (which starts from it) is the only reader of the old tensor; then the new tensor may
// be computed in place. Example: acc = tl.dot(a, b, acc * scale).
BufferView ScheduleBuilder::buffer_to_update(const Value* result, const Value* source) {
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

namespace {

// What a product computes in: f32 for all floats of up to 32 bits, whatever input precision is
// asked for (f32 is the most precise of them), f64 and i32 for themselves.
ScalarKind dot_kind(const Operation& op) {
  const ScalarKind a = op.operand(0)->type.kind;
  const ScalarKind b = op.operand(1)->type.kind;
  const ScalarKind c = op.operand(2)->type.kind;
  auto is_narrow = [](ScalarKind kind) { return is_float(kind) && bit_width(kind) <= 32; };
  if (is_narrow(a) && is_narrow(b) && is_narrow(c)) return ScalarKind::f32;
  if (a == ScalarKind::f64 && b == a && c == a) return ScalarKind::f64;
  if (a == ScalarKind::i8 && b == a && c == ScalarKind::i32) return ScalarKind::i32;
  reject_operation(op, std::string("products of ") + kind_name(a) + " and " + kind_name(b) +
                           " into " + kind_name(c) + " are not supported");
}

}  // namespace

// See bf16_dot_function in llvm/dot_kernel.h.
bool ScheduleBuilder::multiplies_pairs(const Operation& op) const {
  const Type& b = op.operand(1)->type;
  const size_t rank = b.shape.size();
  return target_.has_bf16_dot && op.operand(0)->type.kind == ScalarKind::bf16 &&
         b.kind == ScalarKind::bf16 && dot_kind(op) == ScalarKind::f32 &&
         b.shape[rank - 1] % 4 == 0 && b.shape[rank - 2] % 2 == 0;
}

void ScheduleBuilder::build_dot(Operation& op) {
  const Type& c = op.operand(2)->type;
  const ScalarKind kind = dot_kind(op);
  const bool pairs = multiplies_pairs(op);
  const ScalarKind operand_kind = pairs ? ScalarKind::bf16 : kind;
  const BufferView left = packed(op.operand(0), operand_kind, op.index, Item::InPlace::rows);
  const BufferView right = packed(op.operand(1), operand_kind, op.index,
                                  pairs ? Item::InPlace::rows : Item::InPlace::packed);
  BufferView result = c.kind == kind ? buffer_to_update(op.result(), op.operand(2)) : BufferView{};
  const bool in_place = result.buffer != nullptr;
  if (!in_place) result = allocate_buffer(program_, kind, c.shape);
  auto old = program_.views.find(op.operand(2));
  if (!in_place || old == program_.views.end() || old->second.buffer != result.buffer) {
    materialize(op.operand(2), result, op.index);
  }
  close();
  Item& item = add_item(*current_, Item::Kind::dot, &op);
  item.a = left;
  item.b = right;
  item.c = result;
  item.few_rows = needs_part(op, 0);
  item.few_columns = needs_part(op, 1);
  if (pairs) {
    const std::vector<int64_t>& shape = op.operand(1)->type.shape;
    item.pairs = allocate_buffer(program_, ScalarKind::bf16, {shape.end() - 2, shape.end()});
  }
  program_.views[op.result()] = result;
}

// A row-major tile, as the dot kernel reads it. What a load packs may be read `in_place` instead.
BufferView ScheduleBuilder::packed(const Value* value, ScalarKind kind, int position,
                                   Item::InPlace in_place) {
  auto found = program_.views.find(value);
  if (found != program_.views.end() && found->second.buffer->kind == kind &&
      found->second.strides == row_major_strides(value->type.shape)) {
    return found->second;
  }
  BufferView view = allocate_buffer(program_, kind, value->type.shape);
  const Operation* load = value->definition;
  const bool is_plain_load = load && is_class(*load, OpClass::load) && value->type.kind == kind &&
                             value->type.rank() == 2 && load->word("isVolatile") != "true";
  if (is_plain_load) close();  // A nest of its own.
  materialize(value, view, position);
  if (is_plain_load) {
    open_->in_place = in_place;
    close();
  }
  return view;
}

}  // namespace tilewise::compiler
