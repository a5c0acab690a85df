// SPDX-License-Identifier: Apache-2.0
// How an operation's lanes follow from its operands' lanes, and which tensors are expressions.
#pragma once

#include <vector>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

// For every dimension of a tensor, the dimension of the loop nest that indexes it; -1: index 0.
using IndexMap = std::vector<int>;

IndexMap identity_map(const std::vector<int64_t>& shape);

// The map of operand `i` of `op`, given the map of its result. For operations that are expressions.
IndexMap operand_map(const Operation& op, int i, const IndexMap& result);

// A reshape that only inserts or removes dimensions of extent 1.
bool is_trivial_reshape(const Operation& op);

// True if nests evaluate this tensor operation lane by lane: no effect, no scratch memory.
bool is_expression(const Operation& op);

// The same of the operation that defines a value.
inline bool is_expression(const Value* value) {
  return value->type.is_tensor && value->definition && is_expression(*value->definition);
}

}  // namespace tilewise::compiler
