// SPDX-License-Identifier: Apache-2.0
#include "compiler/llvm/reduction_identity.h"

#include <cmath>

#include "compiler/llvm/text_builder.h"

namespace tilewise::compiler {
namespace {

// The operation of a region that returns op(left, right), else null.
const Operation* single_operation(const Operation& reduce) {
  const Block& block = *reduce.regions[0].blocks[0];
  if (block.operations.size() != 2 || block.arguments.size() != 2) return nullptr;
  const Operation* op = block.operations[0].get();
  if (op->operand_count() != 2 || block.terminator()->operand(0) != op->result()) return nullptr;
  const Value* left = block.arguments[0].get();
  const Value* right = block.arguments[1].get();
  const bool straight = op->operand(0) == left && op->operand(1) == right;
  const bool crossed = op->operand(0) == right && op->operand(1) == left;
  return straight || crossed ? op : nullptr;
}

}  // namespace

ReductionKind reduction_kind(const Operation& reduce) {
  const Operation* op = single_operation(reduce);
  if (!op) return ReductionKind::other;
  if (op->is("arith.addf") || op->is("arith.addi") || op->is("arith.xori")) {
    return ReductionKind::sum;
  }
  if (op->is("arith.mulf") || op->is("arith.muli")) return ReductionKind::product;
  if (op->name.starts_with("arith.max") || op->name.starts_with("arith.min") ||
      op->is("arith.andi") || op->is("arith.ori")) {
    return ReductionKind::extremum;
  }
  return ReductionKind::other;
}

std::optional<std::string> reduction_identity(const Operation& reduce, int lanes) {
  const Operation* op = single_operation(reduce);
  if (!op) return std::nullopt;
  const ScalarKind kind = op->result()->type.kind;
  const int width = bit_width(kind);
  const int64_t lowest = INT64_MIN >> (64 - width);
  auto integer = [&](int64_t value) { return integer_constant(value, kind, lanes); };
  auto number = [&](double value) { return float_constant(value, kind, lanes); };
  // 0 + -0 is 0, but -0 + x is x for all x.
  if (op->is("arith.addf")) return number(-0.0);
  if (op->is("arith.mulf")) return number(1);
  if (op->is("arith.maxnumf") || op->is("arith.minnumf")) return number(NAN);
  if (op->is("arith.maximumf")) return number(-INFINITY);
  if (op->is("arith.minimumf")) return number(INFINITY);
  if (op->is("arith.addi") || op->is("arith.ori") || op->is("arith.xori") ||
      op->is("arith.maxui")) {
    return integer(0);
  }
  if (op->is("arith.muli")) return integer(1);
  if (op->is("arith.andi") || op->is("arith.minui")) return integer(-1);
  if (op->is("arith.maxsi")) return integer(lowest);
  if (op->is("arith.minsi")) return integer(~lowest);
  return std::nullopt;
}

}  // namespace tilewise::compiler
