// SPDX-License-Identifier: Apache-2.0
// The machines that the CPU compiler writes code for. A target is a name ("x86-64-v4+avx512bf16");
// everything else follows from it, so that the name alone can stand in a cache key.
//
//   const Target target = target_from_name(host_target_name());
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>

namespace tilewise::compiler {

struct Target {
  std::string name;      // As given to target_from_name.
  std::string triple;    // LLVM triple.
  std::string cpu;       // LLVM cpu name.
  std::string features;  // LLVM feature string: comma-separated "+feature" and "-feature".
  int vector_bytes;      // Size of one vector register; RVV counts as its guaranteed minimum.
  int vector_registers;  // Architectural vector registers.
  bool has_fma;          // llvm.fma is one instruction; without it, it would be a call of libm.
  bool has_bf16_dot;     // llvm.x86.avx512bf16.dpbf16ps.* are instructions.

  // vscalefps and vscalefpd: y * 2^n.
  bool has_scalef() const { return vector_bytes == 64; }

  // Stores under a mask may narrow their lanes; see Note [Narrowed lanes under a mask] in
  // llvm/memory_ops.cpp.
  bool has_narrowing_stores() const { return vector_bytes == 64; }

  // One instruction picks 16-bit lanes out of two vector registers.
  bool has_word_shuffles() const { return vector_bytes == 64; }

  int vector_lanes(int element_bytes) const { return vector_bytes / element_bytes; }
};

// No such target; the message names those that there are.
class UnknownTarget : public std::invalid_argument {
 public:
  using std::invalid_argument::invalid_argument;
};

// "x86-64-v4+avx512bf16", "x86-64-v4", "x86-64-v3", "x86-64-v2", "aarch64", "riscv64",
// "riscv64-scalar".
Target target_from_name(std::string_view name);

// This machine has all of the target's instructions.
bool host_runs(const Target& target);

// The best of these targets that this machine runs; throws UnknownTarget if there is none.
std::string host_target_name();

}  // namespace tilewise::compiler
