// SPDX-License-Identifier: Apache-2.0
// Gives the CPU backend PyTorch's own thread pool, so that torch.set_num_threads holds for our
// kernels too and both never oversubscribe the cores.
#include <ATen/Parallel.h>

#include "backends/cpu/parallel_for.h"

namespace tilewise::ops {
namespace {

void parallel_for(int64_t begin, int64_t end, int64_t grain, void (*body)(void*, int64_t, int64_t),
                  void* context) {
  at::parallel_for(begin, end, grain,
                   [&](int64_t first, int64_t last) { body(context, first, last); });
}

[[maybe_unused]] const bool installed = (backends::set_parallel_for(&parallel_for), true);

}  // namespace
}  // namespace tilewise::ops
