// SPDX-License-Identifier: Apache-2.0
#include "compiler/passes/lane_analysis.h"

#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

uint32_t all_dimensions(const Type& type) {
  uint32_t bits = 0;
  for (int d = 0; d < type.rank(); ++d) {
    if (type.shape[d] > 1) bits |= 1u << d;
  }
  return bits;
}

// A scalar, a splat of it or a splat constant: the constant that it is, if it is one.
std::optional<int64_t> constant_of(const Value* value) {
  while (value->definition && is_class(*value->definition, OpClass::shape)) {
    value = value->definition->operand(0);
  }
  const Operation* op = value->definition;
  if (!op || !op->is("arith.constant") || !is_integer(value->type.kind) ||
      !constant_is_splat(*op)) {
    return std::nullopt;
  }
  return constant_integer(*op);
}

}  // namespace

uint32_t LaneAnalysis::dependence(const Value* value) {
  if (!value->type.is_tensor) return 0;
  if (!is_expression(value)) return all_dimensions(value->type);
  auto known = dependences_.find(value);
  if (known != dependences_.end()) return known->second;
  const Operation& op = *value->definition;
  uint32_t bits = 0;
  if (is_class(op, OpClass::range)) {
    bits = all_dimensions(value->type);
  } else if (is_class(op, OpClass::constant)) {
    bits = op.is("arith.constant") && !constant_is_splat(op) ? all_dimensions(value->type) : 0;
  } else {
    const IndexMap identity = identity_map(value->type.shape);
    for (int i = 0; i < op.operand_count(); ++i) {
      const uint32_t inner = dependence(op.operand(i));
      const IndexMap map = operand_map(op, i, identity);
      for (size_t d = 0; d < map.size(); ++d) {
        if ((inner >> d & 1) && map[d] >= 0) bits |= 1u << map[d];
      }
    }
  }
  return dependences_[value] = bits;
}

std::optional<int64_t> LaneAnalysis::stride(const Value* value, int d) {
  if (!(dependence(value) >> d & 1)) return 0;
  if (!is_expression(value)) return std::nullopt;
  const Operation& op = *value->definition;
  if (op.is("tt.make_range")) return 1;
  if (is_class(op, OpClass::shape)) {
    const IndexMap map = operand_map(op, 0, identity_map(value->type.shape));
    for (size_t inner = 0; inner < map.size(); ++inner) {
      if (map[inner] == d) return stride(op.operand(0), static_cast<int>(inner));
    }
    return 0;
  }
  if (op.is("arith.addi") || op.is("tt.addptr") || op.is("arith.subi")) {
    const auto a = stride(op.operand(0), d);
    const auto b = stride(op.operand(1), d);
    if (!a || !b) return std::nullopt;
    return op.is("arith.subi") ? *a - *b : *a + *b;
  }
  if (op.is("arith.extsi") || op.is("arith.trunci")) return stride(op.operand(0), d);
  if (op.is("arith.muli")) {
    for (int i = 0; i < 2; ++i) {
      const auto factor = constant_of(op.operand(i));
      const auto inner = stride(op.operand(1 - i), d);
      if (factor && inner) return *factor * *inner;
    }
  }
  return std::nullopt;
}

}  // namespace tilewise::compiler
