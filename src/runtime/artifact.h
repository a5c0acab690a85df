// SPDX-License-Identifier: Apache-2.0
// What a compiler returns for a request: the binary and what a launch needs to know about it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tilewise::runtime {

enum class PayloadKind : uint32_t { none, elf_object, cubin, hsaco };

struct Artifact {
  PayloadKind kind = PayloadKind::none;
  std::string payload;
  std::string entry;                  // Exported function.
  int32_t num_warps = 0;              // GPUs: threads of a block = num_warps * warp_size.
  int64_t shared_bytes = 0;           // GPUs: dynamic shared memory.
  int64_t scratch_bytes = 0;          // CPU: per thread, 64-byte aligned.
  int64_t global_scratch_bytes = 0;   // GPUs: Triton's two trailing pointers; a kernel that needs
  int64_t profile_scratch_bytes = 0;  // them is refused when it is loaded.
  double frontend_seconds = 0;        // Python to Triton IR.
  double lowering_seconds = 0;        // Triton IR to LLVM IR (or to PTX).
  double assemble_seconds = 0;        // LLVM or ptxas.

  double compile_seconds() const { return frontend_seconds + lowering_seconds + assemble_seconds; }
};

// The metadata (all but the payload) as `key=value` lines, and back. Unknown keys are ignored;
// false if a known value is malformed or the entry is missing.
std::string metadata_text(const Artifact& artifact);
bool parse_metadata(std::string_view text, Artifact& artifact);

}  // namespace tilewise::runtime
