// SPDX-License-Identifier: Apache-2.0
#include "runtime/c_api.h"

#include <string_view>

#include "base/c_string.h"
#include "base/settings.h"
#include "runtime/disk_cache.h"
#include "runtime/statistics.h"

namespace rt = tilewise::runtime;

void tilewise_set_compiler(rt::CompileFunction function) { rt::set_compiler(function); }

void tilewise_set_host_lock(int (*held)(), void* (*release)(), void (*restore)(void*)) {
  rt::set_host_lock({held, release, restore});
}

void tilewise_set_compiler_identity(const char* identity) { rt::set_compiler_identity(identity); }

int tilewise_artifact_finish(rt::CompileResult* result, const char* metadata, const void* payload,
                             int64_t payload_bytes) {
  if (!rt::parse_metadata(metadata, result->artifact)) {
    result->error = std::string("the compiler returned malformed metadata:\n") + metadata;
    return 1;
  }
  result->artifact.payload.assign(static_cast<const char*>(payload),
                                  static_cast<size_t>(payload_bytes));
  result->finished = true;
  return 0;
}

void tilewise_artifact_fail(rt::CompileResult* result, const char* error) {
  result->error = *error != '\0' ? error : "the compiler failed without a message";
}

int tilewise_set_compile_mode(const char* mode) {
  const std::string_view name = mode;
  if (name == "wait") {
    rt::set_compile_mode(rt::CompileMode::wait);
  } else if (name == "cached") {
    rt::set_compile_mode(rt::CompileMode::cached);
  } else {
    return 1;
  }
  return 0;
}

const char* tilewise_compile_mode() {
  return rt::compile_mode() == rt::CompileMode::wait ? "wait" : "cached";
}

void tilewise_set_log_hook(tilewise::LogHook hook) { tilewise::set_log_hook(hook); }

const char* tilewise_store_path() { return rt::artifact_store().dir().c_str(); }

const char* tilewise_kernels_dir() { return tilewise::settings().kernels_dir.c_str(); }

int tilewise_store_stats(char** json) {
  *json = tilewise::to_c_string(rt::store_json());
  return 0;
}

int tilewise_runtime_statistics(char** json) {
  *json = tilewise::to_c_string(rt::statistics_json());
  return 0;
}
