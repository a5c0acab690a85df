// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/object_loader.h"

#include <dlfcn.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <utility>
#include <vector>

#include "backends/cpu/compiler_runtime.h"
#include "backends/cpu/device_functions.h"
#include "backends/cpu/elf_object.h"
#include "backends/cpu/kernel_messages.h"
#include "backends/cpu/relocation.h"

namespace tilewise::backends {
namespace {

#if defined(__x86_64__)
constexpr uint16_t kHostMachine = EM_X86_64;
#elif defined(__aarch64__)
constexpr uint16_t kHostMachine = EM_AARCH64;
#elif defined(__riscv) && __riscv_xlen == 64
constexpr uint16_t kHostMachine = EM_RISCV;
#else
constexpr uint16_t kHostMachine = EM_NONE;  // Every object is refused.
#endif

// Far above any kernel, far below the 2 GiB reach of the small code model.
constexpr uint64_t kLargestImage = uint64_t{256} << 20;

[[noreturn]] void fail(const std::string& complaint) {
  throw ObjectError("object file: " + complaint);
}

uint64_t round_up(uint64_t value, uint64_t unit) { return (value + unit - 1) & ~(unit - 1); }

// The three parts of the mapping, in this order, each on pages of its own.
enum Segment : uint8_t { kCode, kReadOnly, kWritable, kSegments };

Segment segment_of(const Elf64_Shdr& section) {
  if (section.sh_flags & SHF_EXECINSTR) {
    if (section.sh_flags & SHF_WRITE) fail("section that is writable and executable");
    return kCode;
  }
  return section.sh_flags & SHF_WRITE ? kWritable : kReadOnly;
}

// One load: lays the sections out, copies them, resolves symbols, relocates. The image is built at
// its final address, writable; the caller owns the mapping and protects it afterwards.
class ImageBuilder {
 public:
  ImageBuilder(std::span<const std::byte> bytes, const SymbolResolver& resolve)
      : object_(bytes), resolve_(resolve), page_(static_cast<uint64_t>(sysconf(_SC_PAGESIZE))) {
    if (object_.machine() != kHostMachine) fail("for another machine");
    lay_out();
  }

  uint64_t image_bytes() const { return segment_ends_[kWritable]; }

  void build(std::byte* image) {
    image_ = image;
    copy_sections();
    for (const Elf64_Shdr& section : object_.sections()) {
      if (section.sh_type == SHT_REL) fail("relocations without addends");
      if (section.sh_type == SHT_RELA) relocate_section(section);
    }
  }

  void protect() const {
    constexpr int kProtection[kSegments] = {PROT_READ | PROT_EXEC, PROT_READ,
                                            PROT_READ | PROT_WRITE};
    uint64_t begin = 0;
    for (int segment = 0; segment < kSegments; ++segment) {
      const uint64_t end = segment_ends_[segment];
      if (end > begin && mprotect(image_ + begin, end - begin, kProtection[segment]) != 0) {
        fail("the system refuses the protection of its pages (executable memory forbidden?)");
      }
      begin = end;
    }
    // Needed where instruction and data caches are not coherent (aarch64).
    __builtin___clear_cache(reinterpret_cast<char*>(image_),
                            reinterpret_cast<char*>(image_ + segment_ends_[kCode]));
  }

  std::unordered_map<std::string, void*> exported_symbols() {
    std::unordered_map<std::string, void*> exported;
    for (const Elf64_Sym& symbol : object_.symbols()) {
      const auto binding = ELF64_ST_BIND(symbol.st_info);
      if (binding == STB_LOCAL || !is_loaded(symbol)) continue;
      exported.emplace(object_.name(symbol),
                       reinterpret_cast<void*>(section_address(symbol.st_shndx) + symbol.st_value));
    }
    return exported;
  }

 private:
  static constexpr uint64_t kNowhere = UINT64_MAX;

  bool is_loaded(const Elf64_Sym& symbol) const {
    return symbol.st_shndx < offsets_.size() && offsets_[symbol.st_shndx] != kNowhere;
  }

  uint64_t section_address(size_t index) const {
    return reinterpret_cast<uint64_t>(image_) + offsets_[index];
  }

