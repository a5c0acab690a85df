// SPDX-License-Identifier: Apache-2.0
// Operands of products that are read where they lie. Before and after, for a tile of a larger
// matrix:
//
//   nest [128x256] unless in place        if (no lane is masked off)   a = pointer, a_step = stride
//     materialize %a -> buffer1           else   copy to buffer1;      a = buffer1, a_step = 512
//   dot buffer1 * ...                     dot(a, a_step, ...)
//
// The copy of a costs as much as 1 / 16 of a product of 128 x 128 x 256 (bf16, Zen 4), and the
// lanes at the edges of the matrix are few.
#include "compiler/llvm/nest_emitter.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

void NestEmitter::emit_packing() {
  const Root& root = nest_.roots[0];
  KernelEmitter::DotOperand& operand = kernel_.dot_operand(*root.views[0].buffer);
  operand.pointer = kernel_.buffer_address(*root.views[0].buffer);
  operand.row_bytes = std::to_string(nest_.shape[1] * storage_bytes(root.views[0].buffer->kind));
  const bool is_load = nest_.roots.size() == 1 && !kernel_.program().views.contains(root.value);
  std::optional<InPlaceTile> tile;
  if (is_load) {
    operand.rows_end = zeros_from(*root.value->definition, 0);
    operand.columns_end = zeros_from(*root.value->definition, 1);
    tile = find_in_place();
  }
  if (tile) return emit_unless_in_place(*tile, operand);
  emit_loop(1);
  b_.text(scope(0).text);
}

// The tile's place, if its elements are known to lie in rows. The code for that is in scope 0.
std::optional<NestEmitter::InPlaceTile> NestEmitter::find_in_place() {
  const Value* value = nest_.roots[0].value;
  const Operation& load = *value->definition;
  const Value* pointer = load.operand(0);
  TextBuilder::Redirect redirect(b_, scope(0).text);
  const auto first = first_lane(pointer, identity_);
  const auto row = step_along(pointer, identity_, 0);
  if (!first || !row || step_along(pointer, identity_, 1) != "1") return std::nullopt;
  if (nest_.in_place == Item::InPlace::packed && *row != std::to_string(nest_.shape[1])) {
    return std::nullopt;
  }
  std::optional<std::string> covered = "true";
  if (load.operand_count() > 1) covered = covers_all_lanes(load.operand(1), identity_);
  if (!covered) return std::nullopt;
  const std::string bytes = std::to_string(storage_bytes(value->type.kind));
  return InPlaceTile{*first, add_scalars("mul", *row, bytes, ScalarKind::i64), *covered};
}

void NestEmitter::emit_unless_in_place(const InPlaceTile& tile,
                                       KernelEmitter::DotOperand& operand) {
  b_.text(scope(0).text);
  scope(0).text.clear();
  if (tile.covered == "true") {
    operand.pointer = tile.pointer;
    operand.row_bytes = tile.row_bytes;
    return;
  }
  const std::string decide = b_.fresh_label("decide");
  const std::string pack = b_.fresh_label("pack");
  const std::string packed = b_.fresh_label("packed");
  const std::string ready = b_.fresh_label("ready");
  b_.line("br label %" + decide);
  b_.label(decide);
  b_.line("br i1 " + tile.covered + ", label %" + ready + ", label %" + pack);
  b_.label(pack);
  emit_loop(1);
  b_.text(scope(0).text);
  b_.line("br label %" + packed);
  b_.label(packed);
  b_.line("br label %" + ready);
  b_.label(ready);
  auto choose = [&](const char* type, const std::string& in_place, const std::string& in_buffer) {
    return b_.assign(std::string("phi ") + type + " [ " + in_place + ", %" + decide + " ], [ " +
                     in_buffer + ", %" + packed + " ]");
  };
  operand.pointer = choose("ptr", tile.pointer, operand.pointer);
  operand.row_bytes = choose("i64", tile.row_bytes, operand.row_bytes);
}

