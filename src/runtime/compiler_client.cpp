// SPDX-License-Identifier: Apache-2.0
#include "runtime/compiler_client.h"

#include <atomic>
#include <mutex>

#include "base/settings.h"

namespace tilewise::runtime {
namespace {

struct Client {
  std::atomic<CompileFunction> function{nullptr};
  std::atomic<uint64_t> generation{0};
  std::atomic<CompileMode> mode{settings().compile_mode == "cached" ? CompileMode::cached
                                                                    : CompileMode::wait};
  std::mutex mutex;  // Guards the two members below; never held while a function is called.
  HostLock lock;
  // What pyproject.toml pins. A program without Python finds the artifacts that Python made.
  std::string identity = "triton=3.6.0;llvmlite=0.50.0";
};

Client& client() {
  static auto* const instance = new Client;
  return *instance;
}

}  // namespace

void set_compiler(CompileFunction function) {
  client().function.store(function);
  ++client().generation;
}

void set_host_lock(HostLock lock) {
  const std::lock_guard guard(client().mutex);
  client().lock = lock;
}

HostLock host_lock() {
  const std::lock_guard guard(client().mutex);
  return client().lock;
}

void set_compiler_identity(const std::string& identity) {
  const std::lock_guard guard(client().mutex);
  client().identity = identity;
  ++client().generation;
}

std::string compiler_identity() {
  const std::lock_guard guard(client().mutex);
  return client().identity;
}

void set_compile_mode(CompileMode mode) {
  client().mode.store(mode);
  ++client().generation;
}

CompileMode compile_mode() { return client().mode.load(); }

uint64_t compiler_generation() { return client().generation.load(); }

CompileResult run_compiler(const std::string& request) {
  CompileResult result;
  const CompileFunction function = client().function.load();
  if (function == nullptr) {
    result.error = "no compiler is set: import tilewise, or use mode `cached` with a filled store";
    return result;
  }
  const int status = function(request.c_str(), &result);
  if (result.error.empty() && (status != 0 || !result.finished)) {
    result.error = "the compiler returned neither a binary nor an error (status " +
                   std::to_string(status) + ")";
  }
  return result;
}

}  // namespace tilewise::runtime
