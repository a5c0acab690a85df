// SPDX-License-Identifier: Apache-2.0
// The operations that the compiler understands: one row each, with what every stage needs to know
// about it. An operation that has no row is rejected with its source line.
#pragma once

#include <string_view>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

enum class OpClass : uint8_t {
  elementwise,  // Lane by lane, all operands and results of one shape; no effect.
  constant,     // arith.constant
  program,      // tt.get_program_id, tt.get_num_programs
  shape,        // Renames lanes: splat, expand_dims, broadcast, trans, reshape; no effect.
  range,        // tt.make_range
  regroup,      // join, split, cat, gather, histogram: through memory; no effect.
  load,         // Reads memory.
  store,        // Writes memory.
  atomic,       // Reads and writes memory.
  reduce,       // tt.reduce and tt.scan, with a combine region.
  scan,
  dot,
  map,      // tt.map_elementwise: a region of scalars for every lane; gone after outline_regions.
  control,  // Holds regions that run zero or more times.
  terminator,
  effect,  // tt.assert, tt.print: ordered, touches no tensor memory.
};

struct OpInfo {
  std::string_view name;
  OpClass op_class;
  int min_operands;
  int max_operands;  // -1: any number.
  int results;       // -1: any number.
  // Relative cost of evaluating one lane again, an addition being 1.
  int cost;
};

// Null if the operation is unknown.
const OpInfo* find_op(std::string_view name);

inline bool is_class(const Operation& op, OpClass op_class) {
  return op.info && op.info->op_class == op_class;
}

}  // namespace tilewise::compiler
