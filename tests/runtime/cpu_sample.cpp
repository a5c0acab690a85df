// SPDX-License-Identifier: Apache-2.0
// A kernel as the CPU compiler's interface describes it: counts its programs, and checks the
// scratch memory that it gets.
#include <cstdint>

extern "C" void sample_kernel(const uint64_t* args, const int32_t* grid, int64_t first,
                              int64_t last, char* scratch) {
  auto* const out = reinterpret_cast<int32_t*>(args[0]);
  for (int64_t program = first; program < last; ++program) {
    const bool aligned = scratch != nullptr && reinterpret_cast<uintptr_t>(scratch) % 64 == 0;
    scratch[0] = scratch[9999] = 1;
    out[program] += aligned ? static_cast<int32_t>(args[1]) * grid[0] : -1;
  }
}
