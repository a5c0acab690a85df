// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/large_blocks.h"

#include <c10/core/CPUAllocator.h>

#ifdef __linux__
#include <sys/mman.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <new>
#include <vector>

namespace tilewise::ops {

#if defined(__linux__) && defined(MADV_FREE) && defined(MADV_HUGEPAGE)

namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Tensors that start at the same place of a page delay one another's loads and stores (bits 6 to 11
// of an address find a line in the first cache): each block's begins some lines later.
constexpr size_t kLine = 64;
constexpr size_t kPlaces = 32;

struct Block {
  char* begin = nullptr;
  size_t bytes = 0;         // whole huge pages
  size_t place = 0;         // where its tensor starts
  bool is_offered = false;  // to the system, by MADV_FREE
};

// The blocks freed last, up to this, are not offered: that takes 25 us for 8 MiB, as much as a
// third of what fills them.
constexpr size_t kLatest = size_t{128} << 20;

class LargeBlocks {
 public:
  Block take(size_t bytes) {
    const size_t needed = round_up(bytes + kPlaces * kLine);
    {
      const std::lock_guard lock(mutex_);
      // The one freed last of those that fit well: most of it may be in a cache.
      for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
        if (kept->bytes < needed || kept->bytes > needed + needed / 4) continue;
        Block block = *kept;
        block.is_offered = false;
        kept_.erase(std::next(kept).base());
        kept_bytes_ -= block.bytes;
        return block;
      }
    }
    return from_system(needed);
  }

  void give_back(const Block& block) {
    std::vector<Block> dropped;
    {
      const std::lock_guard lock(mutex_);
      kept_.push_back(block);
      kept_bytes_ += block.bytes;
      offer_older();
      size_t oldest = 0;
      for (; kept_bytes_ > limit_; ++oldest) {
        kept_bytes_ -= kept_[oldest].bytes;
        dropped.push_back(kept_[oldest]);
      }
      kept_.erase(kept_.begin(), kept_.begin() + static_cast<std::ptrdiff_t>(oldest));
    }
    for (const Block& old : dropped) munmap(old.begin, old.bytes);
  }

  size_t kept_bytes() {
    const std::lock_guard lock(mutex_);
    return kept_bytes_;
  }

 private:
  void offer_older() {
    size_t later = 0;
    for (auto kept = kept_.rbegin(); kept != kept_.rend(); ++kept) {
      later += kept->bytes;
      if (later <= kLatest || kept->is_offered) continue;
      madvise(kept->begin, kept->bytes, MADV_FREE);
      kept->is_offered = true;
    }
  }

  static size_t round_up(size_t bytes) { return (bytes + kHugePage - 1) / kHugePage * kHugePage; }

  // A sixteenth of the memory, 1 GiB at most.
  static size_t find_limit() {
    const auto pages = static_cast<size_t>(std::max(0L, sysconf(_SC_PHYS_PAGES)));
    const auto page = static_cast<size_t>(std::max(0L, sysconf(_SC_PAGESIZE)));
    return std::min(pages * page / 16, size_t{1} << 30);
  }

  Block from_system(size_t bytes) {
    void* mapped = mmap(nullptr, bytes + kHugePage, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapped == MAP_FAILED) return {};
    char* const first = static_cast<char*>(mapped);
    const size_t before = (kHugePage - reinterpret_cast<uintptr_t>(first) % kHugePage) % kHugePage;
    if (before > 0) munmap(first, before);
    if (before < kHugePage) munmap(first + before + bytes, kHugePage - before);
    madvise(first + before, bytes, MADV_HUGEPAGE);
    const std::lock_guard lock(mutex_);
    return {first + before, bytes, (next_place_++ % kPlaces) * kLine};
  }

  std::mutex mutex_;
  std::vector<Block> kept_;  // in the order in which they were freed
  size_t kept_bytes_ = 0;
  size_t next_place_ = 1;
  const size_t limit_ = find_limit();
};

LargeBlocks& blocks() {
  static auto* const instance = new LargeBlocks;
  return *instance;
}

void report(const Block& block, int64_t bytes) {
  if (!c10::memoryProfilingEnabled()) return;
  const size_t kept = blocks().kept_bytes();
  c10::reportMemoryUsageToProfiler(block.begin + block.place, bytes, 0, kept,
                                   c10::Device(c10::kCPU));
}

void release(void* context) {
  auto* const block = static_cast<Block*>(context);
  report(*block, -static_cast<int64_t>(block->bytes));
  blocks().give_back(*block);
  delete block;
}

class LargeBlockAllocator final : public c10::Allocator {
 public:
  c10::DataPtr allocate(size_t bytes) override {
    if (bytes < kLargeBlock) return c10::GetCPUAllocator()->allocate(bytes);
    const Block block = blocks().take(bytes);
    // PyTorch's own allocator has the error for memory that there is not.
    if (block.begin == nullptr) return c10::GetCPUAllocator()->allocate(bytes);
    report(block, static_cast<int64_t>(block.bytes));
    return {block.begin + block.place, new Block(block), &release, c10::Device(c10::kCPU)};
  }
  void copy_data(void* to, const void* from, size_t bytes) const override {
    default_copy_data(to, from, bytes);
  }
};

}  // namespace

c10::Allocator* large_block_allocator() {
  static auto* const allocator = new LargeBlockAllocator;
  return allocator;
}

#else

c10::Allocator* large_block_allocator() { return c10::GetCPUAllocator(); }
#endif

}  // namespace tilewise::ops
