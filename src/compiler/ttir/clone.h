// SPDX-License-Identifier: Apache-2.0
// Copies of Triton IR.
#pragma once

#include <unordered_map>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

// What stands for each value in the copy. Values that are not in the map stand for themselves.
using ValueMap = std::unordered_map<const Value*, Value*>;

// Copies the operations of `from`, behind those of `to`. Adds their results to `map`.
void clone_operations(const Block& from, Block& to, ValueMap& map);

// Copies all blocks of `from`, with their arguments, into an empty region.
void clone_region(const Region& from, Region& to, Operation* parent, ValueMap& map);

}  // namespace tilewise::compiler
