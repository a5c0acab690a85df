// SPDX-License-Identifier: Apache-2.0
// Where and how a kernel is launched.
#pragma once

#include <cstdint>

namespace tilewise::runtime {

struct Grid {
  int32_t x = 1;
  int32_t y = 1;
  int32_t z = 1;

  int64_t programs() const { return int64_t{x} * y * z; }
};

enum class DeviceKind : uint8_t { cpu, cuda, hip };
inline constexpr int kDeviceKinds = 3;

struct LaunchOptions {
  // Compile inputs on GPUs, ignored on the CPU (where they would only compile the same code twice).
  int num_warps = 4;
  int num_stages = 2;
  // Whether a * b + c may become one fused operation. A compile input everywhere.
  bool fp_fusion = true;
  // Programs that one CPU task runs at least; a launch of at most this many programs runs on the
  // calling thread. A hint: not a compile input.
  int64_t grain = 1;
};

}  // namespace tilewise::runtime
