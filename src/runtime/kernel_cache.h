// SPDX-License-Identifier: Apache-2.0
// From a specialization key to its loaded kernel. find() is what every launch does: no lock, no
// allocation. Entries are only ever added.
//
// Note [Lock-free reads of the kernel cache]
// The table is an array of atomic pointers to immutable keys, open addressing, linear probing, at
// most half full. A writer (under the mutex) fills the entry before it stores the pointer with
// release order; a reader loads with acquire order, so it sees a whole entry or none. To grow, a
// bigger table is filled with the same entries and then published; the old table is kept, because
// a reader may be inside it (their sizes double, so all of them together are less than the newest).
// A reader that misses a very new entry comes to the slow path, which looks again under its lock.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "runtime/backend.h"
#include "runtime/specialization.h"

namespace tilewise::runtime {

struct Refusal {
  std::string reason;
  uint64_t generation;  // compiler_generation() when it was refused.
};

struct CacheEntry {
  CacheEntry(uint64_t hash_value, const uint64_t* key_words, int key_count)
      : hash(hash_value), words(key_words, key_words + key_count) {}

  bool matches(const SpecializationKey& key) const {
    return hash == key.hash && words.size() == static_cast<size_t>(key.count) &&
           std::equal(words.begin(), words.end(), key.words);
  }
  uint32_t kernel_id() const { return static_cast<uint32_t>(words[0] >> 32); }

  const uint64_t hash;
  // nullptr until a binary is loaded; never changes afterwards.
  std::atomic<const LoadedKernel*> loaded{nullptr};
  std::atomic<const Refusal*> refusal{nullptr};
  const std::vector<uint64_t> words;
  // Its own line: threads that only look up other fields are not slowed by the counting.
  alignas(64) mutable std::atomic<uint64_t> launches{0};
};

class KernelCache {
 public:
  KernelCache();

  // The entry of `key`, or nullptr.
  CacheEntry* find(const SpecializationKey& key) const {
    const Table& table = *table_.load(std::memory_order_acquire);
    for (uint64_t i = key.hash & table.mask;; i = (i + 1) & table.mask) {
      CacheEntry* entry = table.slots[i].load(std::memory_order_acquire);
      if (entry == nullptr || entry->matches(key)) return entry;
    }
  }

  // The entry of `key`, made if there is none.
  CacheEntry& insert(const SpecializationKey& key);

  size_t size() const;
  // Calls visit(const CacheEntry&) for every entry.
  template <class Visitor>
  void for_each(Visitor visit) const {
    const std::lock_guard lock(mutex_);
    for (const auto& entry : entries_) visit(*entry);
  }

 private:
  struct Table {
    explicit Table(size_t capacity)
        : mask(capacity - 1), slots(new std::atomic<CacheEntry*>[capacity] {}) {}
    const uint64_t mask;
    const std::unique_ptr<std::atomic<CacheEntry*>[]> slots;
  };

  static void place(Table& table, CacheEntry* entry);

  std::atomic<Table*> table_;
  mutable std::mutex mutex_;  // Guards the members below and all writes to the tables.
  std::vector<std::unique_ptr<Table>> tables_;
  std::vector<std::unique_ptr<CacheEntry>> entries_;
};

}  // namespace tilewise::runtime
