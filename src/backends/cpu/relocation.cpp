// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/relocation.h"

#include <elf.h>

#include <cstring>
#include <span>

namespace tilewise::backends {
namespace {

// The relaxable forms (GOTPCRELX) are not relaxed: it would save a load per call of libm.
constexpr RelocationKind kX86Relocations[] = {
    {R_X86_64_NONE, RelocationTarget::symbol, RelocationForm::none},
    {R_X86_64_64, RelocationTarget::symbol, RelocationForm::word64},
    {R_X86_64_PC64, RelocationTarget::symbol, RelocationForm::relative64},
    {R_X86_64_32, RelocationTarget::symbol, RelocationForm::word32},
    {R_X86_64_32S, RelocationTarget::symbol, RelocationForm::signed_word32},
    {R_X86_64_PC32, RelocationTarget::symbol, RelocationForm::relative32},
    {R_X86_64_PLT32, RelocationTarget::callable, RelocationForm::relative32},
    {R_X86_64_GOTPCREL, RelocationTarget::got_slot, RelocationForm::relative32},
    {R_X86_64_GOTPCRELX, RelocationTarget::got_slot, RelocationForm::relative32},
    {R_X86_64_REX_GOTPCRELX, RelocationTarget::got_slot, RelocationForm::relative32},
};

constexpr RelocationKind kAarch64Relocations[] = {
    {R_AARCH64_NONE, RelocationTarget::symbol, RelocationForm::none},
    {R_AARCH64_ABS64, RelocationTarget::symbol, RelocationForm::word64},
    {R_AARCH64_PREL64, RelocationTarget::symbol, RelocationForm::relative64},
    {R_AARCH64_PREL32, RelocationTarget::symbol, RelocationForm::relative32},
    {R_AARCH64_CALL26, RelocationTarget::callable, RelocationForm::a64_branch26},
    {R_AARCH64_JUMP26, RelocationTarget::callable, RelocationForm::a64_branch26},
    {R_AARCH64_CONDBR19, RelocationTarget::symbol, RelocationForm::a64_branch19},
    {R_AARCH64_TSTBR14, RelocationTarget::symbol, RelocationForm::a64_branch14},
    {R_AARCH64_ADR_PREL_PG_HI21, RelocationTarget::symbol, RelocationForm::a64_page21},
    {R_AARCH64_ADD_ABS_LO12_NC, RelocationTarget::symbol, RelocationForm::a64_add12},
    {R_AARCH64_LDST8_ABS_LO12_NC, RelocationTarget::symbol, RelocationForm::a64_load12_x1},
    {R_AARCH64_LDST16_ABS_LO12_NC, RelocationTarget::symbol, RelocationForm::a64_load12_x2},
    {R_AARCH64_LDST32_ABS_LO12_NC, RelocationTarget::symbol, RelocationForm::a64_load12_x4},
    {R_AARCH64_LDST64_ABS_LO12_NC, RelocationTarget::symbol, RelocationForm::a64_load12_x8},
    {R_AARCH64_LDST128_ABS_LO12_NC, RelocationTarget::symbol, RelocationForm::a64_load12_x16},
    {R_AARCH64_ADR_GOT_PAGE, RelocationTarget::got_slot, RelocationForm::a64_page21},
    {R_AARCH64_LD64_GOT_LO12_NC, RelocationTarget::got_slot, RelocationForm::a64_load12_x8},
};

constexpr RelocationKind kRiscvRelocations[] = {
    {R_RISCV_NONE, RelocationTarget::symbol, RelocationForm::none},
    {R_RISCV_64, RelocationTarget::symbol, RelocationForm::word64},
    {R_RISCV_32_PCREL, RelocationTarget::symbol, RelocationForm::relative32},
    {R_RISCV_CALL, RelocationTarget::callable, RelocationForm::rv_call},
    {R_RISCV_CALL_PLT, RelocationTarget::callable, RelocationForm::rv_call},
    {R_RISCV_GOT_HI20, RelocationTarget::got_slot, RelocationForm::rv_upper20},
    {R_RISCV_PCREL_HI20, RelocationTarget::symbol, RelocationForm::rv_upper20},
    {R_RISCV_PCREL_LO12_I, RelocationTarget::upper_half, RelocationForm::rv_load12},
    {R_RISCV_PCREL_LO12_S, RelocationTarget::upper_half, RelocationForm::rv_store12},
    // A linker may shorten the instruction; it need not.
    {R_RISCV_RELAX, RelocationTarget::symbol, RelocationForm::none},
};

bool fits_signed(uint64_t value, int bits) {
  const auto number = static_cast<int64_t>(value);
  const int64_t limit = int64_t{1} << (bits - 1);
  return number >= -limit && number < limit;
}

template <class Word>
bool write_word(std::byte* place, uint64_t value) {
  const auto word = static_cast<Word>(value);
  std::memcpy(place, &word, sizeof(word));
  return true;
}

// Replaces `width` bits of the instruction, from bit `shift` on.
bool write_field(std::byte* place, uint64_t value, int shift, int width) {
  uint32_t instruction;
  std::memcpy(&instruction, place, sizeof(instruction));
  const uint32_t mask = ((1u << width) - 1u) << shift;
  instruction = (instruction & ~mask) | ((static_cast<uint32_t>(value) << shift) & mask);
  std::memcpy(place, &instruction, sizeof(instruction));
  return true;
}

// A branch by `distance` bytes, counted in instructions of four.
bool write_branch(std::byte* place, uint64_t distance, int shift, int width) {
  if (distance % 4 != 0 || !fits_signed(distance, width + 2)) return false;
  return write_field(place, distance / 4, shift, width);
}

bool write_page(std::byte* place, uint64_t distance) {
  if (!fits_signed(distance, 33)) return false;
  const uint64_t pages = distance >> 12;
  write_field(place, pages, 29, 2);
  return write_field(place, pages >> 2, 5, 19);
}

bool write_load_offset(std::byte* place, uint64_t value, int scale_bits) {
  const uint64_t low = value & 0xfff;
  if (low % (1u << scale_bits) != 0) return false;
  return write_field(place, low >> scale_bits, 10, 12);
}

// auipc adds the upper 20 bits to its own address. The lower 12 are added later, as a signed
// number, for which half of their range is added here.
bool write_upper20(std::byte* place, uint64_t distance) {
  const uint64_t rounded = distance + 0x800;
  return fits_signed(rounded, 32) && write_field(place, rounded >> 12, 12, 20);
}

std::span<const RelocationKind> relocations_of(uint16_t machine) {
  if (machine == EM_X86_64) return kX86Relocations;
  if (machine == EM_AARCH64) return kAarch64Relocations;
  if (machine == EM_RISCV) return kRiscvRelocations;
  return {};
}

}  // namespace

std::optional<RelocationKind> find_relocation(uint16_t machine, uint32_t type) {
  for (const RelocationKind& kind : relocations_of(machine)) {
    if (kind.type == type) return kind;
  }
  return std::nullopt;
}

size_t form_bytes(RelocationForm form) {
  switch (form) {
    case RelocationForm::none:
      return 0;
    case RelocationForm::word64:
    case RelocationForm::relative64:
    case RelocationForm::rv_call:
      return 8;
    default:
      return 4;
  }
}

bool write_relocation(RelocationForm form, std::byte* place, uint64_t place_address,
                      uint64_t value) {
  const uint64_t distance = value - place_address;
  constexpr uint64_t kPage = 0xfff;
  switch (form) {
    case RelocationForm::none:
      return true;
    case RelocationForm::word64:
      return write_word<uint64_t>(place, value);
    case RelocationForm::relative64:
      return write_word<uint64_t>(place, distance);
    case RelocationForm::word32:
      return value <= UINT32_MAX && write_word<uint32_t>(place, value);
    case RelocationForm::signed_word32:
      return fits_signed(value, 32) && write_word<uint32_t>(place, value);
    case RelocationForm::relative32:
      return fits_signed(distance, 32) && write_word<uint32_t>(place, distance);
    case RelocationForm::a64_branch26:
      return write_branch(place, distance, 0, 26);
    case RelocationForm::a64_branch19:
      return write_branch(place, distance, 5, 19);
    case RelocationForm::a64_branch14:
      return write_branch(place, distance, 5, 14);
    case RelocationForm::a64_page21:
      return write_page(place, (value & ~kPage) - (place_address & ~kPage));
    case RelocationForm::a64_add12:
      return write_field(place, value & kPage, 10, 12);
    case RelocationForm::a64_load12_x1:
      return write_load_offset(place, value, 0);
    case RelocationForm::a64_load12_x2:
      return write_load_offset(place, value, 1);
    case RelocationForm::a64_load12_x4:
      return write_load_offset(place, value, 2);
    case RelocationForm::a64_load12_x8:
      return write_load_offset(place, value, 3);
    case RelocationForm::a64_load12_x16:
      return write_load_offset(place, value, 4);
    case RelocationForm::rv_call:
      return write_upper20(place, distance) && write_field(place + 4, distance, 20, 12);
    case RelocationForm::rv_upper20:
      return write_upper20(place, distance);
    case RelocationForm::rv_load12:
      return write_field(place, value, 20, 12);
    case RelocationForm::rv_store12:
      write_field(place, value, 7, 5);
      return write_field(place, value >> 5, 25, 7);
  }
  return false;
}

void write_stub(uint16_t machine, std::byte* place, uint64_t target_address) {
  // The address follows the code, which is as long as a multiple of its 8 bytes.
  static constexpr uint8_t kX86[] = {0xff, 0x25, 2, 0, 0, 0, 0x0f, 0x0b};  // jmp *2(%rip); ud2
  static constexpr uint8_t kAarch64[] = {0x50, 0, 0, 0x58, 0, 0x02, 0x1f, 0xd6};  // ldr x16, #8; br
  static constexpr uint8_t kRiscv[] = {
      0x17, 0x0e, 0,    0, 0x03, 0x3e, 0x0e, 0x01,  // auipc t3, 0
      0x67, 0,    0x0e, 0, 0x13, 0,    0,    0};    // ld t3, 16(t3); jr; nop
  const std::span<const uint8_t> code = machine == EM_X86_64    ? std::span<const uint8_t>(kX86)
                                        : machine == EM_AARCH64 ? std::span<const uint8_t>(kAarch64)
                                                                : std::span<const uint8_t>(kRiscv);
  std::memcpy(place, code.data(), code.size());
  std::memcpy(place + code.size(), &target_address, sizeof(target_address));
}

}  // namespace tilewise::backends
