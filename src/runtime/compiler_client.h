// SPDX-License-Identifier: Apache-2.0
// The compiler as the runtime knows it: a function that turns a request (text, see
// compile_request.h) into an artifact. Python sets it; so may any program.
//
// Note [Waiting for a compiler that needs a host lock]
// Triton's compiler is Python, so the callback takes the GIL, and a thread that waits for another
// thread's compilation may hold it (PyTorch releases it around operators, but not around every
// path that ends in one). Such a waiter would keep the compiler from ever finishing. The client
// therefore brings three functions of its host (HostLock; CPython's PyGILState_Check,
// PyEval_SaveThread, PyEval_RestoreThread), and a waiter that holds the lock gives it up while it
// waits. The runtime itself holds no mutex while the callback runs.
#pragma once

#include <cstdint>
#include <string>

#include "runtime/artifact.h"

namespace tilewise::runtime {

// What the callback fills in: tilewise_artifact_finish() or tilewise_artifact_fail() (c_api.h).
struct CompileResult {
  Artifact artifact;
  std::string error;
  bool finished = false;
};

// Returns 0 when the result is filled in.
using CompileFunction = int (*)(const char* request, CompileResult* result);

struct HostLock {
  int (*held)() = nullptr;       // 1: this thread holds the lock.
  void* (*release)() = nullptr;  // Returns what restore() takes.
  void (*restore)(void*) = nullptr;
};

enum class CompileMode : uint8_t {
  wait,    // A launch without a binary waits for its compilation.
  cached,  // Never compile: serve from the store or refuse.
};

// nullptr removes the compiler. Refusals remembered for want of a compiler are forgotten.
void set_compiler(CompileFunction function);
void set_host_lock(HostLock lock);
// Versions of everything outside of libtilewise that shapes a binary
// ("triton=3.6.0;llvmlite=0.50.0", what follows the semicolon counting for CPU targets only); part
// of every request. The default is what this build is made for.
void set_compiler_identity(const std::string& identity);
std::string compiler_identity();

void set_compile_mode(CompileMode mode);
CompileMode compile_mode();

// Runs the compiler; a failure is a text, never an exception.
CompileResult run_compiler(const std::string& request);
HostLock host_lock();

// Grows with every change above; a remembered refusal of an older generation is tried again.
uint64_t compiler_generation();

}  // namespace tilewise::runtime
