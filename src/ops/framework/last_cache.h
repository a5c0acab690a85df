// SPDX-License-Identifier: Apache-2.0
// What the CPU's last caches hold, which decides between stores into the cache and past it.
#pragma once

#include <cstddef>

namespace tilewise::ops {

// Whether the bytes that an operator reads and writes exceed the last caches of the CPUs that
// PyTorch's threads run on: the end of its output would then push out the beginning.
bool exceeds_last_cache(size_t bytes);

}  // namespace tilewise::ops
