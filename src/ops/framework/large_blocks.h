// SPDX-License-Identifier: Apache-2.0
// Memory for large new tensors on a CPU.
//
// Note [Large blocks]
// malloc takes what is larger than 32 MiB from the system on every call, and often smaller blocks
// as well: 8192 page faults for 32 MiB, 8 to 15 ms, where an operator moves the same bytes in 2
// to 4. Blocks from here lie in huge pages, and freed ones are kept: one that is used again has its
// pages already. What is kept is bounded, and handed to the system by MADV_FREE, which takes the
// pages if it needs them before they are written again. Elsewhere than on Linux, malloc serves.
#pragma once

#include <c10/core/Allocator.h>

#include <cstddef>

namespace tilewise::ops {

// From here on blocks come from this allocator; smaller ones are PyTorch's.
inline constexpr size_t kLargeBlock = size_t{8} << 20;

// Lives as long as the process, as do tensors that hold its memory.
c10::Allocator* large_block_allocator();

}  // namespace tilewise::ops
