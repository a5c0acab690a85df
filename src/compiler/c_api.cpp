// SPDX-License-Identifier: Apache-2.0
// The compiler's entry points for Python (ctypes). All return 0, or 1 with a message in *error; the
// texts are freed with tilewise_free.
#include <functional>

#include "base/c_string.h"
#include "compiler/compiler.h"

namespace {

int guarded(char** error, const std::function<void()>& action) {
  try {
    action();
    return 0;
  } catch (const std::exception& failure) {
    *error = tilewise::to_c_string(failure.what());
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
    *llvm_ir = tilewise::to_c_string(compiled.llvm_ir);
    *metadata = tilewise::to_c_string("entry=" + compiled.entry + "\nscratch_bytes=" +
                                      std::to_string(compiled.scratch_bytes) + "\n");
  });
}

TILEWISE_EXPORT int tilewise_dump_stage(const char* ttir, const char* target, const char* stage,
                                        char** text, char** error) {
  return guarded(error, [&] {
    using namespace tilewise::compiler;
    *text = tilewise::to_c_string(dump_stage(ttir, target_from_name(target), stage));
  });
}
