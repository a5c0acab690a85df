// SPDX-License-Identifier: Apache-2.0
// What a nest does in its innermost loop.
#include <algorithm>

#include "compiler/llvm/nest_emitter.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

// Everything is evaluated before anything is written: a lane's loads precede its stores in the
// kernel's text (a load that follows a store starts another nest), and updates of carried tensors
// read the old ones.
void NestEmitter::emit_roots() {
  for (const Root& root : nest_.roots) evaluate_inputs(root);
  for (const Root& root : nest_.roots) {
    switch (root.kind) {
      case Root::Kind::store:
        emit_store(root);
        break;
      case Root::Kind::materialize:
        emit_materialize(root, evaluate(root.value, identity_));
        break;
      case Root::Kind::atomic:
        emit_atomic(root);
        break;
      case Root::Kind::assertion:
        emit_assertion(root);
        break;
      case Root::Kind::gather:
        emit_gather(root);
        break;
      case Root::Kind::histogram:
        emit_histogram(root);
        break;
      case Root::Kind::print:
        emit_print(root);
        break;
      case Root::Kind::reduce:
      case Root::Kind::scan:
        for (Accumulator& accumulator : accumulators_) {
          if (accumulator.root == &root) accumulate(accumulator);
        }
        break;
    }
  }
}

void NestEmitter::evaluate_inputs(const Root& root) {
  const bool skipped = root.kind == Root::Kind::store && root.op->operand_count() > 2 &&
                       !known_mask(root.op->operand(2), identity_).value_or(true);
  if (skipped) return;
  const int masks = root.kind == Root::Kind::store ? 2 : 3;
  int i = 0;
  for (const Value* input : root.inputs()) {
    if (i++ < masks) evaluate(input, identity_);
  }
}

bool NestEmitter::mask_text(const Value* mask, const IndexMap& map, int lanes, std::string& text) {
  text.clear();
  const auto known = known_mask(mask, map);
  if (known) return *known;
  const TileValue& value = evaluate(mask, map);
  if (value.is_true()) return true;
  if (value.is_false()) return false;
  text = lanes == 1 ? value.text : as_vector(value);
  return true;
}

void NestEmitter::emit_store(const Root& root) {
  const Operation& op = *root.op;
  std::string mask;
  if (op.operand_count() > 2 && !mask_text(op.operand(2), identity_, lanes_, mask)) return;
  const TileValue& pointer = evaluate(op.operand(0), identity_);
  const TileValue& value = evaluate(op.operand(1), identity_);
  const ScalarKind kind = op.operand(1)->type.kind;
  // Lanes with one address store there one after the other: a scatter, of which the last one stays.
  if (op.word("cacheModifier") == "cs" && mask.empty() && lanes_ > 1) {
    return memory_.store_streaming(address_of(pointer, lanes_), kind, as_vector(value), lanes_);
  }
  const LaneAddress address = address_of(pointer, lanes_);
  if (prefetches_ && mask.empty()) memory_.prefetch(address, kind, lanes_, true);
  memory_.store(address, kind, lanes_ == 1 ? value.text : as_vector(value), mask, lanes_);
}

void NestEmitter::emit_materialize(const Root& root, const TileValue& value) {
  const ScalarKind to = root.views[0].buffer->kind;
  std::string text = lanes_ == 1 ? value.text : as_vector(value);
  const ScalarKind from = root.value->type.kind;
  text = ops_.convert(text, from, to, lanes_);
  write_view(root.views[0], identity_, text, lanes_);
}

void NestEmitter::write_view(const BufferView& view, const IndexMap& map, const std::string& value,
                             int lanes) {
  int level = 0;
  const LaneAddress address =
      element_address(kernel_.buffer_address(*view.buffer), view.buffer->kind, view.offset,
                      view.strides, map, level);
  memory_.store(address, view.buffer->kind, value, "", lanes);
}

// One lane: x86 and the others have no vector atomics.
void NestEmitter::emit_atomic(const Root& root) {
  const Operation& op = *root.op;
  const bool is_swap = op.is("tt.atomic_cas");
  std::string mask;
  if (!is_swap && op.operand_count() > 2 && !mask_text(op.operand(2), identity_, 1, mask)) return;
  const std::string pointer = evaluate(op.operand(0), identity_).text;
  const std::string value = evaluate(op.operand(1), identity_).text;
  const std::string replacement = is_swap ? evaluate(op.operand(2), identity_).text : "";
  const std::string perform = b_.fresh_label("atomic");
  const std::string skip = b_.fresh_label("skip");
  if (!mask.empty()) {
    b_.line("br i1 " + mask + ", label %" + perform + ", label %" + skip);
    b_.label(perform);
  }
  const std::string old = kernel_.emit_atomic(op, pointer, value, replacement);
  // Where the mask is off the old value is unspecified, and its buffer stays as it was.
  if (!root.views.empty()) {
    int level = 0;
    const BufferView& view = root.views[0];
    const LaneAddress address =
        element_address(kernel_.buffer_address(*view.buffer), view.buffer->kind, view.offset,
                        view.strides, identity_, level);
    memory_.store(address, view.buffer->kind, old, "", 1);
  }
  if (!mask.empty()) {
    b_.line("br label %" + skip);
    b_.label(skip);
  }
}

void NestEmitter::emit_print(const Root& root) {
  std::vector<std::string> index;
  for (int d = 0; d < root.value->type.rank(); ++d) index.push_back(dim_index(identity_[d]));
  for (int i = 0; i < root.op->operand_count(); ++i) {
    if (root.op->operand(i) != root.value) continue;
    return kernel_.emit_print(*root.op, i, evaluate(root.value, identity_).text, index);
  }
}

void NestEmitter::emit_assertion(const Root& root) {
  const TileValue& condition = evaluate(root.op->operand(0), identity_);
  std::string holds = condition.text;
  if (lanes_ > 1) {
    const std::string type = llvm_type(ScalarKind::i1, lanes_);
    const std::string name = "@llvm.vector.reduce.and.v" + std::to_string(lanes_) + "i1";
    kernel_.module().declare("declare i1 " + name + "(" + type + ")");
    holds = b_.assign("call i1 " + name + "(" + type + " " + as_vector(condition) + ")");
  }
  kernel_.emit_assertion(*root.op, holds);
}

}  // namespace tilewise::compiler
