// SPDX-License-Identifier: Apache-2.0
// Facts about expressions that need no code: which of its dimensions a tensor depends on, and by
// how much it grows from one index to the next.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>

#include "compiler/tile_ir/nodes.h"

namespace tilewise::compiler {

class LaneAnalysis {
 public:
  explicit LaneAnalysis(const TileProgram& program) : program_(program) {}

  // Bit d is set if the elements along dimension d may differ.
  uint32_t dependence(const Value* value);

  // The constant difference of neighbors along dimension d, of integers and pointers (in elements);
  // nothing if it is not a constant.
  std::optional<int64_t> stride(const Value* value, int d);

 private:
  const TileProgram& program_;
  std::unordered_map<const Value*, uint32_t> dependences_;
};

}  // namespace tilewise::compiler
