// SPDX-License-Identifier: Apache-2.0
// Evaluation of loads and of tensors in scratch.
#include <algorithm>

#include "compiler/llvm/nest_emitter.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

LaneAddress NestEmitter::address_of(const TileValue& pointer, int lanes) {
  if (lanes == 1) return {LaneAddress::Form::contiguous, pointer.text, ""};
  if (pointer.form == TileValue::Form::affine) {
    return {pointer.stride == "1" ? LaneAddress::Form::contiguous : LaneAddress::Form::strided,
            pointer.text, pointer.stride};
  }
  return {LaneAddress::Form::scattered, as_vector(pointer), ""};
}

TileValue NestEmitter::evaluate_load(const Operation& op, const IndexMap& map) {
  const TileValue& pointer = evaluate(op.operand(0), map);
  const TileValue* mask = nullptr;
  const TileValue* other = nullptr;
  TileValue out;
  out.kind = op.result()->type.kind;
  out.level = pointer.level;
  const bool in_vector_loop = level_of(op.result(), map) >= vector_level_;
  std::optional<bool> known;
  if (op.operand_count() > 1) {
    if (in_vector_loop) known = known_mask(op.operand(1), map);
    if (!known) {
      mask = &evaluate(op.operand(1), map);
      out.level = std::max(out.level, mask->level);
    }
    if (mask && mask->is_true()) known = true;
    if (mask && mask->is_false()) known = false;
    // What is known of a mask holds only inside of the part of the loop at hand.
    if (known && in_vector_loop) out.level = std::max(out.level, vector_level_);
  }
  if (op.operand_count() > 2 && known.value_or(false) == false) {
    other = &evaluate(op.operand(2), map);
    out.level = std::max(out.level, other->level);
  }
  TextBuilder::Redirect redirect(b_, scope(out.level).text);
  if (known && !*known) {
    const int level = out.level;
    if (other) {
      out = *other;
    } else {
      out.text =
          is_float(out.kind) ? float_constant(0, out.kind, 1) : integer_constant(0, out.kind, 1);
    }
    out.level = level;
    return out;
  }
  if (known) mask = nullptr;
  const bool uniform = pointer.form == TileValue::Form::uniform &&
                       (!mask || mask->form == TileValue::Form::uniform) &&
                       (!other || other->form == TileValue::Form::uniform);
  const int lanes = uniform ? 1 : lanes_;
  auto text = [&](const TileValue* value) {
    return !value ? std::string() : uniform ? value->text : as_vector(*value);
  };
  out.form = uniform ? TileValue::Form::uniform : TileValue::Form::vector;
  const LaneAddress address = address_of(pointer, lanes);
  if (!mask && in_vector_loop) {
    if (prefetches_)
      memory_.prefetch(address, out.kind, lanes, false);
    else if (nest_.in_place == Item::InPlace::no)
      memory_.prefetch_page(address, out.kind, lanes, !plan_.is_light());
  }
  out.text = memory_.load(address, out.kind, text(mask), mask ? text(other) : std::string(), lanes);
  return out;
}

LaneAddress NestEmitter::element_address(const std::string& base, ScalarKind kind, int64_t offset,
                                         const std::vector<int64_t>& strides, const IndexMap& map,
                                         int& level) {
  level = 0;
  int64_t vector_stride = 0;
  for (size_t d = 0; d < map.size(); ++d) {
    if (map[d] < 0) continue;
    level = std::max(level, level_of_dim(map[d]));
    if (map[d] == vector_dim_ && lanes_ > 1) vector_stride += strides[d];
  }
  TextBuilder::Redirect redirect(b_, scope(level).text);
  std::string index = std::to_string(offset);
  for (size_t d = 0; d < map.size(); ++d) {
    if (map[d] < 0) continue;
    const std::string scaled =
        add_scalars("mul", dim_index(map[d]), std::to_string(strides[d]), ScalarKind::i64);
    index = add_scalars("add", index, scaled, ScalarKind::i64);
  }
  LaneAddress address;
  address.base = index == "0" ? base
                              : b_.assign("getelementptr inbounds " + llvm_storage_type(kind, 1) +
                                          ", ptr " + base + ", i64 " + index);
  address.stride = std::to_string(vector_stride);
  address.form = vector_stride == 1 ? LaneAddress::Form::contiguous : LaneAddress::Form::strided;
  return address;
}

TileValue NestEmitter::read_elements(const std::string& base, ScalarKind kind, int64_t offset,
                                     const std::vector<int64_t>& strides, const IndexMap& map) {
  TileValue out;
  out.kind = kind;
  const LaneAddress address = element_address(base, kind, offset, strides, map, out.level);
  TextBuilder::Redirect redirect(b_, scope(out.level).text);
  const bool uniform = address.stride == "0";
  out.form = uniform ? TileValue::Form::uniform : TileValue::Form::vector;
  out.text = memory_.load(address, kind, "", "", uniform ? 1 : lanes_);
  return out;
}

// A buffer may hold its tensor in a wider type: products of f16 tiles are f32 there.
TileValue NestEmitter::read_view(const BufferView& view, ScalarKind kind, const IndexMap& map) {
  TileValue out = read_elements(kernel_.buffer_address(*view.buffer), view.buffer->kind,
                                view.offset, view.strides, map);
  if (view.buffer->kind == kind) return out;
  TextBuilder::Redirect redirect(b_, scope(out.level).text);
  const int lanes = out.form == TileValue::Form::uniform ? 1 : lanes_;
  out.text = ops_.convert(out.text, view.buffer->kind, kind, lanes);
  out.kind = kind;
  return out;
}

}  // namespace tilewise::compiler