  void lay_out() {
    const auto& sections = object_.sections();
    const uint64_t symbols = object_.symbols().size();
    offsets_.assign(sections.size(), kNowhere);
    uint64_t end = 0;
    for (int segment = 0; segment < kSegments; ++segment) {
      for (size_t i = 0; i < sections.size(); ++i) {
        if (!(sections[i].sh_flags & SHF_ALLOC) || sections[i].sh_type == SHT_NULL) continue;
        if (segment_of(sections[i]) == segment) end = place(sections[i], offsets_[i], end);
      }
      // Room for a stub and a GOT slot of every symbol: kernels have tens of them.
      end = round_up(end, kStubBytes);
      if (segment == kCode) stubs_ = std::exchange(end, end + symbols * kStubBytes);
      if (segment == kReadOnly) got_ = std::exchange(end, end + symbols * sizeof(uint64_t));
      end = round_up(end, page_);
      segment_ends_[segment] = end;
    }
    if (end > kLargestImage) fail("larger than 256 MiB in memory");
    if (end == 0) fail("nothing to load");
  }

  // Returns the end of the section when it is put at the next fitting offset after `end`.
  uint64_t place(const Elf64_Shdr& section, uint64_t& offset, uint64_t end) const {
    if (section.sh_flags & SHF_TLS) fail("thread-local variables");
    if (section.sh_type == SHT_INIT_ARRAY || section.sh_type == SHT_FINI_ARRAY) {
      fail("functions to run when it is loaded or unloaded");
    }
    const uint64_t alignment = section.sh_addralign == 0 ? 1 : section.sh_addralign;
    if ((alignment & (alignment - 1)) != 0 || alignment > page_) fail("section with odd alignment");
    offset = round_up(end, alignment);
    if (offset > kLargestImage || section.sh_size > kLargestImage - offset) {
      fail("larger than 256 MiB in memory");
    }
    return offset + section.sh_size;
  }

  void copy_sections() {
    for (size_t i = 0; i < offsets_.size(); ++i) {
      if (offsets_[i] == kNowhere) continue;
      const auto contents = object_.contents(object_.sections()[i]);
      if (!contents.empty()) std::memcpy(image_ + offsets_[i], contents.data(), contents.size());
    }
  }

  uint64_t symbol_address(size_t index) {
    const Elf64_Sym& symbol = object_.symbols()[index];
    if (index == 0) return 0;  // "No symbol": the addend is all there is.
    if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC ||
        ELF64_ST_TYPE(symbol.st_info) == STT_TLS) {
      fail("symbol " + object_.name(symbol) + " of a kind that needs a linker");
    }
    if (symbol.st_shndx == SHN_ABS) return symbol.st_value;
    if (symbol.st_shndx == SHN_UNDEF) return resolve_undefined(index, object_.name(symbol));
    if (!is_loaded(symbol)) fail("symbol " + object_.name(symbol) + " in a section not loaded");
    return section_address(symbol.st_shndx) + symbol.st_value;
  }

  uint64_t resolve_undefined(size_t index, const std::string& name) {
    auto [entry, is_new] = resolved_.try_emplace(index, nullptr);
    if (is_new) entry->second = resolve_(name);
    if (entry->second == nullptr) fail("undefined symbol \"" + name + "\"");
    return reinterpret_cast<uint64_t>(entry->second);
  }

  uint64_t got_slot(size_t index) {
    std::byte* slot = image_ + got_ + index * sizeof(uint64_t);
    const uint64_t address = symbol_address(index);
    std::memcpy(slot, &address, sizeof(address));
    return reinterpret_cast<uint64_t>(slot);
  }

  uint64_t stub(size_t index) {
    std::byte* place = image_ + stubs_ + index * kStubBytes;
    write_stub(object_.machine(), place, symbol_address(index));
    return reinterpret_cast<uint64_t>(place);
  }

  void relocate_section(const Elf64_Shdr& section) {
    if (section.sh_info >= offsets_.size()) fail("relocations of a section that does not exist");
    if (offsets_[section.sh_info] == kNowhere) return;  // Debug information.
    const Elf64_Shdr& patched = object_.sections()[section.sh_info];
    if (patched.sh_type == SHT_NOBITS) fail("relocations in zeros");
    // Lower halves come last, because they repeat what their upper halves refer to.
    const std::vector<Elf64_Rela> relocations = object_.relocations(section);
    for (const bool lower_halves : {false, true}) {
      for (const Elf64_Rela& relocation : relocations) {
        const RelocationKind kind = kind_of(relocation);
        if ((kind.target == RelocationTarget::upper_half) != lower_halves) continue;
        relocate(relocation, kind, offsets_[section.sh_info], patched.sh_size);
      }
    }
  }

