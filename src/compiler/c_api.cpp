// SPDX-License-Identifier: Apache-2.0
// The compiler's entry points for Python (ctypes). All return 0, or 1 with a message in *error; the
// texts are freed with tilewise_free.
#include <cstdlib>
#include <cstring>
#include <functional>

#include "compiler/compiler.h"

namespace {

char* copy_text(const std::string& text) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy) std::memcpy(copy, text.c_str(), text.size() + 1);
  return copy;
}

int guarded(char** error, const std::function<void()>& action) {
  try {
    action();
    return 0;
  } catch (const std::exception& failure) {
    *error = copy_text(failure.what());
    return 1;
  }
}

}  // namespace

#define TILEWISE_EXPORT extern "C" __attribute__((visibility("default")))

// metadata: lines "entry=NAME" and "scratch_bytes=NUMBER".
TILEWISE_EXPORT int tilewise_compile_ttir(const char* ttir, const char* target, const char* kernel,
                                          char** llvm_ir, char** metadata, char** error) {
  return guarded(error, [&] {
    using namespace tilewise::compiler;
    const CompiledKernel compiled = compile(ttir, target_from_name(target), kernel);
    *llvm_ir = copy_text(compiled.llvm_ir);
    *metadata = copy_text("entry=" + compiled.entry +
                          "\nscratch_bytes=" + std::to_string(compiled.scratch_bytes) + "\n");
  });
}

TILEWISE_EXPORT int tilewise_dump_stage(const char* ttir, const char* target, const char* stage,
                                        char** text, char** error) {
  return guarded(error, [&] {
    using namespace tilewise::compiler;
    *text = copy_text(dump_stage(ttir, target_from_name(target), stage));
  });
}
