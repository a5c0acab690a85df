// SPDX-License-Identifier: Apache-2.0
// Loads a relocatable ELF object (.o) straight from the artefact store into executable memory: no
// linker, no temporary file, no LLVM at run time. Objects of LLVM with the pic relocation model and
// the small code model, for x86-64, aarch64 and riscv64; anything else is refused with a reason.
//
//   LoadedObject object = LoadedObject::load(bytes);
//   auto* entry = reinterpret_cast<Entry*>(object.symbol("softmax_forward"));
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <unordered_map>

namespace tilewise::backends {

// The object is damaged, for another machine, or needs something that this process lacks.
class ObjectError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The address of an undefined symbol, or nullptr.
using SymbolResolver = std::function<void*(const std::string& name)>;

// Finds what compilers call (compiler_runtime.h), what the process exports, and libm's functions.
void* resolve_process_symbol(const std::string& name);

// Owns the mapping: functions in it may be called while it lives. Code is never writable and
// executable at once. No destructors or initializers of the object are run, and exceptions cannot
// pass through its functions (there is no unwind information for them).
class LoadedObject {
 public:
  // Throws ObjectError. Every offset in `bytes` is checked, so that a damaged object cannot make
  // this function read or write outside of its own memory.
  static LoadedObject load(std::span<const std::byte> bytes,
                           const SymbolResolver& resolve = resolve_process_symbol);

  LoadedObject(LoadedObject&& other) noexcept;
  LoadedObject& operator=(LoadedObject&& other) noexcept;
  ~LoadedObject();

  // A global function or variable that the object defines; throws ObjectError if there is none.
  void* symbol(std::string_view name) const;

 private:
  LoadedObject() = default;

  void* mapping_ = nullptr;
  size_t mapping_bytes_ = 0;
  std::unordered_map<std::string, void*> symbols_;
};

}  // namespace tilewise::backends
