// SPDX-License-Identifier: Apache-2.0
#include "compiler/target.h"

namespace tilewise::compiler {
namespace {

constexpr const char* kX86 = "x86_64-unknown-linux-gnu";

// x86-64-v4 is tuned by LLVM for 256-bit vectors, because the first AVX-512 chips lowered their
// clock for wider ones; those since Ice Lake and Zen 4 do not.
const Target kTargets[] = {
    {"x86-64-v4+avx512bf16", kX86, "x86-64-v4", "+avx512bf16,-prefer-256-bit", 64, 32, true, true},
    {"x86-64-v4", kX86, "x86-64-v4", "-prefer-256-bit", 64, 32, true, false},
    {"x86-64-v3", kX86, "x86-64-v3", "", 32, 16, true, false},
    {"x86-64-v2", kX86, "x86-64-v2", "", 16, 16, false, false},
    {"aarch64", "aarch64-unknown-linux-gnu", "generic", "+neon", 16, 32, true, false},
    // RVA23's vector unit: LLVM maps fixed vectors onto registers of at least 128 bits.
    {"riscv64", "riscv64-unknown-linux-gnu", "generic-rv64", "+m,+a,+f,+d,+c,+v,+zvl128b", 16, 32,
     true, false},
};

}  // namespace

Target target_from_name(std::string_view name) {
  for (const Target& target : kTargets) {
    if (target.name == name) return target;
  }
  std::string known;
  for (const Target& target : kTargets) known += (known.empty() ? "" : ", ") + target.name;
  throw UnknownTarget("unknown CPU target \"" + std::string(name) + "\"; known: " + known);
}

std::string host_target_name() {
#if defined(__x86_64__)
  __builtin_cpu_init();
  // Also checks, through xgetbv, that the operating system saves the wide registers.
  if (__builtin_cpu_supports("x86-64-v4")) {
    return __builtin_cpu_supports("avx512bf16") ? "x86-64-v4+avx512bf16" : "x86-64-v4";
  }
  if (__builtin_cpu_supports("x86-64-v3")) return "x86-64-v3";
  return "x86-64-v2";
#elif defined(__aarch64__)
  return "aarch64";
#elif defined(__riscv) && __riscv_xlen == 64
  return "riscv64";
#else
#error "Tilewise has no CPU target for this architecture"
#endif
}

}  // namespace tilewise::compiler