// The element at index 0 of every dimension, of an integer or pointer that is affine in all of
// them; see Note [Address arithmetic does not wrap].
std::optional<std::string> NestEmitter::first_lane(const Value* value, const IndexMap& map) {
  if (level_of(value, map) == 0) return evaluate(value, map).text;
  if (!is_expression(value) || is_in_buffer(value)) return std::nullopt;
  const Operation& op = *value->definition;
  const ScalarKind kind = value->type.kind;
  if (op.is("tt.make_range")) return std::to_string(op.integer("start"));
  const auto a = first_lane(op.operand(0), operand_map(op, 0, map));
  if (!a || is_class(op, OpClass::shape)) return a;
  if (op.is("arith.extsi")) return extend_scalar(*a, op.operand(0)->type.kind, kind);
  if (op.operand_count() != 2) return std::nullopt;
  const auto b = first_lane(op.operand(1), operand_map(op, 1, map));
  if (!b) return std::nullopt;
  if (op.is("tt.addptr")) {
    if (*b == "0") return a;
    return b_.assign("getelementptr " + llvm_storage_type(value->type.pointee, 1) + ", ptr " + *a +
                     ", " + llvm_type(op.operand(1)->type.kind, 1) + " " + *b);
  }
  if (op.is("arith.addi")) return add_scalars("add", *a, *b, kind);
  if (op.is("arith.subi")) return add_scalars("sub", *a, *b, kind);
  if (op.is("arith.muli")) return add_scalars("mul", *a, *b, kind);
  return std::nullopt;
}

// How much the same value grows from one index to the next along a dimension of the nest, of
// pointers in elements and as i64.
std::optional<std::string> NestEmitter::step_along(const Value* value, const IndexMap& map,
                                                   int dim) {
  if (level_of(value, map) == 0) return "0";
  if (!is_expression(value) || is_in_buffer(value)) return std::nullopt;
  const Operation& op = *value->definition;
  const ScalarKind kind = value->type.kind;
  if (op.is("tt.make_range")) return map[0] == dim ? "1" : "0";
  const IndexMap map_a = operand_map(op, 0, map);
  const auto a = step_along(op.operand(0), map_a, dim);
  if (!a || is_class(op, OpClass::shape)) return a;
  if (op.is("arith.extsi")) return extend_scalar(*a, op.operand(0)->type.kind, kind);
  if (op.operand_count() != 2) return std::nullopt;
  const IndexMap map_b = operand_map(op, 1, map);
  const auto b = step_along(op.operand(1), map_b, dim);
  if (!b) return std::nullopt;
  if (op.is("tt.addptr")) {
    const ScalarKind offset = op.operand(1)->type.kind;
    return add_scalars("add", *a, extend_scalar(*b, offset, ScalarKind::i64), ScalarKind::i64);
  }
  if (op.is("arith.addi")) return add_scalars("add", *a, *b, kind);
  if (op.is("arith.subi")) return add_scalars("sub", *a, *b, kind);
  if (!op.is("arith.muli")) return std::nullopt;
  if (a == "0" && b == "0") return "0";
  if (level_of(op.operand(1), map_b) == 0) {
    return add_scalars("mul", *a, evaluate(op.operand(1), map_b).text, kind);
  }
  if (level_of(op.operand(0), map_a) == 0) {
    return add_scalars("mul", *b, evaluate(op.operand(0), map_a).text, kind);
  }
  return std::nullopt;
}

// The element at the last index of every dimension, of an integer that does not fall along any.
std::optional<std::string> NestEmitter::last_lane(const Value* value, const IndexMap& map) {
  auto last = first_lane(value, map);
  for (int dim = 0; dim < static_cast<int>(nest_.shape.size()) && last; ++dim) {
    const auto step = step_along(value, map, dim);
    if (step != "0" && step != "1") return std::nullopt;
    if (step == "1") {
      last = add_scalars("add", *last, std::to_string(nest_.shape[static_cast<size_t>(dim)] - 1),
                         value->type.kind);
    }
  }
  return last;
}

