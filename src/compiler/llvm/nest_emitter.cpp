// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/nest_emitter.h"

#include <algorithm>

#include "base/check.h"

namespace tilewise::compiler {

NestEmitter::NestEmitter(KernelEmitter& kernel, const Item& nest)
    : kernel_(kernel),
      b_(kernel.builder()),
      ops_(kernel.lane_ops()),
      memory_(kernel.memory_ops()),
      nest_(nest),
      analysis_(kernel.program()),
      identity_(nest_identity(nest)),
      plan_(plan_nest(kernel.program(), nest, kernel.target())),
      vector_dim_(plan_.vector_dim),
      vector_level_(plan_.vector_level),
      axis_level_(plan_.axis_level),
      lanes_(plan_.lanes),
      loops_(plan_.loops),
      prefetches_(plan_.prefetches && nest.parent && !nest.parent->owner) {}

void NestEmitter::emit() {
  scopes_.push_back(std::make_unique<Scope>());
  for (const Root& root : nest_.roots) {
    if (root.kind == Root::Kind::reduce || root.kind == Root::Kind::scan) {
      accumulators_.push_back({&root, {}, false, {}});
    }
  }
  if (nest_.in_place == Item::InPlace::no) {
    emit_loop(1);
    b_.text(scope(0).text);
  } else {
    emit_packing();
  }
  scopes_.clear();
}

std::string NestEmitter::evaluate_single(const Value* value) {
  scopes_.push_back(std::make_unique<Scope>());
  const TileValue& result = evaluate(value, IndexMap(value->type.shape.size(), -1));
  b_.text(scope(0).text);
  return result.text;
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
  const std::string extent = std::to_string(loops_[level - 1].extent);
  std::vector<Bound> bounds = find_bounds();
  known_.clear();
  rest_limit_.clear();
  if (bounds.empty() || is_reversed(loops_[level - 1])) return emit_range(level, "0", extent);

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
    if (nest_.unrolled) return emit_unrolled(level, bounds, whole, end);
    if (lanes_ > 1) {
      const std::string chunk = std::to_string(-lanes_);
      whole = b_.assign("and i64 " + whole + ", " + chunk);
      end = b_.assign("add i64 " + end + ", " + std::to_string(lanes_ - 1));
      end = b_.assign("and i64 " + end + ", " + chunk);
    }
  }
  know(bounds, true);
  emit_range(level, "0", whole);
  known_.clear();
  emit_range(level, whole, end);
  know(bounds, false);
  if (rest_has_effect()) {
    emit_range(level, end, extent);
  } else {
    rest_limit_ = end;
  }
  known_.clear();
}

void NestEmitter::know(const std::vector<Bound>& bounds, bool holds) {
  known_.clear();
  for (const Bound& bound : bounds) {
    if (bound.complete || !holds) known_[bound.mask] = holds;
    if (!holds) continue;
    for (const Key& comparison : bound.bounds) known_[comparison] = true;
  }
}

bool NestEmitter::rest_has_effect() {
  bool has_effect = false;
  for (const Root& root : nest_.roots) has_effect |= has_effect_in_rest(root);
  if (!has_effect) return false;
  for (Accumulator& accumulator : accumulators_) accumulator.left_out.reset();
  return true;
}

// The vector loop as a sequence of its iterations, so that their addresses in buffers are
// constants; once for the common case that all masks hold everywhere, once with a branch for each
// iteration. The texts come first: evaluating them may add to the surroundings.
void NestEmitter::emit_unrolled(size_t level, std::vector<Bound>& bounds, const std::string& whole,
                                const std::string& end) {
  const NestLoop& loop = loops_[level - 1];
  std::vector<std::string> with_masks;
  std::vector<std::string> in_rest;
  know(bounds, true);
  std::string without_masks;
  for (int64_t i = 0; i < loop.extent; i += loop.step) {
    without_masks += emit_iteration(level, std::to_string(i));
  }
  known_.clear();
  for (int64_t i = 0; i < loop.extent; i += loop.step) {
    with_masks.push_back(emit_iteration(level, std::to_string(i)));
  }
  know(bounds, false);
  if (rest_has_effect()) {
    for (int64_t i = 0; i < loop.extent; i += loop.step) {
      in_rest.push_back(emit_iteration(level, std::to_string(i)));
    }
  } else {
    rest_limit_ = end;
  }
  known_.clear();

  const std::string fast = b_.fresh_label("unmasked");
  const std::string slow = b_.fresh_label("masked");
  const std::string after = b_.fresh_label("after");
  const std::string extent = std::to_string(loop.extent);
  const std::string all = b_.assign("icmp sge i64 " + whole + ", " + extent);
  b_.line("br i1 " + all + ", label %" + fast + ", label %" + slow);
  b_.label(fast);
  b_.text(without_masks);
  b_.line("br label %" + after);
  b_.label(slow);
  for (size_t i = 0; i < with_masks.size(); ++i) {
    const std::string some = b_.fresh_label("some");
    const std::string none = in_rest.empty() ? "" : b_.fresh_label("none");
    const std::string next = b_.fresh_label("next");
    const std::string first = std::to_string(static_cast<int64_t>(i) * loop.step);
    const std::string any = b_.assign("icmp slt i64 " + first + ", " + end);
    b_.line("br i1 " + any + ", label %" + some + ", label %" + (none.empty() ? next : none));
    b_.label(some);
    b_.text(with_masks[i]);
    b_.line("br label %" + next);
    if (!none.empty()) {
      b_.label(none);
      b_.text(in_rest[i]);
      b_.line("br label %" + next);
    }
    b_.label(next);
  }
  b_.line("br label %" + after);
  b_.label(after);
}

// The body of a loop for one value of its counter.
std::string NestEmitter::emit_iteration(size_t level, const std::string& counter) {
  const NestLoop& loop = loops_[level - 1];
  scopes_.push_back(std::make_unique<Scope>());
  scopes_.back()->index = counter;
  if (is_reversed(loop)) {
    TextBuilder::Redirect redirect(b_, scopes_.back()->text);
    scopes_.back()->index =
        b_.assign("sub i64 " + std::to_string(loop.extent - loop.step) + ", " + counter);
  }
  emit_loop(level + 1);
  std::string body = std::move(scopes_.back()->text);
  scopes_.pop_back();
  return body;
}

void NestEmitter::emit_range(size_t level, const std::string& start, const std::string& end) {
  const NestLoop& loop = loops_[level - 1];
  if (is_constant_text(start) && is_constant_text(end)) {
    const int64_t first = std::stoll(start);
    const int64_t last = std::stoll(end);
    if (nest_.unrolled || last - first <= loop.step) {
      for (int64_t i = first; i < last; i += loop.step) {
        const std::string body = emit_iteration(level, std::to_string(i));
        scopes_.back()->text += body;
      }
      return;
    }
  }
  const std::string counter = b_.fresh();
  const std::string body = emit_iteration(level, counter);
  TextBuilder::Redirect redirect(b_, scopes_.back()->text);
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
