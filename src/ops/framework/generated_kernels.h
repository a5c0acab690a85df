// SPDX-License-Identifier: Apache-2.0
// The kernels that were generated for one operator so far, by what they were generated from. Some
// ten entries in practice; grows at its head, so that readers need no lock.
#pragma once

#include <atomic>
#include <mutex>

#include "runtime/kernel.h"

namespace tilewise::ops {

template <class Variant>
class GeneratedKernels {
 public:
  // The kernel of `variant`; `make()` returns a new one where there is none.
  template <class Make>
  const runtime::Kernel& find(const Variant& variant, const Make& make) {
    if (const Entry* found = look_up(variant)) return found->kernel;
    const std::lock_guard lock(mutex_);
    if (const Entry* found = look_up(variant)) return found->kernel;
    auto* entry = new Entry{variant, make(), head_.load(std::memory_order_relaxed)};
    head_.store(entry, std::memory_order_release);
    return entry->kernel;
  }

 private:
  struct Entry {  // lives for the process
    Variant variant;
    runtime::Kernel kernel;
    const Entry* next;
  };

  const Entry* look_up(const Variant& variant) const {
    for (auto* entry = head_.load(std::memory_order_acquire); entry; entry = entry->next)
      if (entry->variant == variant) return entry;
    return nullptr;
  }

  std::atomic<const Entry*> head_{nullptr};
  std::mutex mutex_;  // writers
};

}  // namespace tilewise::ops
