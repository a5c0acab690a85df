// SPDX-License-Identifier: Apache-2.0
// Evaluation of expressions in a nest.
#include <algorithm>

#include "base/check.h"
#include "compiler/llvm/nest_emitter.h"
#include "compiler/ttir/op_table.h"

namespace tilewise::compiler {

int NestEmitter::level_of_dim(int dim) const {
  for (size_t i = 0; i < loops_.size(); ++i) {
    if (loops_[i].dim == dim) return static_cast<int>(i) + 1;
  }
  return 0;
}

// The innermost loop that the value depends on.
int NestEmitter::level_of(const Value* value, const IndexMap& map) {
  const uint32_t dependence = analysis_.dependence(value);
  int level = 0;
  for (size_t d = 0; d < map.size(); ++d) {
    if ((dependence >> d & 1) && map[d] >= 0) level = std::max(level, level_of_dim(map[d]));
  }
  return level;
}

std::string NestEmitter::dim_index(int dim) {
  const int level = dim < 0 ? 0 : level_of_dim(dim);
  return level == 0 ? "0" : scope(level).index;
}

bool NestEmitter::is_in_buffer(const Value* value) const {
  return is_read_by(kernel_.program(), nest_, value);
}

const TileValue& NestEmitter::evaluate(const Value* value, const IndexMap& map) {
  const Key key{value, map};
  for (auto inner = scopes_.rbegin(); inner != scopes_.rend(); ++inner) {
    auto found = (*inner)->values.find(key);
    if (found != (*inner)->values.end()) return *found->second;
  }
  TileValue result;
  auto known = known_.find(key);
  if (known != known_.end() && level_of(value, map) >= vector_level_) {
    result.text = known->second ? "true" : "false";
    result.level = vector_level_;
  } else {
    result = evaluate_new(value, map);
  }
  result.kind = value->type.kind;
  result.pointee = value->type.pointee;
  auto& slot = scope(result.level).values[key];
  slot = std::make_unique<TileValue>(std::move(result));
  return *slot;
}

TileValue NestEmitter::evaluate_new(const Value* value, const IndexMap& map) {
  if (!value->type.is_tensor) return evaluate_scalar(value);
  if (is_in_buffer(value)) {
    const BufferView& view = kernel_.program().views.at(value);
    TILEWISE_ASSERT(!is_expression(value) || kernel_.is_written(*view.buffer),
                    "%" + value->name + " is read before it is materialized");
    // Element 0 stands for all along a dimension where they are the same, as level_of() has it.
    const uint32_t dependence = analysis_.dependence(value);
    IndexMap elements = map;
    for (size_t d = 0; d < elements.size(); ++d) {
      if (!(dependence >> d & 1)) elements[d] = -1;
    }
    return read_view(view, value->type.kind, elements);
  }
  TILEWISE_ASSERT(is_expression(value), "%" + value->name + " has no buffer");
  const Operation& op = *value->definition;
  switch (op.info->op_class) {
    case OpClass::constant:
      return evaluate_constant(op, map);
    case OpClass::range:
      return evaluate_range(op, map);
    case OpClass::load:
      return evaluate_load(op, map);
    case OpClass::shape:
      return evaluate(op.operand(0), operand_map(op, 0, map));
    default:
      if (op.is("tt.addptr")) return evaluate_offset(op, map);
      return evaluate_elementwise(op, value->index, map);
  }
}

TileValue NestEmitter::evaluate_scalar(const Value* value) {
  TileValue result;
  result.text = kernel_.scalar(value);
  return result;
}

TileValue NestEmitter::evaluate_constant(const Operation& op, const IndexMap& map) {
  TileValue result;
  const ScalarKind kind = op.result()->type.kind;
  auto element_text = [&](size_t i) {
    return is_float(kind) ? float_constant(constant_float(op, i), kind, 1)
                          : integer_constant(constant_integer(op, i), kind, 1);
  };
  if (op.is("ub.poison")) {
    result.text = kind == ScalarKind::pointer ? "null"
                  : is_float(kind)            ? float_constant(0, kind, 1)
                                              : integer_constant(0, kind, 1);
    return result;
  }
  if (constant_is_splat(op)) {
    result.text = element_text(0);
    return result;
  }
  const Type& type = op.result()->type;
  const std::string element = llvm_storage_type(kind, 1);
  std::string initializer = "[" + std::to_string(type.elements()) + " x " + element + "] [";
  for (int64_t i = 0; i < type.elements(); ++i) {
    std::string text = element_text(static_cast<size_t>(i));
    if (kind == ScalarKind::i1) text = text == "true" ? "1" : "0";
    initializer += (i ? ", " : "") + element + " " + text;
  }
  return read_elements(kernel_.module().global(initializer + "]"), kind, 0,
                       row_major_strides(type.shape), map);
}

TileValue NestEmitter::evaluate_range(const Operation& op, const IndexMap& map) {
  TileValue result;
  const std::string start = std::to_string(op.integer("start"));
  result.text = start;
  result.level = map[0] < 0 ? 0 : level_of_dim(map[0]);
  if (result.level == 0) return result;
  TextBuilder::Redirect redirect(b_, scope(result.level).text);
  const std::string index = dim_index(map[0]);
  const std::string narrow =
      is_constant_text(index) ? index : b_.assign("trunc nsw i64 " + index + " to i32");
  result.text = add_scalars("add", narrow, start, ScalarKind::i32);
  if (map[0] == vector_dim_ && lanes_ > 1) {
    result.form = TileValue::Form::affine;
    result.stride = "1";
  }
  return result;
}

std::string NestEmitter::add_scalars(const char* instruction, const std::string& a,
                                     const std::string& b, ScalarKind kind) {
  const std::string name = instruction;
  if (is_constant_text(a) && is_constant_text(b)) {
    const uint64_t x = static_cast<uint64_t>(std::stoll(a));
    const uint64_t y = static_cast<uint64_t>(std::stoll(b));
    const uint64_t value = name == "add" ? x + y : name == "sub" ? x - y : x * y;
    return integer_constant(static_cast<int64_t>(value), kind, 1);
  }
  if (b == "0" && name != "mul") return a;
  if (a == "0" && name == "add") return b;
  if (b == "1" && name == "mul") return a;
  if (a == "1" && name == "mul") return b;
  return b_.assign(name + " " + llvm_type(kind, 1) + " " + a + ", " + b);
}

std::string NestEmitter::extend_scalar(const std::string& text, ScalarKind from, ScalarKind to) {
  if (bit_width(from) == bit_width(to) || is_constant_text(text)) return text;
  const char* instruction = bit_width(to) > bit_width(from) ? "sext " : "trunc ";
  return b_.assign(instruction + llvm_type(from, 1) + " " + text + " to " + llvm_type(to, 1));
}

// Integers stay affine under additions, products with uniform factors and sign extension.
bool NestEmitter::evaluate_affine(const Operation& op, const std::vector<const TileValue*>& x,
                                  TileValue& out) {
  const ScalarKind kind = op.result()->type.kind;
  if (kind != ScalarKind::i32 && kind != ScalarKind::i64) return false;
  for (const TileValue* operand : x) {
    if (operand->form == TileValue::Form::vector) return false;
  }
  auto stride = [](const TileValue& value) {
    return value.form == TileValue::Form::affine ? value.stride : std::string("0");
  };
  out.form = TileValue::Form::affine;
  if (op.is("arith.addi") || op.is("arith.subi")) {
    const char* instruction = op.is("arith.addi") ? "add" : "sub";
    out.text = add_scalars(instruction, x[0]->text, x[1]->text, kind);
    out.stride = add_scalars(instruction, stride(*x[0]), stride(*x[1]), kind);
    return true;
  }
  if (op.is("arith.muli")) {
    const int factor = x[0]->form == TileValue::Form::uniform ? 0 : 1;
    if (x[factor]->form != TileValue::Form::uniform) return false;
    out.text = add_scalars("mul", x[0]->text, x[1]->text, kind);
    out.stride = add_scalars("mul", x[1 - factor]->stride, x[factor]->text, kind);
    return true;
  }
  const ScalarKind from = op.operand(0)->type.kind;
  if ((op.is("arith.extsi") || op.is("arith.trunci") || op.is("arith.index_cast")) &&
      (from == ScalarKind::i32 || from == ScalarKind::i64)) {
    out.text = extend_scalar(x[0]->text, from, kind);
    out.stride = extend_scalar(x[0]->stride, from, kind);
    return true;
  }
  return false;
}

TileValue NestEmitter::evaluate_elementwise(const Operation& op, int result, const IndexMap& map) {
  std::vector<const TileValue*> x;
  TileValue out;
  bool uniform = true;
  if (op.is("arith.select")) {
    // Where the condition is known, only one side is needed.
    const TileValue& condition = evaluate(op.operand(0), operand_map(op, 0, map));
    if (condition.is_true() || condition.is_false()) {
      const int side = condition.is_true() ? 1 : 2;
      out = evaluate(op.operand(side), operand_map(op, side, map));
      out.level = std::max(out.level, condition.level);
      return out;
    }
  }
  for (int i = 0; i < op.operand_count(); ++i) {
    x.push_back(&evaluate(op.operand(i), operand_map(op, i, map)));
    out.level = std::max(out.level, x.back()->level);
    uniform &= x.back()->form == TileValue::Form::uniform;
  }
  if (op.is("arith.andi") && op.result()->type.kind == ScalarKind::i1) {
    for (int i = 0; i < 2; ++i) {
      if (!x[i]->is_true() && !x[i]->is_false()) continue;
      const int level = out.level;
      out = x[i]->is_true() ? *x[1 - i] : *x[i];
      out.level = level;
      return out;
    }
  }
  TextBuilder::Redirect redirect(b_, scope(out.level).text);
  if (!uniform && evaluate_affine(op, x, out)) return out;
  std::vector<std::string> texts;
  for (const TileValue* operand : x) texts.push_back(uniform ? operand->text : as_vector(*operand));
  out.form = uniform ? TileValue::Form::uniform : TileValue::Form::vector;
  out.stride.clear();
  out.text = ops_.emit(op, texts, uniform ? 1 : lanes_)[static_cast<size_t>(result)];
  return out;
}

// tt.addptr. See Note [Address arithmetic does not wrap].
TileValue NestEmitter::evaluate_offset(const Operation& op, const IndexMap& map) {
  const TileValue& pointer = evaluate(op.operand(0), map);
  const TileValue& offset = evaluate(op.operand(1), map);
  const ScalarKind kind = op.operand(1)->type.kind;
  const std::string element = llvm_storage_type(op.result()->type.pointee, 1);
  TileValue out;
  out.level = std::max(pointer.level, offset.level);
  TextBuilder::Redirect redirect(b_, scope(out.level).text);
  if (pointer.form != TileValue::Form::vector && offset.form != TileValue::Form::vector) {
    out.text = offset.text == "0" ? pointer.text
                                  : b_.assign("getelementptr " + element + ", ptr " + pointer.text +
                                              ", " + llvm_type(kind, 1) + " " + offset.text);
    const bool a = pointer.form == TileValue::Form::affine;
    const bool b = offset.form == TileValue::Form::affine;
    if (!a && !b) return out;
    out.form = TileValue::Form::affine;
    const std::string step = b ? extend_scalar(offset.stride, kind, ScalarKind::i64) : "0";
    out.stride = add_scalars("add", a ? pointer.stride : "0", step, ScalarKind::i64);
    return out;
  }
  out.form = TileValue::Form::vector;
  const bool one_base = pointer.form == TileValue::Form::uniform;
  const std::string base_type = one_base ? "ptr" : llvm_type(ScalarKind::pointer, lanes_);
  const std::string base = one_base ? pointer.text : as_vector(pointer);
  out.text = b_.assign("getelementptr " + element + ", " + base_type + " " + base + ", " +
                       llvm_type(kind, lanes_) + " " + as_vector(offset));
  return out;
}

// The same value as a vector of all lanes, next to where it was computed.
const std::string& NestEmitter::as_vector(const TileValue& value) {
  if (value.form == TileValue::Form::vector) return value.text;
  if (!value.vector.empty()) return value.vector;
  TextBuilder::Redirect redirect(b_, scope(value.level).text);
  if (value.form == TileValue::Form::uniform) {
    return value.vector = ops_.splat(value.text, value.kind, lanes_);
  }
  if (value.kind == ScalarKind::pointer) {
    std::string steps = step_constant(ScalarKind::i64, lanes_);
    const std::string type = llvm_type(ScalarKind::i64, lanes_);
    if (value.stride != "1") {
      steps = b_.assign("mul " + type + " " + steps + ", " +
                        ops_.splat(value.stride, ScalarKind::i64, lanes_));
    }
    return value.vector = b_.assign("getelementptr " + llvm_storage_type(value.pointee, 1) +
                                    ", ptr " + value.text + ", " + type + " " + steps);
  }
  const std::string type = llvm_type(value.kind, lanes_);
  std::string steps = step_constant(value.kind, lanes_);
  if (value.stride != "1") {
    steps = b_.assign("mul " + type + " " + steps + ", " +
                      ops_.splat(value.stride, value.kind, lanes_));
  }
  const std::string first = ops_.splat(value.text, value.kind, lanes_);
  return value.vector = b_.assign("add " + type + " " + first + ", " + steps);
}

}  // namespace tilewise::compiler
