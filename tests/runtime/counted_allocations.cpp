// SPDX-License-Identifier: Apache-2.0
// A file of its own: where the replaced operators are visible to their callers, GCC inlines them
// and takes malloc and free for a mismatched pair.
#include "counted_allocations.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace {
std::atomic<uint64_t> allocations{0};
}

uint64_t tilewise::allocation_count() { return allocations; }

void* operator new(size_t bytes) {
  ++allocations;
  if (void* memory = std::malloc(bytes)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
