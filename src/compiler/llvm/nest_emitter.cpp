// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/nest_emitter.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

NestEmitter::NestEmitter(KernelEmitter& kernel, const Item& nest)
    : kernel_(kernel),
      b_(kernel.builder()),
      ops_(kernel.lane_ops()),
      memory_(kernel.memory_ops()),
      nest_(nest),
      analysis_(kernel.program()),
      identity_(identity_map(nest.shape)) {
  // A reduction along a dimension of extent 1 still has its loop, of one iteration.
  if (nest.axis >= 0) identity_[static_cast<size_t>(nest.axis)] = nest.axis;
}

void NestEmitter::emit() {
  choose_vector_dimension();
  choose_loops();
  scopes_.push_back(std::make_unique<Scope>());
  for (const Root& root : nest_.roots) {
    if (root.kind == Root::Kind::reduce || root.kind == Root::Kind::scan) {
      accumulators_.push_back({&root, {}, false, {}});
    }
  }
  emit_loop(1);
  b_.text(scope(0).text);
  scopes_.clear();
}

std::string NestEmitter::evaluate_single(const Value* value) {
  scopes_.push_back(std::make_unique<Scope>());
  const TileValue& result = evaluate(value, IndexMap(value->type.shape.size(), -1));
  b_.text(scope(0).text);
  return result.text;
}

// The dimension along which most elements of memory lie side by side; the last one if there are
// several. Scans leave their axis to a sequential loop.
void NestEmitter::choose_vector_dimension() {
  std::vector<int64_t> score(nest_.shape.size(), 0);
  std::set<Key> seen;
  std::vector<Key> todo;
  auto add_access = [&](const Value* tensor, const IndexMap& map, auto stride_along) {
    int64_t elements = 1;
    for (size_t d = 0; d < map.size(); ++d) elements *= map[d] >= 0 ? tensor->type.shape[d] : 1;
    for (size_t d = 0; d < map.size(); ++d) {
      if (map[d] >= 0 && stride_along(static_cast<int>(d)) == 1) score[map[d]] += elements;
    }
  };
  for (const Root& root : nest_.roots) {
    for (const Value* input : root.inputs()) todo.push_back({input, identity_});
    if (root.kind == Root::Kind::store) {
      const Value* pointer = root.op->operand(0);
      add_access(pointer, identity_,
                 [&](int d) { return analysis_.stride(pointer, d).value_or(0); });
    }
    if (root.kind == Root::Kind::materialize) {
      add_access(root.value, identity_, [&](int d) { return root.views[0].strides[d]; });
    }
  }
  while (!todo.empty()) {
    const Key key = todo.back();
    todo.pop_back();
    const auto& [value, map] = key;
    if (!value->type.is_tensor || !seen.insert(key).second) continue;
    auto view = kernel_.program().views.find(value);
    if (view != kernel_.program().views.end() && !computes_here(value)) {
      add_access(value, map, [&](int d) { return view->second.strides[d]; });
      continue;
    }
    if (!is_expression(value)) continue;
    const Operation& op = *value->definition;
    if (is_class(op, OpClass::load)) {
      const Value* pointer = op.operand(0);
      add_access(pointer, map, [&](int d) { return analysis_.stride(pointer, d).value_or(0); });
    }
    for (int i = 0; i < op.operand_count(); ++i) {
      todo.push_back({op.operand(i), operand_map(op, i, map)});
    }
  }
  bool sequential_axis = false;
  bool one_lane = false;
  for (const Root& root : nest_.roots) {
    sequential_axis |= root.kind == Root::Kind::scan;
    one_lane |= root.kind == Root::Kind::atomic;
  }
  if (one_lane) return;
  for (int d = static_cast<int>(nest_.shape.size()) - 1; d >= 0; --d) {
    if (nest_.shape[d] == 1 || (sequential_axis && d == nest_.axis)) continue;
    if (vector_dim_ < 0 || score[d] > score[vector_dim_]) vector_dim_ = d;
  }
  lanes_ = choose_lanes();
}