// An i1 that holds if all lanes of the mask do: of comparisons of indices with bounds, of
// conditions, and of conjunctions of both. Nothing if the mask is of another kind.
std::optional<std::string> NestEmitter::covers_all_lanes(const Value* mask, const IndexMap& map) {
  if (level_of(mask, map) == 0) return evaluate(mask, map).text;
  if (!is_expression(mask) || is_in_buffer(mask)) return std::nullopt;
  const Operation& op = *mask->definition;
  if (is_class(op, OpClass::shape)) {
    return covers_all_lanes(op.operand(0), operand_map(op, 0, map));
  }
  const IndexMap map_a = operand_map(op, 0, map);
  if (op.is("arith.andi")) {
    const auto a = covers_all_lanes(op.operand(0), map_a);
    const auto b = covers_all_lanes(op.operand(1), operand_map(op, 1, map));
    if (!a || !b) return std::nullopt;
    return b_.assign("and i1 " + *a + ", " + *b);
  }
  if (!op.is("arith.cmpi")) return std::nullopt;
  const std::string predicate = op.word("predicate");
  if (predicate != "slt" && predicate != "sle") return std::nullopt;
  const IndexMap map_b = operand_map(op, 1, map);
  if (level_of(op.operand(1), map_b) != 0) return std::nullopt;
  const auto last = last_lane(op.operand(0), map_a);
  if (!last) return std::nullopt;
  return b_.assign("icmp " + predicate + " " + llvm_type(op.operand(0)->type.kind, 1) + " " +
                   *last + ", " + evaluate(op.operand(1), map_b).text);
}

std::string NestEmitter::zeros_from(const Operation& load, int dim) {
  if (load.operand_count() < 2) return "";
  if (load.operand_count() > 2) {
    const Operation* other = load.operand(2)->definition;
    const bool is_zero = other && other->is("arith.constant") && constant_is_splat(*other) &&
                         is_float(load.result()->type.kind) && constant_float(*other) == 0;
    if (!is_zero) return "";
  }
  TextBuilder::Redirect redirect(b_, scope(0).text);
  const std::string end = end_along(load.operand(1), identity_, dim);
  if (end.empty()) return "";
  kernel_.module().declare("declare i64 @llvm.smax.i64(i64, i64)");
  kernel_.module().declare("declare i64 @llvm.smin.i64(i64, i64)");
  const std::string above = b_.assign("call i64 @llvm.smax.i64(i64 " + end + ", i64 0)");
  return b_.assign("call i64 @llvm.smin.i64(i64 " + above + ", i64 " +
                   std::to_string(nest_.shape[static_cast<size_t>(dim)]) + ")");
}

// The least bound of the dimension's index in a conjunction, not clipped.
std::string NestEmitter::end_along(const Value* mask, const IndexMap& map, int dim) {
  if (level_of(mask, map) == 0 || !is_expression(mask) || is_in_buffer(mask)) return "";
  const Operation& op = *mask->definition;
  const IndexMap map_a = operand_map(op, 0, map);
  if (is_class(op, OpClass::shape)) return end_along(op.operand(0), map_a, dim);
  if (op.operand_count() < 2) return "";
  const IndexMap map_b = operand_map(op, 1, map);
  if (op.is("arith.andi")) {
    const std::string a = end_along(op.operand(0), map_a, dim);
    const std::string b = end_along(op.operand(1), map_b, dim);
    if (a.empty() || b.empty()) return a + b;
    kernel_.module().declare("declare i64 @llvm.smin.i64(i64, i64)");
    return b_.assign("call i64 @llvm.smin.i64(i64 " + a + ", i64 " + b + ")");
  }
  if (!op.is("arith.cmpi") || level_of(op.operand(1), map_b) != 0) return "";
  const std::string predicate = op.word("predicate");
  if (predicate != "slt" && predicate != "sle") return "";
  const Value* index = op.operand(0);
  const auto first = first_lane(index, map_a);
  if (!first || step_along(index, map_a, dim) != "1" || step_along(index, map_a, 1 - dim) != "0") {
    return "";
  }
  const ScalarKind kind = index->type.kind;
  const std::string bound = widen(evaluate(op.operand(1), map_b).text, kind);
  const std::string count = add_scalars("sub", bound, widen(*first, kind), ScalarKind::i64);
  return predicate == "sle" ? add_scalars("add", count, "1", ScalarKind::i64) : count;
}

}  // namespace tilewise::compiler
