// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernel_resolver.h"

#include <chrono>
#include <condition_variable>
#include <unordered_map>

#include "base/logging.h"
#include "runtime/compile_request.h"
#include "runtime/compiler_client.h"
#include "runtime/disk_cache.h"
#include "runtime/launcher.h"
#include "runtime/statistics.h"

namespace tilewise::runtime {
namespace {

thread_local std::string_view refusal_now;
// A compiler that launches kernels of ours while it compiles must not wait for itself, nor for a
// thread that waits for it.
thread_local bool inside_compiler = false;

struct InFlight {
  std::mutex mutex;
  std::condition_variable changed;
  bool done = false;
};

struct Resolver {
  std::mutex mutex;  // Guards in_flight. Never held while compiling, loading or waiting.
  std::unordered_map<const CacheEntry*, std::shared_ptr<InFlight>> in_flight;
};

Resolver& resolver() {
  static auto* const instance = new Resolver;
  return *instance;
}

// Refusals live for the process: last_refusal() of any thread may name one.
CacheEntry* refuse(CacheEntry& entry, std::string reason, uint64_t generation) {
  log(LogTopic::compile, reason);
  const auto* refusal = new Refusal{std::move(reason), generation};
  entry.refusal.store(refusal, std::memory_order_release);
  refusal_now = refusal->reason;
  return nullptr;
}

void wait_for(InFlight& other) {
  const HostLock lock = host_lock();
  const bool release = lock.held != nullptr && lock.held() == 1;
  void* const state = release ? lock.release() : nullptr;
  {
    std::unique_lock guard(other.mutex);
    other.changed.wait(guard, [&other] { return other.done; });
  }
  if (release) lock.restore(state);
}

CompileResult compile(const CompileRequest& request) {
  inside_compiler = true;
  CompileResult result = run_compiler(request.text);
  inside_compiler = false;
  return result;
}

// Loads the kernel of `entry`, which this thread has claimed.
CacheEntry* load_or_compile(CacheEntry& entry, const Kernel& kernel, const ArgumentPack& arguments,
                            const LaunchOptions& options, DeviceKind device, int device_index) {
  // Read first: a compiler set while this runs makes the refusal stale, not current.
  const uint64_t generation = compiler_generation();
  const std::string name = kernel.identity().name();
  const auto begin = std::chrono::steady_clock::now();
  try {
    Backend* const backend = find_backend(device);
    if (backend == nullptr) {
      return refuse(entry, name + ": this build has no backend for the device", generation);
    }
    const std::string target = backend->target_name(device_index);
    const CompileRequest request =
        make_request(kernel.identity(), arguments, options, device, target);
    std::optional<Artifact> artifact = artifact_store().get(request);
    const bool compiled = !artifact;
    if (compiled) {
      if (compile_mode() == CompileMode::cached) {
        return refuse(entry, name + ": not in the store, and the mode `cached` never compiles",
                      generation);
      }
      CompileResult result = compile(request);
      if (!result.error.empty()) {
        return refuse(entry, name + " for " + target + ": " + result.error, generation);
      }
      artifact = std::move(result.artifact);
      artifact_store().put(request, *artifact);
    }
    std::unique_ptr<LoadedKernel> loaded = backend->load(*artifact, device_index);
    const std::chrono::duration<double> waited = std::chrono::steady_clock::now() - begin;
    log(LogTopic::compile, name + (compiled ? ": compiled for " : ": loaded for ") + target);
    record_kernel({.name = name,
                   .target = target,
                   .key = request.key,
                   .compiled = compiled,
                   .kind = artifact->kind,
                   .frontend_seconds = artifact->frontend_seconds,
                   .lowering_seconds = artifact->lowering_seconds,
                   .assemble_seconds = artifact->assemble_seconds,
                   .wait_seconds = waited.count(),
                   .payload_bytes = artifact->payload.size(),
                   .entry = &entry});
    // Launches of other threads may come at once; the kernel lives for the process.
    entry.loaded.store(loaded.release(), std::memory_order_release);
    return &entry;
  } catch (const std::exception& error) {
    return refuse(entry, name + ": " + error.what(), generation);
  }
}

}  // namespace

KernelCache& kernel_cache() {
  static auto* const cache = new KernelCache;
  return *cache;
}

std::string_view last_refusal() { return refusal_now; }

CacheEntry* resolve(const SpecializationKey& key, const Kernel& kernel,
                    const ArgumentPack& arguments, const LaunchOptions& options, DeviceKind device,
                    int device_index) {
  CacheEntry& entry = kernel_cache().insert(key);
  Resolver& all = resolver();
  for (;;) {
    if (entry.loaded.load(std::memory_order_acquire) != nullptr) return &entry;
    const Refusal* refusal = entry.refusal.load(std::memory_order_acquire);
    if (refusal != nullptr && refusal->generation == compiler_generation()) {
      refusal_now = refusal->reason;
      return nullptr;
    }
    if (inside_compiler) {
      refusal_now = "a kernel was launched by the compiler while it compiled another one";
      return nullptr;
    }
    std::shared_ptr<InFlight> mine, other;
    {
      const std::lock_guard lock(all.mutex);
      auto& slot = all.in_flight[&entry];
      if (slot) {
        other = slot;
      } else if (entry.loaded.load(std::memory_order_acquire) == nullptr) {
        mine = slot = std::make_shared<InFlight>();
      } else {
        all.in_flight.erase(&entry);  // Another thread finished between the two looks.
        return &entry;
      }
    }
    if (other) {
      wait_for(*other);
      continue;
    }
    CacheEntry* const result =
        load_or_compile(entry, kernel, arguments, options, device, device_index);
    {
      const std::lock_guard lock(all.mutex);
      all.in_flight.erase(&entry);
    }
    {
      const std::lock_guard lock(mine->mutex);
      mine->done = true;
    }
    mine->changed.notify_all();
    return result;
  }
}

}  // namespace tilewise::runtime