// Enough lanes for four independent chains of operations (two on machines with 16 registers), so
// that latencies overlap, but no more than 64: LLVM's time grows with the width of its vectors.
int NestEmitter::choose_lanes() {
  if (vector_dim_ < 0) return 1;
  int widest = 1;
  int cost = 0;
  std::set<const Value*> seen;
  std::vector<const Value*> todo;
  for (const Root& root : nest_.roots) {
    for (const Value* input : root.inputs()) todo.push_back(input);
  }
  while (!todo.empty()) {
    const Value* value = todo.back();
    todo.pop_back();
    if (!value->type.is_tensor || !seen.insert(value).second) continue;
    const bool in_memory = kernel_.program().views.contains(value) && !computes_here(value);
    bool is_address = value->type.kind == ScalarKind::i1;
    if (is_integer(value->type.kind) || value->type.kind == ScalarKind::pointer) {
      bool affine = !in_memory;
      for (int d = 0; d < value->type.rank(); ++d) affine &= analysis_.stride(value, d).has_value();
      is_address |= affine || value->type.kind == ScalarKind::pointer;
    }
    if (!is_address && analysis_.dependence(value)) {
      widest = std::max(widest, storage_bytes(value->type.kind));
    }
    if (in_memory || !is_expression(value)) continue;
    const Operation& op = *value->definition;
    cost += op.info->cost;
    for (const Value* operand : op.operands) todo.push_back(operand);
  }
  const Target& target = kernel_.target();
  const int chains = target.vector_registers >= 32 ? 4 : 2;
  int lanes = std::min(64, std::max(1, chains * target.vector_bytes / widest));
  const int64_t extent = nest_.shape[static_cast<size_t>(vector_dim_)];
  while (lanes > extent || extent % lanes != 0) lanes /= 2;
  return std::max(lanes, 1);
}

void NestEmitter::choose_loops() {
  std::vector<int> order;
  const bool axis_last = nest_.axis >= 0 && nest_.axis != vector_dim_;
  for (int d = 0; d < static_cast<int>(nest_.shape.size()); ++d) {
    const bool last = d == vector_dim_ || (axis_last && d == nest_.axis);
    if (!last && nest_.shape[d] > 1) order.push_back(d);
  }
  if (vector_dim_ >= 0) order.push_back(vector_dim_);
  if (axis_last) order.push_back(nest_.axis);
  for (int d : order) {
    loops_.push_back({d, nest_.shape[d], d == vector_dim_ ? lanes_ : 1});
    if (d == vector_dim_) vector_level_ = static_cast<int>(loops_.size());
    if (d == nest_.axis) axis_level_ = static_cast<int>(loops_.size());
  }
}

void NestEmitter::emit_loop(size_t level) {
  if (level > loops_.size()) {
    TextBuilder::Redirect redirect(b_, scopes_.back()->text);
    emit_roots();
    return;
  }
  const bool is_axis = static_cast<int>(level) == axis_level_;
  if (is_axis) {
    TextBuilder::Redirect redirect(b_, scope(static_cast<int>(level) - 1).text);
    begin_reductions();
  }
  if (is_vector_loop(level)) {
    emit_vector_loop(level);
  } else {
    emit_range(level, "0", std::to_string(loops_[level - 1].extent));
  }
  if (is_axis) {
    TextBuilder::Redirect redirect(b_, scope(static_cast<int>(level) - 1).text);
    finish_reductions();
  }
}

