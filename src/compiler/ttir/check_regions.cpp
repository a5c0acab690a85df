// SPDX-License-Identifier: Apache-2.0
// Rules of operations with regions, and of calls.
#include <vector>

#include "compiler/ttir/op_table.h"
#include "compiler/ttir/verifier_checks.h"

namespace tilewise::compiler {
namespace {

void check_yield(const Operation& parent, const Block& block, size_t skip,
                 const std::vector<Type>& types) {
  const Operation* last = block.terminator();
  require(last && (last->is("scf.yield") || last->is("scf.condition")), parent,
          "a region without an end");
  require(last->operands.size() == types.size() + skip, *last, "yields a wrong number of values");
  for (size_t i = 0; i < types.size(); ++i) {
    require(last->operands[skip + i]->type == types[i], *last, "yields another type");
  }
}

}  // namespace

void check_combine(const Operation& op) {
  require(op.regions.size() == 1 && !op.regions[0].blocks.empty(), op, "has no combine region");
  const Block& entry = *op.regions[0].blocks[0];
  const size_t count = op.operands.size();
  require(op.results.size() == count && entry.arguments.size() == 2 * count, op,
          "operands, results and arguments do not match");
  const Type& first = op.operand(0)->type;
  const int64_t axis = op.integer("axis");
  require(first.is_tensor && axis >= 0 && axis < first.rank(), op, "wrong axis");
  for (size_t i = 0; i < count; ++i) {
    const Type element = op.operands[i]->type.scalar();
    require(op.operands[i]->type.shape == first.shape, op, "operands differ in shape");
    require(entry.arguments[i]->type == element && entry.arguments[count + i]->type == element, op,
            "the combine region has other types");
  }
  for (const auto& block : op.regions[0].blocks) {
    const Operation* last = block->terminator();
    require(last && is_class(*last, OpClass::terminator), op, "a block without an end");
    if (!last->successors.empty()) continue;
    require((last->is("tt.reduce.return") || last->is("tt.scan.return")) &&
                last->operands.size() == count,
            op, "the combine region returns something else");
    for (size_t i = 0; i < count; ++i) {
      require(last->operands[i]->type == op.operands[i]->type.scalar(), op,
              "the combine region has other types");
    }
  }
}

void check_map(const Operation& op) {
  require(op.regions.size() == 1 && !op.regions[0].blocks.empty(), op, "has no region");
  const Type& first = op.operand(0)->type;
  const int64_t pack = op.integer("pack");
  for (const Value* operand : op.operands) {
    require(operand->type.is_tensor && operand->type.shape == first.shape, op,
            "operands differ in shape");
  }
  for (const auto& result : op.results) {
    require(result->type.is_tensor && result->type.shape == first.shape, op,
            "operands and results differ in shape");
  }
  const auto& arguments = op.regions[0].blocks[0]->arguments;
  require(pack >= 1 && pack <= 64 && arguments.size() == op.operands.size() * pack, op,
          "operands and arguments do not match");
  for (size_t i = 0; i < arguments.size(); ++i) {
    require(arguments[i]->type == op.operands[i / pack]->type.scalar(), op,
            "the region has other types");
  }
  for (const auto& block : op.regions[0].blocks) {
    const Operation* last = block->terminator();
    require(last && is_class(*last, OpClass::terminator), op, "a block without an end");
    if (!last->successors.empty()) continue;
    require(
        last->is("tt.map_elementwise.return") && last->operands.size() == op.results.size() * pack,
        op, "the region returns something else");
    for (size_t i = 0; i < last->operands.size(); ++i) {
      require(last->operands[i]->type == op.results[i / pack]->type.scalar(), op,
              "the region has other types");
    }
  }
}

void check_control(const Operation& op) {
  if (op.is("tt.call")) return;
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

void check_call(const Operation& op, const Module& module) {
  const Function* callee = module.find(op.word("callee"));
  require(callee && !callee->is_public, op, "calls a function that is not there");
  require(op.regions.empty() && op.operands.size() == callee->arguments().size() &&
              op.results.size() == callee->results.size(),
          op, "does not match its function");
  for (size_t i = 0; i < op.operands.size(); ++i) {
    require(op.operands[i]->type == callee->arguments()[i]->type, op,
            "does not match its function");
  }
  for (size_t i = 0; i < op.results.size(); ++i) {
    require(op.results[i]->type == callee->results[i], op, "does not match its function");
  }
}

}  // namespace tilewise::compiler
