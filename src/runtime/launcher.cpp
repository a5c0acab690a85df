// SPDX-License-Identifier: Apache-2.0
#include "runtime/launcher.h"

#include "runtime/backend.h"
#include "runtime/kernel_cache.h"
#include "runtime/kernel_resolver.h"

namespace tilewise::runtime {

bool launch(const Kernel& kernel, const ArgumentPack& arguments, const LaunchOptions& options,
            Grid grid, DeviceKind device, int device_index, void* stream) {
  if (grid.x <= 0 || grid.y <= 0 || grid.z <= 0) return true;
  const SpecializationKey key(kernel, arguments, options, device, device_index);
  CacheEntry* entry = kernel_cache().find(key);
  const LoadedKernel* loaded =
      entry != nullptr ? entry->loaded.load(std::memory_order_acquire) : nullptr;
  if (loaded == nullptr) [[unlikely]] {
    entry = resolve(key, kernel, arguments, options, device, device_index);
    if (entry == nullptr) return false;
    loaded = entry->loaded.load(std::memory_order_acquire);
  }
  entry->launches.fetch_add(1, std::memory_order_relaxed);
  loaded->launch(arguments.slots(), arguments.slot_count(), grid, options, stream);
  return true;
}

bool prepare(const Kernel& kernel, const ArgumentPack& arguments, const LaunchOptions& options,
             DeviceKind device, int device_index) {
  const SpecializationKey key(kernel, arguments, options, device, device_index);
  return resolve(key, kernel, arguments, options, device, device_index) != nullptr;
}

}  // namespace tilewise::runtime