// See Note [Masks become loop bounds].
void NestEmitter::emit_vector_loop(size_t level) {
  const Loop& loop = loops_[level - 1];
  const std::string extent = std::to_string(loop.extent);
  std::vector<Bound> bounds = find_bounds();
  known_.clear();
  rest_limit_.clear();
  if (bounds.empty()) return emit_range(level, "0", extent);

  std::string whole;
  std::string end;
  {
    TextBuilder::Redirect redirect(b_, scope(static_cast<int>(level) - 1).text);
    for (Bound& bound : bounds) {
      const std::string limit = limit_of(bound);
      auto extremum = [&](const char* name, const std::string& a) {
        kernel_.module().declare(std::string("declare i64 @llvm.") + name + ".i64(i64, i64)");
        return b_.assign(std::string("call i64 @llvm.") + name + ".i64(i64 " + a + ", i64 " +
                         limit + ")");
      };
      whole = whole.empty() ? limit : extremum("smin", whole);
      end = end.empty() ? limit : extremum("smax", end);
    }
    if (lanes_ > 1) {
      const std::string chunk = std::to_string(-lanes_);
      whole = b_.assign("and i64 " + whole + ", " + chunk);
      end = b_.assign("add i64 " + end + ", " + std::to_string(lanes_ - 1));
      end = b_.assign("and i64 " + end + ", " + chunk);
    }
  }
  auto know = [&](bool holds) {
    known_.clear();
    for (const Bound& bound : bounds) {
      if (bound.complete || !holds) known_[bound.mask] = holds;
      if (!holds) continue;
      for (const Key& comparison : bound.bounds) known_[comparison] = true;
    }
  };
  know(true);
  emit_range(level, "0", whole);
  known_.clear();
  emit_range(level, whole, end);
  know(false);
  bool has_effect = false;
  for (const Root& root : nest_.roots) has_effect |= has_effect_in_rest(root);
  if (has_effect) {
    for (Accumulator& accumulator : accumulators_) accumulator.left_out.reset();
    emit_range(level, end, extent);
  } else {
    rest_limit_ = end;
  }
  known_.clear();
}

void NestEmitter::emit_range(size_t level, const std::string& start, const std::string& end) {
  const Loop& loop = loops_[level - 1];
  const bool once = is_constant_text(start) && is_constant_text(end) &&
                    std::stoll(end) - std::stoll(start) <= loop.step;
  scopes_.push_back(std::make_unique<Scope>());
  const std::string counter = once ? start : b_.fresh();
  scopes_.back()->index = counter;
  const bool reversed = loop.dim == nest_.axis && nest_.roots[0].kind == Root::Kind::scan &&
                        nest_.roots[0].op->word("reverse", "false") == "true";
  if (reversed) {
    TextBuilder::Redirect redirect(b_, scopes_.back()->text);
    scopes_.back()->index =
        b_.assign("sub i64 " + std::to_string(loop.extent - 1) + ", " + counter);
  }
  emit_loop(level + 1);
  const std::string body = std::move(scopes_.back()->text);
  scopes_.pop_back();

  TextBuilder::Redirect redirect(b_, scopes_.back()->text);
  if (once) return b_.text(body);
  const std::string before = b_.fresh_label("before");
  const std::string head = b_.fresh_label("head");
  const std::string inside = b_.fresh_label("body");
  const std::string latch = b_.fresh_label("latch");
  const std::string after = b_.fresh_label("after");
  const std::string next = b_.fresh();
  b_.line("br label %" + before);
  b_.label(before);
  b_.line("br label %" + head);
  b_.label(head);
  b_.line(counter + " = phi i64 [ " + start + ", %" + before + " ], [ " + next + ", %" + latch +
          " ]");
  const std::string more = b_.assign("icmp slt i64 " + counter + ", " + end);
  b_.line("br i1 " + more + ", label %" + inside + ", label %" + after);
  b_.label(inside);
  b_.text(body);
  b_.line("br label %" + latch);
  b_.label(latch);
  b_.line(next + " = add nsw i64 " + counter + ", " + std::to_string(loop.step));
  b_.line("br label %" + head);
  b_.label(after);
}

}  // namespace tilewise::compiler