  RelocationKind kind_of(const Elf64_Rela& relocation) const {
    const uint32_t type = ELF64_R_TYPE(relocation.r_info);
    const auto kind = find_relocation(object_.machine(), type);
    if (!kind) fail("relocation of unsupported type " + std::to_string(type));
    return *kind;
  }

  // What S is; see RelocationTarget.
  uint64_t referred(RelocationTarget target, size_t index) {
    if (target == RelocationTarget::got_slot) return got_slot(index);
    const uint64_t address = symbol_address(index);
    if (target != RelocationTarget::upper_half) return address;
    const auto upper = upper_distances_.find(address);
    if (upper == upper_distances_.end()) fail("lower half of an address without its upper half");
    return upper->second;
  }

  void relocate(const Elf64_Rela& relocation, const RelocationKind& kind, uint64_t section_offset,
                uint64_t section_bytes) {
    const size_t index = ELF64_R_SYM(relocation.r_info);
    if (index >= object_.symbols().size()) fail("relocation by a symbol that does not exist");
    const size_t bytes = form_bytes(kind.form);
    if (bytes > section_bytes || relocation.r_offset > section_bytes - bytes) {
      fail("relocation outside of its section");
    }
    std::byte* place = image_ + section_offset + relocation.r_offset;
    const auto place_address = reinterpret_cast<uint64_t>(place);
    const auto addend = static_cast<uint64_t>(relocation.r_addend);
    const uint64_t value = referred(kind.target, index) + addend;
    if (kind.form == RelocationForm::rv_upper20) {
      upper_distances_[place_address] = value - place_address;
    }
    if (write_relocation(kind.form, place, place_address, value)) return;
    if (kind.target == RelocationTarget::callable &&
        write_relocation(kind.form, place, place_address, stub(index) + addend)) {
      return;
    }
    fail("relocation of type " + std::to_string(kind.type) + " by \"" +
         object_.name(object_.symbols()[index]) + "\" out of range");
  }

  const ElfObject object_;
  const SymbolResolver& resolve_;
  const uint64_t page_;
  std::byte* image_ = nullptr;
  std::vector<uint64_t> offsets_;  // Per section, from the start of the image.
  std::array<uint64_t, kSegments> segment_ends_{};
  uint64_t stubs_ = 0;  // Offsets of the stubs and of the global offset table.
  uint64_t got_ = 0;
  std::unordered_map<size_t, void*> resolved_;              // Undefined symbols by index.
  std::unordered_map<uint64_t, uint64_t> upper_distances_;  // riscv64's auipc by address.
};

}  // namespace

void* resolve_process_symbol(const std::string& name) {
  if (void* address = find_runtime_function(name)) return address;
  if (void* address = find_message_function(name)) return address;
  if (void* address = find_device_function(name)) return address;
  if (void* address = dlsym(RTLD_DEFAULT, name.c_str())) return address;
  // A program need not have loaded libm; it stays loaded once it is.
  static void* const libm = dlopen("libm.so.6", RTLD_LAZY | RTLD_LOCAL);
  return libm == nullptr ? nullptr : dlsym(libm, name.c_str());
}

LoadedObject LoadedObject::load(std::span<const std::byte> bytes, const SymbolResolver& resolve) {
  ImageBuilder builder(bytes, resolve);
  LoadedObject loaded;
  void* mapping = mmap(nullptr, builder.image_bytes(), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) fail("no memory for it");
  loaded.mapping_ = mapping;
  loaded.mapping_bytes_ = builder.image_bytes();
  builder.build(static_cast<std::byte*>(mapping));
  builder.protect();
  loaded.symbols_ = builder.exported_symbols();
  return loaded;
}

LoadedObject::LoadedObject(LoadedObject&& other) noexcept
    : mapping_(std::exchange(other.mapping_, nullptr)),
      mapping_bytes_(std::exchange(other.mapping_bytes_, 0)),
      symbols_(std::move(other.symbols_)) {}

LoadedObject& LoadedObject::operator=(LoadedObject&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  std::swap(mapping_bytes_, other.mapping_bytes_);
  std::swap(symbols_, other.symbols_);
  return *this;
}

LoadedObject::~LoadedObject() {
  if (mapping_ != nullptr) munmap(mapping_, mapping_bytes_);
}

void* LoadedObject::symbol(std::string_view name) const {
  const auto found = symbols_.find(std::string(name));
  if (found == symbols_.end()) throw ObjectError("object file: no symbol " + std::string(name));
  return found->second;
}

}  // namespace tilewise::backends
