// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/verifier.h"

#include <algorithm>

#include "compiler/ttir/op_table.h"
#include "compiler/ttir/rules.h"
#include "compiler/ttir/verifier_checks.h"

namespace tilewise::compiler {
namespace {

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
    case OpClass::map:
      return check_map(op);
    case OpClass::regroup:
      return check_regroup(op);
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
  if (name == "tt.dot_scaled") {
    return "products of scaled tiles (tl.dot_scaled) are not supported on the CPU; scale the "
           "operands and use tl.dot";
  }
  if (name.starts_with("ttg.") || name.starts_with("ttng.") || name.starts_with("nvgpu.") ||
      name.starts_with("amdg.")) {
    return "an operation of a GPU dialect; compile the kernel's own Triton IR for the CPU";
  }
  return "this operation is not known; Tilewise reads the IR of Triton 3.6";
}

class Verifier {
 public:
  explicit Verifier(const Module& module) : module_(module) {}

  void check_function(Function& function) {
    for (auto& block : function.body.blocks) {
      check_block(*block);
      const Operation* last = block->terminator();
      if (!last || !is_class(*last, OpClass::terminator)) {
        throw CompileError(function.location, "a block without an end");
      }
      if (!last->is("tt.return")) continue;
      require(last->operands.size() == function.results.size(), *last,
              "returns a wrong number of values");
      for (size_t i = 0; i < function.results.size(); ++i) {
        require(last->operands[i]->type == function.results[i], *last, "returns another type");
      }
    }
  }

 private:
  void check_block(Block& block) {
    for (auto& op : block.operations) {
      op->info = find_op(op->name);
      if (!op->info || op->name.starts_with("tilewise.")) reject(*op, reason_against(op->name));
      for (Region& region : op->regions) {
        for (auto& inner : region.blocks) check_block(*inner);
      }
      if (op->is("tt.call")) check_call(*op, module_);
      check_operation(*op);
      check_element_kinds(*op);
    }
  }

  const Module& module_;
};

}  // namespace

void verify_and_normalize(Module& module) {
  for (auto& function : module.functions) {
    Verifier(module).check_function(*function);
    check_blocks(function->body, nullptr);
  }
}

}  // namespace tilewise::compiler
