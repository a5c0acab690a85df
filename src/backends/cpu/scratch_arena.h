// SPDX-License-Identifier: Apache-2.0
// Memory for tile values that do not fit registers: one arena per thread, 64-byte aligned, grown on
// demand and kept, so that a launch allocates only the first time a thread needs that much.
#pragma once

#include <cstddef>
#include <cstdlib>
#include <new>

namespace tilewise::backends {

class ScratchArena {
 public:
  ScratchArena() = default;
  ScratchArena(const ScratchArena&) = delete;
  ScratchArena& operator=(const ScratchArena&) = delete;
  ~ScratchArena() { std::free(memory_); }

  // Valid until the thread's next call. The content is whatever was there.
  char* reserve(size_t bytes) {
    if (bytes > capacity_) [[unlikely]]
      grow(bytes);
    return memory_;
  }

  static ScratchArena& of_this_thread() {
    thread_local ScratchArena arena;
    return arena;
  }

 private:
  void grow(size_t bytes) {
    constexpr size_t kPage = 4096;  // aligned_alloc wants a multiple of the alignment.
    const size_t rounded = (bytes + kPage - 1) / kPage * kPage;
    std::free(memory_);
    memory_ = static_cast<char*>(std::aligned_alloc(64, rounded));
    capacity_ = memory_ != nullptr ? rounded : 0;
    if (memory_ == nullptr) throw std::bad_alloc();
  }

  char* memory_ = nullptr;
  size_t capacity_ = 0;
};

}  // namespace tilewise::backends
