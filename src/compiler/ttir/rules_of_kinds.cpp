// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <string_view>
#include <unordered_map>

#include "compiler/ttir/op_table.h"
#include "compiler/ttir/rules.h"

namespace tilewise::compiler {
namespace {

void require(bool condition, const Operation& op, const char* reason) {
  if (!condition) throw CompileError(op.location, op.name + ": " + reason);
}

enum class Kinds : uint8_t { floats, integers, numbers, pointers, i64 };

bool belongs(ScalarKind kind, Kinds kinds) {
  switch (kinds) {
    case Kinds::floats:
      return is_float(kind);
    case Kinds::integers:
      return is_integer(kind);
    case Kinds::numbers:
      return is_float(kind) || is_integer(kind);
    case Kinds::pointers:
      return kind == ScalarKind::pointer;
    case Kinds::i64:
      return kind == ScalarKind::i64;
  }
  return false;
}

enum class Width : uint8_t { any, wider, narrower, equal };

struct Cast {
  std::string_view name;
  Kinds from, to;
  Width width;
};

constexpr Cast kCasts[] = {
    // keep-sorted
    {"arith.bitcast", Kinds::numbers, Kinds::numbers, Width::equal},
    {"arith.extf", Kinds::floats, Kinds::floats, Width::wider},
    {"arith.extsi", Kinds::integers, Kinds::integers, Width::wider},
    {"arith.extui", Kinds::integers, Kinds::integers, Width::wider},
    {"arith.fptosi", Kinds::floats, Kinds::integers, Width::any},
    {"arith.fptoui", Kinds::floats, Kinds::integers, Width::any},
    {"arith.index_cast", Kinds::integers, Kinds::integers, Width::any},
    {"arith.sitofp", Kinds::integers, Kinds::floats, Width::any},
    {"arith.truncf", Kinds::floats, Kinds::floats, Width::narrower},
    {"arith.trunci", Kinds::integers, Kinds::integers, Width::narrower},
    {"arith.uitofp", Kinds::integers, Kinds::floats, Width::any},
    {"tt.fp_to_fp", Kinds::floats, Kinds::floats, Width::any},
    {"tt.int_to_ptr", Kinds::i64, Kinds::pointers, Width::any},
    {"tt.ptr_to_int", Kinds::pointers, Kinds::i64, Width::any},
};

bool check_cast(const Operation& op) {
  const ScalarKind from = op.operand(0)->type.kind;
  const ScalarKind to = op.result()->type.kind;
  if (op.is("tt.bitcast")) {
    const bool pointers = from == ScalarKind::pointer && to == ScalarKind::pointer;
    const bool numbers = belongs(from, Kinds::numbers) && belongs(to, Kinds::numbers);
    require(pointers || (numbers && bit_width(from) == bit_width(to)), op, "changes the width");
    return true;
  }
  for (const Cast& cast : kCasts) {
    if (!op.is(cast.name)) continue;
    require(belongs(from, cast.from) && belongs(to, cast.to), op, "converts another kind");
    if (cast.width == Width::any) return true;
    const int growth = bit_width(to) - bit_width(from);
    const bool right = cast.width == Width::wider      ? growth > 0
                       : cast.width == Width::narrower ? growth < 0
                                                       : growth == 0;
    require(right, op, "converts to a wrong width");
    return true;
  }
  return false;
}

// Of what kind the operands of an operation of numbers are, by its name: addf, addi, divsi, divui.
Kinds operand_kinds(std::string_view name) {
  constexpr std::array<std::string_view, 7> kIntegers = {
      "math.absi",           "math.ctlz",  "math.ctpop",
      "math.cttz",           "tt.mulhiui", "arith.mulsi_extended",
      "arith.mului_extended"};
  for (const std::string_view integer : kIntegers) {
    if (name == integer) return Kinds::integers;
  }
  return name.starts_with("arith.") && name.ends_with("i") ? Kinds::integers : Kinds::floats;
}

void check_elementwise_kinds(const Operation& op) {
  const ScalarKind result = op.result()->type.kind;
  if (op.is("tt.addptr") || op.is("arith.select") || op.is("tt.extern_elementwise")) return;
  if (check_cast(op)) return;
  const bool compares = op.is("arith.cmpi") || op.is("arith.cmpf");
  const ScalarKind operand = op.operand(0)->type.kind;
  require(belongs(operand, operand_kinds(op.name)), op, "operands of a wrong kind");
  require(result == (compares ? ScalarKind::i1 : operand), op, "a result of a wrong kind");
}

void check_reduced_shapes(const Operation& op) {
  for (size_t i = 0; i < op.results.size(); ++i) {
    Type expected = op.operands[i]->type;
    if (is_class(op, OpClass::reduce)) {
      expected.shape.erase(expected.shape.begin() + op.integer("axis"));
      expected.is_tensor = !expected.shape.empty();
    }
    require(op.results[i]->type == expected, op, "the result does not match the operand");
  }
}

void check_regrouping(const Operation& op) {
  const Type& first = op.operand(0)->type;
  Type expected = first;
  require(first.is_tensor, op, "needs a tensor");
  if (op.is("tt.join") || op.is("tt.cat")) {
    require(op.operand(1)->type == first, op, "operands differ in type");
    require(op.is("tt.join") || first.rank() == 1, op, "needs one dimension");
    if (op.is("tt.join")) {
      expected.shape.push_back(2);
    } else {
      expected.shape[0] *= 2;
    }
  } else if (op.is("tt.split")) {
    require(first.shape.back() == 2, op, "the last dimension is not 2");
    expected.shape.pop_back();
    expected.is_tensor = !expected.shape.empty();
  } else if (op.is("tt.gather")) {
    const Type& index = op.operand(1)->type;
    const int64_t axis = op.integer("axis");
    require(is_integer(index.kind) && index.rank() == first.rank(), op, "a wrong index");
    require(axis >= 0 && axis < first.rank(), op, "wrong axis");
    for (int d = 0; d < first.rank(); ++d) {
      require(d == axis || index.shape[d] == first.shape[d], op, "shapes do not match");
    }
    expected.shape = index.shape;
  } else {
    return;
  }
  for (const auto& result : op.results) {
    require(result->type == expected, op, "the result does not match the operands");
  }
}

}  // namespace

void check_element_kinds(const Operation& op) {
  switch (op.info->op_class) {
    case OpClass::elementwise:
      return check_elementwise_kinds(op);
    case OpClass::reduce:
    case OpClass::scan:
      return check_reduced_shapes(op);
    case OpClass::regroup:
      return check_regrouping(op);
    case OpClass::range:
      return require(op.result()->type.kind == ScalarKind::i32, op, "the result is no i32");
    case OpClass::program:
      return require(op.result()->type == Type{ScalarKind::i32, ScalarKind::none, false, {}}, op,
                     "the result is no i32");
    case OpClass::load:
      return require(op.operand_count() < 3 || op.operand(2)->type == op.result()->type, op,
                     "the other values are of another type");
    case OpClass::atomic:
      return require(op.results.empty() || op.result()->type == op.operand(1)->type, op,
                     "the result is of another type than the value");
    case OpClass::constant:
      return require(op.is("ub.poison") || belongs(op.result()->type.kind, Kinds::numbers), op,
                     "a constant of a wrong kind");
    case OpClass::control:
      if (op.is("scf.for")) {
        const Type& bound = op.operand(0)->type;
        require(op.operand(1)->type == bound && op.operand(2)->type == bound &&
                    op.regions[0].blocks[0]->arguments[0]->type == bound,
                op, "the bounds differ in type");
      }
      return;
    case OpClass::effect:
      return require(!op.is("tt.assert") || op.operand(0)->type.kind == ScalarKind::i1, op,
                     "the condition is no i1");
    default:
      return;
  }
}

}  // namespace tilewise::compiler
