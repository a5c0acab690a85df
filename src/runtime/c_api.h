// SPDX-License-Identifier: Apache-2.0
// The runtime's functions for Python (ctypes) and other languages. Strings that come back through
// `char**` are freed with tilewise_free(). Functions that return int return 0 on success.
#pragma once

#include <cstdint>

#include "base/logging.h"
#include "runtime/compiler_client.h"

#define TILEWISE_EXPORT __attribute__((visibility("default")))

extern "C" {

// The compiler. The callback reads the request text and calls one of tilewise_artifact_finish
// (metadata: the `key=value` lines of artifact.h; the payload is copied) and
// tilewise_artifact_fail before it returns.
TILEWISE_EXPORT void tilewise_set_compiler(tilewise::runtime::CompileFunction function);
TILEWISE_EXPORT void tilewise_set_host_lock(int (*held)(), void* (*release)(),
                                            void (*restore)(void*));
TILEWISE_EXPORT void tilewise_set_compiler_identity(const char* identity);
TILEWISE_EXPORT int tilewise_artifact_finish(tilewise::runtime::CompileResult* result,
                                             const char* metadata, const void* payload,
                                             int64_t payload_bytes);
TILEWISE_EXPORT void tilewise_artifact_fail(tilewise::runtime::CompileResult* result,
                                            const char* error);

TILEWISE_EXPORT int tilewise_set_compile_mode(const char* mode);  // "wait", "cached"
TILEWISE_EXPORT const char* tilewise_compile_mode();
TILEWISE_EXPORT void tilewise_set_log_hook(tilewise::LogHook hook);

// Where things are. Never null; empty if there is none.
TILEWISE_EXPORT const char* tilewise_store_path();
TILEWISE_EXPORT const char* tilewise_kernels_dir();

// JSON objects. Store: path, writable, problem, files, bytes, hits, misses, damaged, written.
// Statistics: kernels_compiled, compile_seconds, compiled_bytes, launches, store, kernels[].
TILEWISE_EXPORT int tilewise_store_stats(char** json);
TILEWISE_EXPORT int tilewise_runtime_statistics(char** json);

// Stock Triton on CPU tensors: a compiled object and its launch.
TILEWISE_EXPORT int tilewise_load_object(const void* object, int64_t object_bytes,
                                         const char* entry, int64_t scratch_bytes, void** kernel,
                                         char** error);
TILEWISE_EXPORT int tilewise_cpu_launch(const void* kernel, const uint64_t* slots, int slot_count,
                                        const int32_t* grid, char** error);
// The name lives for the process. Fails for a setting that this machine cannot serve.
TILEWISE_EXPORT int tilewise_cpu_target(const char** target, char** error);
// JSON object: triple, cpu, features (LLVM's names) of a CPU target. Fails for an unknown one.
TILEWISE_EXPORT int tilewise_describe_cpu_target(const char* target, char** json, char** error);
}
