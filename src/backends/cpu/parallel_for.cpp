// SPDX-License-Identifier: Apache-2.0
#include "backends/cpu/parallel_for.h"

#include <atomic>

namespace tilewise::backends {
namespace {

void serial(int64_t begin, int64_t end, int64_t, void (*body)(void*, int64_t, int64_t),
            void* context) {
  if (begin < end) body(context, begin, end);
}

std::atomic<ParallelFor> parallel_for_now{&serial};

}  // namespace

void set_parallel_for(ParallelFor function) {
  parallel_for_now.store(function != nullptr ? function : &serial, std::memory_order_release);
}

ParallelFor parallel_for() { return parallel_for_now.load(std::memory_order_acquire); }

}  // namespace tilewise::backends
