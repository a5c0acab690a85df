// SPDX-License-Identifier: Apache-2.0
// A checked view of a relocatable 64-bit little-endian ELF file: after construction every table is
// known to lie inside of the file. It says what is in the file; object_loader.h puts it to work.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace tilewise::backends {

class ElfObject {
 public:
  // Throws ObjectError. Keeps a view of `bytes`; the tables are copied, as the bytes may be
  // misaligned for them.
  explicit ElfObject(std::span<const std::byte> bytes);

  uint16_t machine() const { return header_.e_machine; }  // EM_X86_64, EM_AARCH64, ...
  const std::vector<Elf64_Shdr>& sections() const { return sections_; }
  const std::vector<Elf64_Sym>& symbols() const { return symbols_; }

  // Nothing for SHT_NOBITS.
  std::span<const std::byte> contents(const Elf64_Shdr& section) const;
  std::vector<Elf64_Rela> relocations(const Elf64_Shdr& section) const;
  std::string name(const Elf64_Sym& symbol) const;

 private:
  template <class Entry>
  std::vector<Entry> table(uint64_t offset, uint64_t bytes, uint64_t entry_bytes,
                           const char* what) const;
  void read_symbols(const Elf64_Shdr& section);

  std::span<const std::byte> bytes_;
  Elf64_Ehdr header_{};
  std::vector<Elf64_Shdr> sections_;
  std::vector<Elf64_Sym> symbols_;
  std::span<const std::byte> names_;
};

}  // namespace tilewise::backends
