// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/elf_object.h"

#include <cstring>

#include "backends/cpu/object_loader.h"

namespace tilewise::backends {
namespace {

void require(bool condition, const std::string& complaint) {
  if (!condition) throw ObjectError("object file: " + complaint);
}

}  // namespace

ElfObject::ElfObject(std::span<const std::byte> bytes) : bytes_(bytes) {
  require(bytes.size() >= sizeof(header_), "shorter than an ELF header");
  std::memcpy(&header_, bytes.data(), sizeof(header_));
  require(std::memcmp(header_.e_ident, ELFMAG, SELFMAG) == 0, "no ELF file");
  require(header_.e_ident[EI_CLASS] == ELFCLASS64 && header_.e_ident[EI_DATA] == ELFDATA2LSB,
          "not 64-bit little-endian");
  require(header_.e_type == ET_REL, "not relocatable (linked already?)");
  sections_ = table<Elf64_Shdr>(header_.e_shoff, uint64_t{header_.e_shnum} * sizeof(Elf64_Shdr),
                                header_.e_shentsize, "section table");
  require(!sections_.empty(), "no sections");  // Also the escape for more than 65279 sections.
  const Elf64_Shdr* symbol_table = nullptr;
  for (const Elf64_Shdr& section : sections_) {
    if (section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL) contents(section);
    if (section.sh_type != SHT_SYMTAB) continue;
    require(symbol_table == nullptr, "two symbol tables");
    symbol_table = &section;
  }
  if (symbol_table != nullptr) read_symbols(*symbol_table);
}

void ElfObject::read_symbols(const Elf64_Shdr& section) {
  require(section.sh_link < sections_.size() && sections_[section.sh_link].sh_type == SHT_STRTAB,
          "symbol table without names");
  names_ = contents(sections_[section.sh_link]);
  require(!names_.empty() && names_.back() == std::byte{0}, "names without a final zero");
  symbols_ = table<Elf64_Sym>(section.sh_offset, section.sh_size, section.sh_entsize, "symbols");
  for (const Elf64_Sym& symbol : symbols_) {
    require(symbol.st_name < names_.size(), "symbol name outside of the names");
    require(symbol.st_shndx != SHN_XINDEX, "more than 65279 sections");
    if (symbol.st_shndx == SHN_UNDEF || symbol.st_shndx >= SHN_LORESERVE) continue;
    require(symbol.st_shndx < sections_.size(), "symbol in a section that does not exist");
    require(symbol.st_value <= sections_[symbol.st_shndx].sh_size,
            "symbol " + name(symbol) + " outside of its section");
  }
}

std::span<const std::byte> ElfObject::contents(const Elf64_Shdr& section) const {
  if (section.sh_type == SHT_NOBITS) return {};
  require(
      section.sh_offset <= bytes_.size() && section.sh_size <= bytes_.size() - section.sh_offset,
      "section outside of the file");
  return bytes_.subspan(section.sh_offset, section.sh_size);
}

std::vector<Elf64_Rela> ElfObject::relocations(const Elf64_Shdr& section) const {
  return table<Elf64_Rela>(section.sh_offset, section.sh_size, section.sh_entsize, "relocations");
}

std::string ElfObject::name(const Elf64_Sym& symbol) const {
  return reinterpret_cast<const char*>(names_.data()) + symbol.st_name;  // Ends: see read_symbols.
}

template <class Entry>
std::vector<Entry> ElfObject::table(uint64_t offset, uint64_t bytes, uint64_t entry_bytes,
                                    const char* what) const {
  require(entry_bytes == sizeof(Entry), std::string(what) + " with entries of a foreign size");
  require(bytes % sizeof(Entry) == 0, std::string(what) + " with part of an entry");
  require(offset <= bytes_.size() && bytes <= bytes_.size() - offset,
          std::string(what) + " outside of the file");
  std::vector<Entry> entries(bytes / sizeof(Entry));
  if (bytes > 0) std::memcpy(entries.data(), bytes_.data() + offset, bytes);
  return entries;
}

}  // namespace tilewise::backends
