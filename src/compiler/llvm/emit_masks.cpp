// SPDX-License-Identifier: Apache-2.0
// Masks as bounds of the vector loop: see Note [Masks become loop bounds].
#include <algorithm>
#include <cmath>

#include "compiler/llvm/nest_emitter.h"
#include "compiler/llvm/reduction_identity.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

std::optional<bool> NestEmitter::known_mask(const Value* mask, const IndexMap& map) const {
  auto found = known_.find({mask, map});
  return found == known_.end() ? std::nullopt : std::optional<bool>(found->second);
}

std::vector<NestEmitter::Bound> NestEmitter::find_bounds() {
  std::vector<Bound> bounds;
  for (const Root& root : nest_.roots) {
    for (const Value* input : root.inputs()) collect_masks(input, identity_, bounds);
    if (root.kind == Root::Kind::store && root.op->operand_count() > 2) {
      add_mask(root.op->operand(2), identity_, false, bounds);
    }
  }
  // Conditions alone are worth a bound only for loads and stores that it saves from masking.
  return bounds;
}

void NestEmitter::collect_masks(const Value* value, const IndexMap& map,
                                std::vector<Bound>& bounds) {
  std::vector<Key> todo{{value, map}};
  std::map<Key, bool> seen;
  while (!todo.empty()) {
    const Key key = todo.back();
    todo.pop_back();
    const Value* current = key.first;
    if (!is_expression(current) || !seen.emplace(key, true).second) continue;
    if (is_in_buffer(current)) continue;
    const Operation& op = *current->definition;
    const bool in_loop = level_of(current, key.second) >= vector_level_;
    if (in_loop && is_class(op, OpClass::load) && op.operand_count() > 1) {
      add_mask(op.operand(1), key.second, false, bounds);
    }
    if (in_loop && op.is("arith.select") && op.operand(0)->type.is_tensor) {
      add_mask(op.operand(0), key.second, true, bounds);
    }
    for (int i = 0; i < op.operand_count(); ++i) {
      todo.push_back({op.operand(i), operand_map(op, i, key.second)});
    }
  }
}

void NestEmitter::add_mask(const Value* mask, const IndexMap& map, bool need_bound,
                           std::vector<Bound>& bounds) {
  for (const Bound& known : bounds) {
    if (known.mask == Key{mask, map}) return;
  }
  Bound bound{{mask, map}, true, {}, {}, {}};
  if (!split_mask(mask, map, bound)) bound.complete = false;
  if (bound.bounds.empty() && (need_bound || bound.conditions.empty())) return;
  // A condition alone must be all of the mask to be worth a bound.
  if (bound.bounds.empty() && !bound.complete) return;
  bounds.push_back(std::move(bound));
}

// Collects the parts of a conjunction; false if some part is neither a bound nor uniform.
bool NestEmitter::split_mask(const Value* mask, const IndexMap& map, Bound& bound) {
  bool swapped = false;
  if (level_of(mask, map) < vector_level_) {
    bound.conditions.push_back({mask, map});
    return true;
  }
  if (!is_expression(mask) || kernel_.program().views.contains(mask)) return false;
  const Operation& op = *mask->definition;
  if (op.is("arith.andi")) {
    const bool left = split_mask(op.operand(0), map, bound);
    return split_mask(op.operand(1), map, bound) && left;
  }
  if (is_class(op, OpClass::shape)) {
    return split_mask(op.operand(0), operand_map(op, 0, map), bound);
  }
  if (is_bound(mask, map, swapped)) {
    bound.bounds.push_back({mask, map});
    return true;
  }
  return false;
}

// `x < n` or `n > x` with x growing by 1 per lane and n uniform in the vector loop.
bool NestEmitter::is_bound(const Value* comparison, const IndexMap& map, bool& swapped) {
  const Operation& op = *comparison->definition;
  if (!op.is("arith.cmpi")) return false;
  const std::string predicate = op.word("predicate");
  if (predicate != "slt" && predicate != "sle" && predicate != "sgt" && predicate != "sge") {
    return false;
  }
  swapped = predicate[1] == 'g';
  const Value* index = op.operand(swapped ? 1 : 0);
  const Value* limit = op.operand(swapped ? 0 : 1);
  if (level_of(limit, map) >= vector_level_ || level_of(index, map) != vector_level_) return false;
  for (size_t d = 0; d < map.size(); ++d) {
    if (map[d] == vector_dim_) return analysis_.stride(index, static_cast<int>(d)) == 1;
  }
  return false;
}

// The first lane's value of an affine integer, at lane 0 of the whole loop.
std::string NestEmitter::origin(const Value* value, const IndexMap& map) {
  if (level_of(value, map) < vector_level_) return evaluate(value, map).text;
  const Operation& op = *value->definition;
  const ScalarKind kind = value->type.kind;
  if (op.is("tt.make_range")) return std::to_string(op.integer("start"));
  if (is_class(op, OpClass::shape)) return origin(op.operand(0), operand_map(op, 0, map));
  const std::string first = origin(op.operand(0), map);
  if (op.is("arith.extsi") || op.is("arith.trunci")) {
    return extend_scalar(first, op.operand(0)->type.kind, kind);
  }
  const char* instruction = op.is("arith.addi") ? "add" : op.is("arith.subi") ? "sub" : "mul";
  return add_scalars(instruction, first, origin(op.operand(1), map), kind);
}

std::string NestEmitter::widen(const std::string& text, ScalarKind kind) {
  return extend_scalar(text, kind, ScalarKind::i64);
}

