// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/relocation.h"

#include <elf.h>

#include <cstring>

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

}  // namespace

std::optional<RelocationKind> find_relocation(uint16_t machine, uint32_t type) {
  if (machine == EM_X86_64) {
    for (const RelocationKind& kind : kX86Relocations) {
      if (kind.type == type) return kind;
    }
  } else if (machine == EM_AARCH64) {
    for (const RelocationKind& kind : kAarch64Relocations) {
      if (kind.type == type) return kind;
    }
  }
  return std::nullopt;
}

size_t form_bytes(RelocationForm form) {
  switch (form) {
    case RelocationForm::none:
      return 0;
    case RelocationForm::word64:
    case RelocationForm::relative64:
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
  }
  return false;
}

void write_stub(uint16_t machine, std::byte* place, uint64_t target_address) {
  constexpr uint8_t kX86[] = {0xff, 0x25, 2, 0, 0, 0, 0x0f, 0x0b};         // jmp *2(%rip); ud2
  constexpr uint8_t kAarch64[] = {0x50, 0, 0, 0x58, 0, 0x02, 0x1f, 0xd6};  // ldr x16, #8; br x16
  std::memcpy(place, machine == EM_X86_64 ? kX86 : kAarch64, sizeof(kX86));
  std::memcpy(place + sizeof(kX86), &target_address, sizeof(target_address));
}

}  // namespace tilewise::backends
