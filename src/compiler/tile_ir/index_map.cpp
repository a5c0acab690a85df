// SPDX-License-Identifier: Apache-2.0
#include "compiler/tile_ir/index_map.h"

#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

std::vector<int64_t> without_units(const std::vector<int64_t>& shape) {
  std::vector<int64_t> result;
  for (int64_t extent : shape) {
    if (extent != 1) result.push_back(extent);
  }
  return result;
}

}  // namespace

IndexMap identity_map(const std::vector<int64_t>& shape) {
  IndexMap map(shape.size());
  for (size_t d = 0; d < shape.size(); ++d) map[d] = shape[d] == 1 ? -1 : static_cast<int>(d);
  return map;
}

IndexMap operand_map(const Operation& op, int i, const IndexMap& result) {
  const Type& type = op.operand(i)->type;
  if (!type.is_tensor) return {};
  if (!is_class(op, OpClass::shape)) return result;
  IndexMap map(type.shape.size(), -1);
  if (op.is("tt.broadcast")) {
    for (size_t d = 0; d < map.size(); ++d) map[d] = type.shape[d] == 1 ? -1 : result[d];
  } else if (op.is("tt.expand_dims")) {
    map = result;
    map.erase(map.begin() + op.integer("axis"));
  } else if (op.is("tt.trans")) {
    const Attribute& order = *op.attribute("order");
    for (size_t d = 0; d < map.size(); ++d) map[std::atoi(order.elements[d].c_str())] = result[d];
  } else if (op.is("tt.reshape")) {
    const std::vector<int64_t>& shape = op.result()->type.shape;
    size_t source = 0;
    for (size_t d = 0; d < map.size(); ++d) {
      if (type.shape[d] == 1) continue;
      while (shape[source] == 1) ++source;
      map[d] = result[source++];
    }
  }
  return map;
}

bool is_trivial_reshape(const Operation& op) {
  return op.is("tt.reshape") &&
         without_units(op.operand(0)->type.shape) == without_units(op.result()->type.shape);
}

bool is_expression(const Operation& op) {
  if (op.results.empty() || !op.result()->type.is_tensor) return false;
  switch (op.info->op_class) {
    case OpClass::elementwise:
    case OpClass::constant:
    case OpClass::range:
    case OpClass::load:
      return true;
    case OpClass::shape:
      return !op.is("tt.reshape") || is_trivial_reshape(op);
    default:
      return false;
  }
}

}  // namespace tilewise::compiler
