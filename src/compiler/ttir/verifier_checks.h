// SPDX-License-Identifier: Apache-2.0
// The rules of single operations behind verifier.h. Each throws CompileError at the operation.
#pragma once

#include <string>

#include "compiler/ttir/ir.h"

namespace tilewise::compiler {

[[noreturn]] inline void reject(const Operation& op, const std::string& reason) {
  throw CompileError(op.location, op.name + ": " + reason);
}

inline void require(bool condition, const Operation& op, const char* reason) {
  if (!condition) reject(op, reason);
}

// check_operations.cpp
void check_elementwise(const Operation& op);
void check_shape_op(const Operation& op);
void check_memory(const Operation& op);
void check_regroup(const Operation& op);
void check_dot(const Operation& op);

// check_regions.cpp
void check_combine(const Operation& op);
void check_map(const Operation& op);
void check_control(const Operation& op);
void check_call(const Operation& op, const Module& module);

}  // namespace tilewise::compiler
