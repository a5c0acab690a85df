// SPDX-License-Identifier: Apache-2.0
// Roots that reach elements of scratch by computed indices. Indices outside of the tile, whose
// result Triton leaves open, are kept inside: nothing reads or writes memory of others.
#include "compiler/llvm/nest_emitter.h"

namespace tilewise::compiler {

void NestEmitter::emit_gather(const Root& root) {
  const Operation& op = *root.op;
  const BufferView& source = root.views[1];
  const auto axis = static_cast<size_t>(op.integer("axis"));
  const Type& index_type = op.operand(1)->type;
  const ScalarKind kind = source.buffer->kind;
  const ScalarKind wide = ScalarKind::i64;

  // The element with the lane's other indices and index 0 along the axis.
  IndexMap map = identity_;
  map[axis] = -1;
  int level = 0;
  const LaneAddress first = element_address(kernel_.buffer_address(*source.buffer), kind,
                                            source.offset, source.strides, map, level);
  const TileValue& index = evaluate(op.operand(1), identity_);
  std::string offset = lanes_ == 1 ? index.text : as_vector(index);
  const std::string type = llvm_type(wide, lanes_);
  offset = ops_.convert(offset, index_type.kind, wide, lanes_);
  const int64_t extent = op.operand(0)->type.shape[axis];
  offset = ops_.unsigned_minimum(offset, extent - 1, wide, lanes_);
  offset = b_.assign("mul " + type + " " + offset + ", " +
                     integer_constant(source.strides[axis], wide, lanes_));
  if (lanes_ > 1 && first.stride != "0") {
    const std::string steps = b_.assign("mul " + type + " " + step_constant(wide, lanes_) + ", " +
                                        integer_constant(std::stoll(first.stride), wide, lanes_));
    offset = b_.assign("add " + type + " " + offset + ", " + steps);
  }
  const std::string pointer = b_.assign("getelementptr inbounds " + llvm_storage_type(kind, 1) +
                                        ", ptr " + first.base + ", " + type + " " + offset);
  const auto form = lanes_ > 1 ? LaneAddress::Form::scattered : LaneAddress::Form::contiguous;
  std::string value = memory_.load({form, pointer, ""}, kind, "", "", lanes_);
  value = ops_.convert(value, kind, op.result()->type.kind, lanes_);
  write_view(root.views[0], identity_, value, lanes_);
}

// One lane: several lanes may count in one bin.
void NestEmitter::emit_histogram(const Root& root) {
  const Operation& op = *root.op;
  std::string mask;
  if (op.operand_count() > 1 && !mask_text(op.operand(1), identity_, 1, mask)) return;
  const Type& type = op.operand(0)->type;
  const ScalarKind counts = op.result()->type.kind;
  const std::string value = evaluate(op.operand(0), identity_).text;
  const std::string bin = ops_.convert(value, type.kind, ScalarKind::i64, 1);
  std::string counted =
      b_.assign("icmp ult i64 " + bin + ", " + std::to_string(op.result()->type.elements()));
  if (!mask.empty()) counted = b_.assign("and i1 " + counted + ", " + mask);
  const std::string inside = b_.fresh_label("count");
  const std::string after = b_.fresh_label("counted");
  b_.line("br i1 " + counted + ", label %" + inside + ", label %" + after);
  b_.label(inside);
  const std::string count_type = llvm_type(counts, 1);
  const std::string address =
      b_.assign("getelementptr inbounds " + count_type + ", ptr " +
                kernel_.buffer_address(*root.views[0].buffer) + ", i64 " + bin);
  const std::string old = b_.assign("load " + count_type + ", ptr " + address);
  const std::string more = b_.assign("add " + count_type + " " + old + ", 1");
  b_.line("store " + count_type + " " + more + ", ptr " + address);
  b_.line("br label %" + after);
  b_.label(after);
}

}  // namespace tilewise::compiler
