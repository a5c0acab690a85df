// SPDX-License-Identifier: Apache-2.0
#include "compiler/target.h"

#if defined(__riscv)
#include <sys/auxv.h>
#endif

namespace tilewise::compiler {
namespace {

constexpr const char* kX86 = "x86_64-unknown-linux-gnu";
constexpr const char* kAarch64 = "aarch64-unknown-linux-gnu";
constexpr const char* kRiscv64 = "riscv64-unknown-linux-gnu";

// x86-64-v4 is tuned by LLVM for 256-bit vectors, because the first AVX-512 chips lowered their
// clock for wider ones; those since Ice Lake and Zen 4 do not.
//
// Of one architecture the best stands first.
const Target kTargets[] = {
    {"x86-64-v4+avx512bf16", kX86, "x86-64-v4", "+avx512bf16,-prefer-256-bit", 64, 32, true, true},
    {"x86-64-v4", kX86, "x86-64-v4", "-prefer-256-bit", 64, 32, true, false},
    {"x86-64-v3", kX86, "x86-64-v3", "", 32, 16, true, false},
    {"x86-64-v2", kX86, "x86-64-v2", "", 16, 16, false, false},
    {"aarch64", kAarch64, "generic", "+neon", 16, 32, true, false},
    // RVA23's vector unit: LLVM maps fixed vectors onto registers of at least 128 bits.
    {"riscv64", kRiscv64, "generic-rv64", "+m,+a,+f,+d,+c,+v,+zvl128b", 16, 32, true, false},
    // RV64GC. Two lanes in 16 registers stand for the 32 scalar registers.
    {"riscv64-scalar", kRiscv64, "generic-rv64", "+m,+a,+f,+d,+c", 8, 16, true, false},
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

bool host_runs(const Target& target) {
#if defined(__x86_64__)
  if (target.triple != kX86) return false;
  __builtin_cpu_init();
  // Also checks, through xgetbv, that the operating system saves the wide registers.
  if (target.has_bf16_dot && !__builtin_cpu_supports("avx512bf16")) return false;
  if (target.cpu == "x86-64-v4") return __builtin_cpu_supports("x86-64-v4");
  if (target.cpu == "x86-64-v3") return __builtin_cpu_supports("x86-64-v3");
  return __builtin_cpu_supports("x86-64-v2");
#elif defined(__aarch64__)
  return target.triple == kAarch64;
#elif defined(__riscv) && __riscv_xlen == 64
  const bool has_vectors = getauxval(AT_HWCAP) >> ('V' - 'A') & 1;
  return target.triple == kRiscv64 && (has_vectors || target.name == "riscv64-scalar");
#else
#error "Tilewise has no CPU target for this architecture"
#endif
}

std::string host_target_name() {
  for (const Target& target : kTargets) {
    if (host_runs(target)) return target.name;
  }
  throw UnknownTarget("this machine runs none of the CPU targets (x86-64 needs SSE4.2)");
}

}  // namespace tilewise::compiler
