// SPDX-License-Identifier: Apache-2.0
// Rules of operations without regions: operand types and shapes.
#include <vector>

#include "compiler/ttir/op_table.h"
#include "compiler/ttir/verifier_checks.h"

namespace tilewise::compiler {
namespace {

bool same_shape(const Type& a, const Type& b) {
  return a.is_tensor == b.is_tensor && a.shape == b.shape;
}

}  // namespace

void check_elementwise(const Operation& op) {
  const Type& result = op.result()->type;
  for (const Value* operand : op.operands) {
    // The condition of a select may be one scalar for whole tensors.
    if (op.is("arith.select") && operand == op.operand(0) && !operand->type.is_tensor) continue;
    require(same_shape(operand->type, result), op, "operands and result differ in shape");
  }
  const Type& first = op.operand(0)->type;
  const bool is_cast = op.is("arith.select") || op.is("tt.addptr") || op.operand_count() == 1 ||
                       op.is("tt.extern_elementwise") || op.is("tilewise.apply");
  if (!is_cast) {
    for (const Value* operand : op.operands) {
      require(operand->type == first, op, "operands differ in type");
    }
  }
  if (op.is("arith.select")) {
    require(first.kind == ScalarKind::i1, op, "the condition is no i1");
    require(op.operand(1)->type == result && op.operand(2)->type == result, op,
            "operands and result differ in type");
  }
  if (op.is("tt.addptr")) {
    require(first.kind == ScalarKind::pointer && first == result, op, "needs a pointer");
    require(is_integer(op.operand(1)->type.kind), op, "the offset is no integer");
  }
}

void check_shape_op(const Operation& op) {
  const Type& from = op.operand(0)->type;
  const Type& to = op.result()->type;
  require(from.kind == to.kind && from.pointee == to.pointee, op, "changes the element type");
  if (op.is("tt.splat")) {
    require(!from.is_tensor && to.is_tensor, op, "needs a scalar");
  } else if (op.is("tt.unsplat")) {
    require(from.is_tensor && from.elements() == 1 && !to.is_tensor, op, "needs one element");
  } else if (op.is("tt.reshape")) {
    require(from.is_tensor && to.is_tensor && from.elements() == to.elements(), op,
            "changes the number of elements");
  } else if (op.is("tt.broadcast")) {
    require(from.rank() == to.rank(), op, "changes the rank");
    for (int d = 0; d < to.rank(); ++d) {
      require(from.shape[d] == to.shape[d] || from.shape[d] == 1, op, "shapes do not match");
    }
  } else if (op.is("tt.expand_dims")) {
    const int64_t axis = op.integer("axis");
    require(from.rank() + 1 == to.rank() && axis >= 0 && axis <= from.rank(), op, "wrong axis");
    std::vector<int64_t> shape = from.shape;
    shape.insert(shape.begin() + axis, 1);
    require(shape == to.shape, op, "shapes do not match");
  } else if (op.is("tt.trans")) {
    const Attribute* order = op.attribute("order");
    require(order && static_cast<int>(order->elements.size()) == from.rank() &&
                from.rank() == to.rank(),
            op, "needs an order of all dimensions");
    std::vector<bool> seen(from.rank());
    for (int d = 0; d < to.rank(); ++d) {
      const int source = std::atoi(order->elements[d].c_str());
      require(
          source >= 0 && source < from.rank() && !seen[source] && from.shape[source] == to.shape[d],
          op, "wrong order");
      seen[source] = true;
    }
  }
}

void check_memory(const Operation& op) {
  const Type& pointer = op.operand(0)->type;
  require(pointer.kind == ScalarKind::pointer, op, "needs a pointer");
  require(pointer.pointee != ScalarKind::pointer && pointer.pointee != ScalarKind::none, op,
          "the pointed-to type is not supported");
  for (int i = 1; i < op.operand_count(); ++i) {
    require(same_shape(op.operand(i)->type, pointer), op, "operands differ in shape");
  }
  const bool is_load = is_class(op, OpClass::load);
  const int mask = is_load ? 1 : 2;
  if (op.operand_count() > mask && !op.is("tt.atomic_cas")) {
    require(op.operand(mask)->type.kind == ScalarKind::i1, op, "the mask is no i1");
  }
  if (is_load) {
    require(op.result()->type.kind == pointer.pointee && same_shape(op.result()->type, pointer), op,
            "the result's type is not the pointed-to type");
  } else {
    require(op.operand(1)->type.kind == pointer.pointee, op,
            "the value's type is not the pointed-to type");
  }
}

// What rules.h does not check of operations that regroup.
void check_regroup(const Operation& op) {
  const Type& from = op.operand(0)->type;
  for (const auto& result : op.results) require(result->type.is_tensor, op, "gives a scalar");
  if (!op.is("tt.histogram")) return;
  const Type& to = op.result()->type;
  require(from.rank() == 1 && is_integer(from.kind) && to.rank() == 1 && is_integer(to.kind), op,
          "needs one dimension of integers");
  require(op.operand_count() == 1 || op.operand(1)->type == from.with_kind(ScalarKind::i1), op,
          "the mask's type is wrong");
}

void check_dot(const Operation& op) {
  const Type &a = op.operand(0)->type, &b = op.operand(1)->type, &c = op.operand(2)->type;
  require(a.rank() == b.rank() && b.rank() == c.rank() && (a.rank() == 2 || a.rank() == 3), op,
          "needs matrices");
  const int r = a.rank();
  require(a.shape[r - 1] == b.shape[r - 2] && c.shape[r - 2] == a.shape[r - 2] &&
              c.shape[r - 1] == b.shape[r - 1] && c == op.result()->type &&
              (r == 2 || (a.shape[0] == b.shape[0] && a.shape[0] == c.shape[0])),
          op, "shapes do not match");
}

}  // namespace tilewise::compiler
