// SPDX-License-Identifier: Apache-2.0
// What is known about a combine region that is a single operation, like that of tl.sum or tl.max.
#pragma once

#include <optional>
#include <string>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

enum class ReductionKind : uint8_t {
  sum,       // Also xor: combining with 0 changes nothing.
  product,   // Combining with 1 changes nothing.
  extremum,  // Combining twice with the same is the same as once: min, max, and, or.
  other,
};

ReductionKind reduction_kind(const Operation& reduce);

// The LLVM constant e with combine(e, x) = x for all x, bit for bit; nothing if there is none.
std::optional<std::string> reduction_identity(const Operation& reduce, int lanes);

}  // namespace tilewise::compiler
