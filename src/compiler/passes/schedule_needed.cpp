// SPDX-License-Identifier: Apache-2.0
// Which rows and columns of a product are needed. Where the operands are loaded under `rows < m`
// and `columns < n`, and the product only ever stored under both, the rest of its tile need not be
// computed:
//
//   a = tl.load(.., mask=(rows < m)[:, None]); acc = tl.dot(a, b, acc); tl.store(.., acc, mask=..)
//
// It is computed for any other kernel: zeros times an infinity of b are no zeros.
#include <algorithm>

#include "compiler/passes/schedule_builder.h"
#include "compiler/tile_ir/index_map.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {
namespace {

using Bounds = std::vector<const Operation*>;

// Collects the comparisons `index < bound` of a conjunction that run along dimension `dim`; false
// if one of them runs along another one as well.
bool collect_bounds(const Value* mask, const IndexMap& map, int dim, Bounds& found) {
  if (!is_expression(mask)) return true;
  const Operation& op = *mask->definition;
  const bool both = op.is("arith.andi");
  if (both || is_class(op, OpClass::shape)) {
    return collect_bounds(op.operand(0), operand_map(op, 0, map), dim, found) &&
           (!both || collect_bounds(op.operand(1), operand_map(op, 1, map), dim, found));
  }
  if (!op.is("arith.cmpi") || std::find(map.begin(), map.end(), dim) == map.end()) return true;
  const std::string predicate = op.word("predicate");
  if (predicate != "slt" && predicate != "sle") return true;
  found.push_back(&op);
  return std::all_of(map.begin(), map.end(), [&](int d) { return d < 0 || d == dim; });
}

const Value* behind_splat(const Value* value) {
  const Operation* op = value->definition;
  return op && op->is("tt.splat") ? op->operand(0) : value;
}

bool is_same_bound(const Operation& a, const Operation& b) {
  return a.word("predicate") == b.word("predicate") && a.operand(0) == b.operand(0) &&
         behind_splat(a.operand(1)) == behind_splat(b.operand(1));
}

// No loop changes the value while it carries the product.
bool is_outside_of_loops(const Value* value) {
  const Operation* op = value->definition;
  return op ? op->parent->parent == nullptr : value->block == nullptr || !value->block->parent;
}

}  // namespace

// The lanes of `product` along `dim` that these bounds exclude are nowhere read.
bool ScheduleBuilder::is_read_within(const Value* product, const Bounds& bounds, int dim,
                                     std::unordered_set<const Value*>& seen) const {
  if (!seen.insert(product).second) return true;
  auto uses = uses_.find(product);
  if (uses == uses_.end()) return true;
  auto follow = [&](const Value* value) { return is_read_within(value, bounds, dim, seen); };
  return std::all_of(uses->second.begin(), uses->second.end(), [&](const Use& use) {
    const Operation& op = *use.op;
    if (is_class(op, OpClass::elementwise)) {
      return std::all_of(op.results.begin(), op.results.end(),
                         [&](const auto& result) { return follow(result.get()); });
    }
    if (op.is("tt.dot")) return use.operand == 2 && follow(op.result());
    const Operation* loop = op.is("scf.yield") ? op.parent->parent : &op;
    if (loop && loop->is("scf.for")) {
      const int carried = use.operand - (loop == &op ? 3 : 0);
      if (carried < 0) return false;
      const Block& body = *loop->regions[0].blocks[0];
      return follow(body.arguments[static_cast<size_t>(carried) + 1].get()) &&
             follow(loop->results[static_cast<size_t>(carried)].get());
    }
    if (!op.is("tt.store") || use.operand != 1 || op.operand_count() < 3) return false;
    Bounds stored;
    const Value* mask = op.operand(2);
    if (!collect_bounds(mask, identity_map(mask->type.shape), dim, stored)) return false;
    return std::all_of(bounds.begin(), bounds.end(), [&](const Operation* bound) {
      return std::any_of(stored.begin(), stored.end(),
                         [&](const Operation* other) { return is_same_bound(*bound, *other); });
    });
  });
}

// Operand 0 of the product bounds its rows (dimension 0), operand 1 its columns (dimension 1).
bool ScheduleBuilder::needs_part(const Operation& dot, int dim) const {
  const Operation* load = dot.operand(dim)->definition;
  if (!load || !is_class(*load, OpClass::load) || load->operand_count() < 2) return false;
  const Value* mask = load->operand(1);
  Bounds bounds;
  if (!mask->type.is_tensor || mask->type.rank() != 2 ||
      !collect_bounds(mask, identity_map(mask->type.shape), dim, bounds) || bounds.empty()) {
    return false;
  }
  for (const Operation* bound : bounds) {
    if (!is_outside_of_loops(bound->operand(0)) ||
        !is_outside_of_loops(behind_splat(bound->operand(1)))) {
      return false;
    }
  }
  std::unordered_set<const Value*> seen;
  return is_read_within(dot.result(), bounds, dim, seen);
}

}  // namespace tilewise::compiler