// How many lanes from lane 0 on the mask lets through, from 0 to the extent of the loop.
std::string NestEmitter::limit_of(Bound& bound) {
  const std::string extent = std::to_string(loops_[vector_level_ - 1].extent);
  auto extremum = [&](const char* name, const std::string& a, const std::string& b) {
    kernel_.module().declare(std::string("declare i64 @llvm.") + name + ".i64(i64, i64)");
    return b_.assign(std::string("call i64 @llvm.") + name + ".i64(i64 " + a + ", i64 " + b + ")");
  };
  std::string limit = extent;
  for (const auto& [comparison, map] : bound.bounds) {
    bool swapped = false;
    is_bound(comparison, map, swapped);
    const Operation& op = *comparison->definition;
    const Value* index = op.operand(swapped ? 1 : 0);
    const Value* end = op.operand(swapped ? 0 : 1);
    const ScalarKind kind = index->type.kind;
    const std::string first = widen(origin(index, map), kind);
    std::string count =
        add_scalars("sub", widen(evaluate(end, map).text, kind), first, ScalarKind::i64);
    if (op.word("predicate")[2] == 'e') count = add_scalars("add", count, "1", ScalarKind::i64);
    limit = extremum("smin", limit, count);
  }
  if (!bound.bounds.empty()) limit = extremum("smax", limit, "0");
  for (const auto& [condition, map] : bound.conditions) {
    const std::string text = evaluate(condition, map).text;
    if (text == "true") continue;
    limit = b_.assign("select i1 " + text + ", i64 " + limit + ", i64 0");
  }
  return bound.limit = limit;
}

bool NestEmitter::has_effect_in_rest(const Root& root) {
  switch (root.kind) {
    case Root::Kind::store:
      return root.op->operand_count() < 3 ||
             known_mask(root.op->operand(2), identity_).value_or(true);
    case Root::Kind::materialize:
      return !is_unchanged_in_rest(root, root.value, identity_);
    case Root::Kind::reduce: {
      if (root.op->operand_count() != 1 || nest_.axis != vector_dim_) return true;
      const auto constant = constant_in_rest(root.op->operand(0), identity_);
      if (!constant) return true;
      const ReductionKind kind = reduction_kind(*root.op);
      const bool absorbed =
          kind == ReductionKind::extremum ||
          (kind == ReductionKind::sum && constant->number == 0 && constant->integer == 0) ||
          (kind == ReductionKind::product && (constant->number == 1 || constant->integer == 1));
      if (!absorbed) return true;
      for (Accumulator& accumulator : accumulators_) {
        if (accumulator.root == &root) accumulator.left_out = constant;
      }
      return false;
    }
    default:
      return true;
  }
}

// True for updates like `accumulator + where(mask, x, 0)`, which keep a carried tensor's lanes.
bool NestEmitter::is_unchanged_in_rest(const Root& root, const Value* value, const IndexMap& map) {
  if (is_in_buffer(value)) {
    return kernel_.program().views.at(value).buffer == root.views[0].buffer && map == identity_;
  }
  if (!is_expression(value)) return false;
  const Operation& op = *value->definition;
  if (op.is("arith.select")) {
    const auto known = known_mask(op.operand(0), map);
    return known && is_unchanged_in_rest(root, op.operand(*known ? 1 : 2), map);
  }
  for (int i = 0; i < 2; ++i) {
    if (op.is("arith.addf") || op.is("arith.addi") || op.is("arith.ori") || op.is("arith.xori")) {
      const auto constant = constant_in_rest(op.operand(i), map);
      if (constant && constant->number == 0 && constant->integer == 0 &&
          is_unchanged_in_rest(root, op.operand(1 - i), map)) {
        return true;
      }
    }
  }
  return false;
}

std::optional<NestEmitter::LaneConstant> NestEmitter::constant_in_rest(const Value* value,
                                                                       const IndexMap& map) {
  if (!is_expression(value)) return std::nullopt;
  const Operation& op = *value->definition;
  if (op.is("arith.constant") && constant_is_splat(op)) {
    LaneConstant constant;
    if (is_float(value->type.kind)) {
      constant.number = constant_float(op);
    } else {
      constant.integer = constant_integer(op);
    }
    return constant;
  }
  if (kernel_.program().views.contains(value)) return std::nullopt;
  if (is_class(op, OpClass::shape) && op.operand(0)->type.is_tensor) {
    return constant_in_rest(op.operand(0), operand_map(op, 0, map));
  }
  if (is_class(op, OpClass::load) && op.operand_count() > 1) {
    const auto known = known_mask(op.operand(1), map);
    if (!known || *known) return std::nullopt;
    return op.operand_count() > 2 ? constant_in_rest(op.operand(2), map) : LaneConstant{};
  }
  if (op.is("arith.select")) {
    const auto known = known_mask(op.operand(0), map);
    if (!known) return std::nullopt;
    return constant_in_rest(op.operand(*known ? 1 : 2), map);
  }
  // Conversions keep the constants that matter: zero, one and infinities.
  if (op.is("arith.extf") || op.is("arith.extsi") || op.is("arith.truncf")) {
    auto constant = constant_in_rest(op.operand(0), map);
    const bool kept = constant && (constant->number == 0 || constant->number == 1 ||
                                   std::isinf(constant->number));
    return op.is("arith.truncf") && !kept ? std::nullopt : constant;
  }
  if (op.is("arith.mulf")) {
    const auto a = constant_in_rest(op.operand(0), map);
    const auto b = constant_in_rest(op.operand(1), map);
    if (a && b && a->number == 0 && b->number == 0) return LaneConstant{};
  }
  return std::nullopt;
}

}  // namespace tilewise::compiler
