// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/verifier.h"

#include <algorithm>

#include "compiler/ttir/op_table.h"
#include "compiler/ttir/rules.h"

namespace tilewise::compiler {
namespace {

[[noreturn]] void reject(const Operation& op, const std::string& reason) {
  throw CompileError(op.location, op.name + ": " + reason);
}

void require(bool condition, const Operation& op, const char* reason) {
  if (!condition) reject(op, reason);
}

// The words of MLIR's enumerations in the order of their numbers.
const std::vector<std::string> kIntegerPredicates = {"eq",  "ne",  "slt", "sle", "sgt",
                                                     "sge", "ult", "ule", "ugt", "uge"};
const std::vector<std::string> kFloatPredicates = {"false", "oeq", "ogt", "oge", "olt", "ole",
                                                   "one",   "ord", "ueq", "ugt", "uge", "ult",
                                                   "ule",   "une", "uno", "true"};
const std::vector<std::string> kAxes = {"x", "y", "z"};
const std::vector<std::string> kAtomics = {"",    "and", "or",   "xor",  "add", "fadd",
                                           "max", "min", "umax", "umin", "exch"};

void name_number(Operation& op, const char* key, const std::vector<std::string>& words) {
  auto found = op.attributes.find(key);
  if (found == op.attributes.end()) reject(op, std::string("the attribute ") + key + " is missing");
  Attribute& attribute = found->second;
  if (attribute.kind == Attribute::Kind::literal) {
    const int64_t number = op.integer(key);
    require(number >= 0 && number < static_cast<int64_t>(words.size()), op, "unknown attribute");
    attribute = {Attribute::Kind::word, words[number], {}, {}, ""};
  }
  require(std::find(words.begin(), words.end(), attribute.text) != words.end(), op,
          "unknown attribute");
}

bool same_shape(const Type& a, const Type& b) {
  return a.is_tensor == b.is_tensor && a.shape == b.shape;
}

void check_elementwise(const Operation& op) {
  const Type& result = op.result()->type;
  for (const Value* operand : op.operands) {
    // The condition of a select may be one scalar for whole tensors.
    if (op.is("arith.select") && operand == op.operand(0) && !operand->type.is_tensor) continue;
    require(same_shape(operand->type, result), op, "operands and result differ in shape");
  }
  const Type& first = op.operand(0)->type;
  const bool is_cast = op.is("arith.select") || op.is("tt.addptr") || op.operand_count() == 1 ||
                       op.is("tt.extern_elementwise");
  if (!is_cast) {
    for (const Value* operand : op.operands) {
      require(operand->type == first, op, "operands differ in type");
    }
  }
  if (op.is("arith.select")) {
    require(first.kind == ScalarKind::i1, op, "the condition is no i1");
    require(op.operand(1)->type == result && op.operand(2)->type == result, op,
            "operands and result differ in type");
  }
  if (op.is("tt.addptr")) {
    require(first.kind == ScalarKind::pointer && first == result, op, "needs a pointer");
    require(is_integer(op.operand(1)->type.kind), op, "the offset is no integer");
  }
}

void check_shape_op(const Operation& op) {
  const Type& from = op.operand(0)->type;
  const Type& to = op.result()->type;
  require(from.kind == to.kind && from.pointee == to.pointee, op, "changes the element type");
  if (op.is("tt.splat")) {
    require(!from.is_tensor && to.is_tensor, op, "needs a scalar");
  } else if (op.is("tt.unsplat")) {
    require(from.is_tensor && from.elements() == 1 && !to.is_tensor, op, "needs one element");
  } else if (op.is("tt.reshape")) {
    require(from.is_tensor && to.is_tensor && from.elements() == to.elements(), op,
            "changes the number of elements");
  } else if (op.is("tt.broadcast")) {
    require(from.rank() == to.rank(), op, "changes the rank");
    for (int d = 0; d < to.rank(); ++d) {
      require(from.shape[d] == to.shape[d] || from.shape[d] == 1, op, "shapes do not match");
    }
  } else if (op.is("tt.expand_dims")) {
    const int64_t axis = op.integer("axis");
    require(from.rank() + 1 == to.rank() && axis >= 0 && axis <= from.rank(), op, "wrong axis");
    std::vector<int64_t> shape = from.shape;
    shape.insert(shape.begin() + axis, 1);
    require(shape == to.shape, op, "shapes do not match");
  } else if (op.is("tt.trans")) {
    const Attribute* order = op.attribute("order");
    require(order && static_cast<int>(order->elements.size()) == from.rank() &&
                from.rank() == to.rank(),
            op, "needs an order of all dimensions");
    std::vector<bool> seen(from.rank());
    for (int d = 0; d < to.rank(); ++d) {
      const int source = std::atoi(order->elements[d].c_str());
      require(
          source >= 0 && source < from.rank() && !seen[source] && from.shape[source] == to.shape[d],
          op, "wrong order");
      seen[source] = true;
    }
  }
}

void check_memory(const Operation& op) {
  const Type& pointer = op.operand(0)->type;
  require(pointer.kind == ScalarKind::pointer, op, "needs a pointer");
  require(pointer.pointee != ScalarKind::pointer && pointer.pointee != ScalarKind::none, op,
          "the pointed-to type is not supported");
  for (int i = 1; i < op.operand_count(); ++i) {
    require(same_shape(op.operand(i)->type, pointer), op, "operands differ in shape");
  }
  const bool is_load = is_class(op, OpClass::load);
  const int mask = is_load ? 1 : 2;
  if (op.operand_count() > mask && !op.is("tt.atomic_cas")) {
    require(op.operand(mask)->type.kind == ScalarKind::i1, op, "the mask is no i1");
  }
  if (is_load) {
    require(op.result()->type.kind == pointer.pointee && same_shape(op.result()->type, pointer), op,
            "the result's type is not the pointed-to type");
  } else {
    require(op.operand(1)->type.kind == pointer.pointee, op,
            "the value's type is not the pointed-to type");
  }
}

void check_combine(const Operation& op) {
  require(op.regions.size() == 1 && op.regions[0].blocks.size() == 1, op, "needs one block");
  const Block& block = *op.regions[0].blocks[0];
  const size_t count = op.operands.size();
  require(op.results.size() == count && block.arguments.size() == 2 * count, op,
          "operands, results and arguments do not match");
  const Operation* last = block.terminator();
  require(last && (last->is("tt.reduce.return") || last->is("tt.scan.return")) &&
              last->operands.size() == count,
          op, "the combine region returns something else");
  const Type& first = op.operand(0)->type;
  const int64_t axis = op.integer("axis");
  require(first.is_tensor && axis >= 0 && axis < first.rank(), op, "wrong axis");
  for (size_t i = 0; i < count; ++i) {
    require(op.operands[i]->type.shape == first.shape, op, "operands differ in shape");
    require(op.operands[i]->type.kind == block.arguments[i]->type.kind &&
                block.arguments[i]->type.kind == block.arguments[count + i]->type.kind &&
                last->operands[i]->type.kind == block.arguments[i]->type.kind,
            op, "the combine region has other types");
  }
  for (const auto& inner : block.operations) {
    require(inner.get() == last || is_class(*inner, OpClass::elementwise) ||
                is_class(*inner, OpClass::constant),
            *inner, "is not supported in a combine region");
  }
}

void check_dot(const Operation& op) {
  const Type &a = op.operand(0)->type, &b = op.operand(1)->type, &c = op.operand(2)->type;
  require(a.rank() == b.rank() && b.rank() == c.rank() && (a.rank() == 2 || a.rank() == 3), op,
          "needs matrices");
  const int r = a.rank();
  require(a.shape[r - 1] == b.shape[r - 2] && c.shape[r - 2] == a.shape[r - 2] &&
              c.shape[r - 1] == b.shape[r - 1] && c == op.result()->type &&
              (r == 2 || (a.shape[0] == b.shape[0] && a.shape[0] == c.shape[0])),
          op, "shapes do not match");
}

void check_yield(const Operation& parent, const Block& block, size_t skip,
                 const std::vector<Type>& types) {
  const Operation* last = block.terminator();
  require(last && is_class(*last, OpClass::terminator), parent, "a region without an end");
  require(last->operands.size() == types.size() + skip, *last, "yields a wrong number of values");
  for (size_t i = 0; i < types.size(); ++i) {
    require(last->operands[skip + i]->type == types[i], *last, "yields another type");
  }
}

void check_control(const Operation& op) {
  std::vector<Type> results;
  for (const auto& result : op.results) results.push_back(result->type);
  for (const Region& region : op.regions) {
    require(region.blocks.size() == 1, op, "a region of several blocks");
  }
  if (op.is("scf.if")) {
    require(op.regions.size() == 1 || op.regions.size() == 2, op, "needs one or two regions");
    require(op.operand(0)->type.kind == ScalarKind::i1 && !op.operand(0)->type.is_tensor, op,
            "the condition is no i1");
    require(results.empty() || op.regions.size() == 2, op, "results need an else");
    for (const Region& region : op.regions) check_yield(op, *region.blocks[0], 0, results);
    return;
  }
  const int first = op.is("scf.for") ? 3 : 0;
  require(op.regions.size() == (op.is("scf.for") ? 1u : 2u), op, "a wrong number of regions");
  const Block& body = *op.regions[0].blocks[0];
  const size_t carried = op.operands.size() - first;
  std::vector<Type> types;
  for (size_t i = 0; i < carried; ++i) types.push_back(op.operands[first + i]->type);
  if (op.is("scf.for")) {
    require(is_integer(op.operand(0)->type.kind) && !op.operand(0)->type.is_tensor, op,
            "the bounds are no integers");
    require(body.arguments.size() == carried + 1 && results == types, op, "wrong arguments");
    for (size_t i = 0; i < carried; ++i) {
      require(body.arguments[i + 1]->type == types[i], op, "wrong arguments");
    }
    check_yield(op, body, 0, types);
    return;
  }
  const Block& after = *op.regions[1].blocks[0];
  require(body.arguments.size() == carried && after.arguments.size() == results.size(), op,
          "wrong arguments");
  require(body.terminator() && body.terminator()->is("scf.condition"), op, "has no condition");
  check_yield(op, body, 1, results);
  check_yield(op, after, 0, types);
}

void check_operation(Operation& op) {
  const OpInfo& info = *op.info;
  require(op.operand_count() >= info.min_operands &&
              (info.max_operands < 0 || op.operand_count() <= info.max_operands),
          op, "a wrong number of operands");
  require(info.results < 0 || static_cast<int>(op.results.size()) == info.results ||
              (info.op_class == OpClass::atomic && op.results.size() <= 1),
          op, "a wrong number of results");
  if (op.is("arith.cmpi")) name_number(op, "predicate", kIntegerPredicates);
  if (op.is("arith.cmpf")) name_number(op, "predicate", kFloatPredicates);
  if (info.op_class == OpClass::program) name_number(op, "axis", kAxes);
  if (op.is("tt.atomic_rmw")) name_number(op, "atomic_rmw_op", kAtomics);
  switch (info.op_class) {
    case OpClass::elementwise:
      return check_elementwise(op);
    case OpClass::shape:
      return check_shape_op(op);
    case OpClass::load:
    case OpClass::store:
    case OpClass::atomic:
      return check_memory(op);
    case OpClass::reduce:
    case OpClass::scan:
      return check_combine(op);
    case OpClass::dot:
      return check_dot(op);
    case OpClass::control:
      return check_control(op);
    case OpClass::range:
      require(op.result()->type.rank() == 1 &&
                  op.integer("end") - op.integer("start") == op.result()->type.elements(),
              op, "the range does not match the type");
      return;
    case OpClass::constant:
      if (op.is("arith.constant") && !constant_is_splat(op)) {
        require(op.attribute("value")->elements.size() ==
                    static_cast<size_t>(op.result()->type.elements()),
                op, "a wrong number of elements");
      }
      return;
    default:
      return;
  }
}

std::string reason_against(const std::string& name) {
  if (name == "tt.elementwise_inline_asm") {
    return "inline assembly is written for one GPU; express it by operations of triton.language";
  }
  if (name.starts_with("ttg.") || name.starts_with("ttng.") || name.starts_with("nvgpu.") ||
      name.starts_with("amdg.")) {
    return "an operation of a GPU dialect; compile the kernel's own Triton IR for the CPU";
  }
  return "this operation is not known; Tilewise reads the IR of Triton 3.6";
}

void verify_block(Block& block) {
  for (auto& op : block.operations) {
    op->info = find_op(op->name);
    if (!op->info) reject(*op, reason_against(op->name));
    for (Region& region : op->regions) {
      for (auto& inner : region.blocks) verify_block(*inner);
    }
    check_operation(*op);
    check_element_kinds(*op);
  }
}

}  // namespace

void verify_and_normalize(Module& module) {
  for (auto& function : module.functions) {
    if (!function->is_public) continue;
    for (auto& block : function->body.blocks) {
      verify_block(*block);
      if (!block->terminator() || !is_class(*block->terminator(), OpClass::terminator)) {
        throw CompileError(function->location, "a block without an end");
      }
    }
    check_blocks(function->body, nullptr);
  }
}

}  // namespace tilewise::compiler
