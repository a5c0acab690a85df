// SPDX-License-Identifier: Apache-2.0
#include "compiler/tile_ir/nodes.h"

#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

std::vector<int64_t> row_major_strides(const std::vector<int64_t>& shape) {
  std::vector<int64_t> strides(shape.size(), 1);
  for (size_t d = shape.size(); d-- > 1;) strides[d - 1] = strides[d] * shape[d];
  return strides;
}

std::vector<const Value*> Root::inputs() const {
  if (kind == Kind::materialize || kind == Kind::print) return {value};
  if (kind == Kind::gather) return {op->operand(1)};
  return {op->operands.begin(), op->operands.end()};
}

bool Item::writes_memory() const {
  if (kind == Kind::operation) {
    return is_class(*op, OpClass::store) || is_class(*op, OpClass::atomic) ||
           op->is("gpu.barrier") || op->is("ttg.local_barrier");
  }
  for (const Root& root : roots) {
    if (root.writes_memory()) return true;
  }
  for (const auto& region : regions) {
    for (const auto& item : region->items) {
      if (item->writes_memory()) return true;
    }
  }
  return false;
}

}  // namespace tilewise::compiler
