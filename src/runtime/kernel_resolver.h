// SPDX-License-Identifier: Apache-2.0
// The slow path of a launch: from a key without a loaded kernel to one with it, through the store
// and the compiler. Not for callers of the runtime; they use launcher.h.
#pragma once

#include "runtime/kernel_cache.h"

namespace tilewise::runtime {

// The process's cache, which lives until the process ends.
KernelCache& kernel_cache();

// The entry of `key` with a loaded kernel; nullptr if refused, the reason then in last_refusal().
// Threads that miss on one key compile it once: the others wait without holding a lock that the
// compiler needs (compiler_client.h, Note [Waiting for a compiler that needs a host lock]). A
// refusal is remembered until the compiler or the mode changes.
CacheEntry* resolve(const SpecializationKey& key, const Kernel& kernel,
                    const ArgumentPack& arguments, const LaunchOptions& options, DeviceKind device,
                    int device_index);

}  // namespace tilewise::runtime
