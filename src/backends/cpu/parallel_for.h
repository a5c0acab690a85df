// SPDX-License-Identifier: Apache-2.0
// How the CPU backend runs tasks. The PyTorch side installs at::parallel_for, so that kernels share
// the thread pool and the thread count of the process; without it programs run one after another.
#pragma once

#include <cstdint>

namespace tilewise::backends {

// Calls body(begin, end, context) on disjoint ranges that cover [begin, end), each of at least
// `grain` items where there are that many, and returns when all are done. An exception of the body
// reaches the caller.
using ParallelFor = void (*)(int64_t begin, int64_t end, int64_t grain,
                             void (*body)(void* context, int64_t begin, int64_t end),
                             void* context);

void set_parallel_for(ParallelFor function);  // nullptr: serial again.
ParallelFor parallel_for();

}  // namespace tilewise::backends
