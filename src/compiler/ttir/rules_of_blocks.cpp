// SPDX-License-Identifier: Apache-2.0
#include "compiler/ttir/op_table.h"
#include "compiler/ttir/rules.h"

namespace tilewise::compiler {
namespace {

void require(bool condition, const Operation& op, const char* reason) {
  if (!condition) throw CompileError(op.location, op.name + ": " + reason);
}

bool is_bool(const Type& type) { return type == Type{ScalarKind::i1, ScalarKind::none, false, {}}; }

// Which blocks an operation may end.
bool may_end(const Operation& last, const Operation* parent, size_t region) {
  const bool is_loop_or_if = parent && parent->name.starts_with("scf.");
  if (!is_loop_or_if && (last.is("cf.br") || last.is("cf.cond_br"))) return true;
  if (parent == nullptr) return last.is("tt.return");
  if (parent->is("tt.reduce")) return last.is("tt.reduce.return");
  if (parent->is("tt.scan")) return last.is("tt.scan.return");
  if (parent->is("tt.map_elementwise")) return last.is("tt.map_elementwise.return");
  if (parent->is("scf.while") && region == 0) return last.is("scf.condition");
  return last.is("scf.yield");
}

void check_branch(const Operation& op) {
  const size_t targets = op.is("cf.br") ? 1 : 2;
  require(op.successors.size() == targets && op.successor_operands.size() == targets, op,
          "a wrong number of blocks");
  const bool is_conditional = targets == 2;
  require(!is_conditional || is_bool(op.operand(0)->type), op, "the condition is no i1");
  size_t next = is_conditional ? 1 : 0;
  for (size_t i = 0; i < targets; ++i) {
    const auto& arguments = op.successors[i]->arguments;
    require(op.successor_operands[i] == static_cast<int>(arguments.size()) &&
                next + arguments.size() <= op.operands.size(),
            op, "passes a wrong number of values");
    for (const auto& argument : arguments) {
      require(op.operands[next++]->type == argument->type, op, "passes another type");
    }
  }
  require(next == op.operands.size(), op, "passes a wrong number of values");
}

}  // namespace

void check_blocks(const Region& region, const Operation* parent) {
  for (const auto& block : region.blocks) {
    for (const auto& op : block->operations) {
      const bool is_last = op.get() == block->terminator();
      require(is_last == is_class(*op, OpClass::terminator), *op,
              is_last ? "ends a block" : "stands inside of a block");
      if (!is_last) {
        for (const Region& inner : op->regions) check_blocks(inner, op.get());
        continue;
      }
      const size_t index = parent == nullptr ? 0 : &region - parent->regions.data();
      require(may_end(*op, parent, index), *op, "ends a block that it does not belong to");
      if (op->is("cf.br") || op->is("cf.cond_br")) check_branch(*op);
      if (op->is("scf.condition")) {
        require(is_bool(op->operand(0)->type), *op, "the condition is no i1");
      }
    }
  }
}

}  // namespace tilewise::compiler
