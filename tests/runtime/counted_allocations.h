// SPDX-License-Identifier: Apache-2.0
// How often this test program has called operator new; link counted_allocations.cpp.
#pragma once

#include <cstdint>

namespace tilewise {

uint64_t allocation_count();

}  // namespace tilewise
