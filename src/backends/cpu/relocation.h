// SPDX-License-Identifier: Apache-2.0
// The relocations of x86-64, aarch64 and riscv64 as a table: what a type refers to, and how the
// result is written into the code. Pure functions on bytes, so that each architecture is tested on
// any other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace tilewise::backends {

// What the S of "S + A" is.
enum class RelocationTarget : uint8_t {
  symbol,    // Its address.
  callable,  // Its address, or that of a stub which jumps there when it is out of reach.
  got_slot,  // The address of a word that holds the symbol's address.
  // The distance (S + A - P) of the relocation whose place the symbol is: riscv64's auipc, of which
  // this is the instruction with the lower bits.
  upper_half,
};

// How S + A becomes bytes at the place P.
enum class RelocationForm : uint8_t {
  none,
  word64,
  word32,         // Zero-extended by its user.
  signed_word32,  // Sign-extended by its user.
  relative64,
  relative32,
  a64_branch26,   // b, bl: 128 MiB.
  a64_branch19,   // b.cond, cbz, ldr literal: 1 MiB.
  a64_branch14,   // tbz: 32 KiB.
  a64_page21,     // adrp: 4 GiB, in pages.
  a64_add12,      // add: low 12 bits of the address.
  a64_load12_x1,  // ldrb, ldrh, ...: low 12 bits, in units of the access.
  a64_load12_x2,
  a64_load12_x4,
  a64_load12_x8,
  a64_load12_x16,
  rv_call,     // auipc, jalr: 2 GiB.
  rv_upper20,  // auipc: the upper bits.
  rv_load12,   // addi, ld, ...: the lower bits of S + A.
  rv_store12,  // sd, ...: the same.
};

struct RelocationKind {
  uint32_t type;
  RelocationTarget target;
  RelocationForm form;
};

// Nothing for a type that is not supported. `machine`: EM_X86_64, EM_AARCH64 or
// EM_RISCV.
std::optional<RelocationKind> find_relocation(uint16_t machine, uint32_t type);

size_t form_bytes(RelocationForm form);

// Writes `value` (S + A) at `place`, form_bytes() long, which will run at `place_address` (P).
// False: it is out of range, and nothing has been written.
bool write_relocation(RelocationForm form, std::byte* place, uint64_t place_address,
                      uint64_t value);

// A stub of up to kStubBytes that jumps to any address: an indirect jump through its own last word.
inline constexpr size_t kStubBytes = 32;
void write_stub(uint16_t machine, std::byte* place, uint64_t target_address);

}  // namespace tilewise::backends
