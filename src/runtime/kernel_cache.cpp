// SPDX-License-Identifier: Apache-2.0
#include "runtime/kernel_cache.h"

namespace tilewise::runtime {

KernelCache::KernelCache() {
  constexpr size_t kInitialCapacity = 1024;
  tables_.push_back(std::make_unique<Table>(kInitialCapacity));
  table_.store(tables_.back().get(), std::memory_order_release);
}

void KernelCache::place(Table& table, CacheEntry* entry) {
  uint64_t i = entry->hash & table.mask;
  while (table.slots[i].load(std::memory_order_relaxed) != nullptr) i = (i + 1) & table.mask;
  table.slots[i].store(entry, std::memory_order_release);
}

CacheEntry& KernelCache::insert(const SpecializationKey& key) {
  const std::lock_guard lock(mutex_);
  if (CacheEntry* existing = find(key)) return *existing;
  entries_.push_back(std::make_unique<CacheEntry>(key.hash, key.words, key.count));
  CacheEntry* entry = entries_.back().get();
  const size_t capacity = tables_.back()->mask + 1;
  if (entries_.size() * 2 > capacity) {
    auto bigger = std::make_unique<Table>(capacity * 2);
    for (const auto& known : entries_) place(*bigger, known.get());
    tables_.push_back(std::move(bigger));
    table_.store(tables_.back().get(), std::memory_order_release);
  } else {
    place(*tables_.back(), entry);
  }
  return *entry;
}

size_t KernelCache::size() const {
  const std::lock_guard lock(mutex_);
  return entries_.size();
}

}  // namespace tilewise::runtime
