// SPDX-License-Identifier: Apache-2.0
// The CPU compiler: Triton IR text in, LLVM IR text out. Pure functions; no LLVM library, no ATen.
//
//   CompiledKernel kernel = compile(ttir, target_from_name(host_target_name()), "softmax");
//
// llvm_ir exports `entry` with the CPU kernel ABI:
//   void entry(const uint64_t* args, const int32_t* grid, int64_t first, int64_t last, char*
//   scratch)
// docs/cpu-compiler.md follows one kernel through the stages.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/compile_error.h"
#include "compiler/target.h"

namespace tilewise::compiler {

struct CompiledKernel {
  std::string llvm_ir;
  std::string entry;
  int64_t scratch_bytes = 0;
};

// Throws CompileError for what is malformed or not supported.
CompiledKernel compile(std::string_view ttir, const Target& target, std::string_view kernel_name);

// The text after a stage: "ttir" (parsed and verified), "prepared" (after the passes on
// Triton IR), "tile", "llvm".
std::string dump_stage(std::string_view ttir, const Target& target, std::string_view stage);

}  // namespace tilewise::compiler
