// SPDX-License-Identifier: Apache-2.0
// Tile shapes of the matrix product, by device, dtype and size.
#pragma once

#include <cstdint>

#include "runtime/dtype.h"
#include "runtime/launch_options.h"

namespace tilewise::ops {

struct MatmulTile {
  int64_t block_m;
  int64_t block_n;
  int64_t block_k;
  int64_t group_m;
  runtime::LaunchOptions options;
};

MatmulTile choose_matmul_tile(bool on_cpu, runtime::DType dtype, bool tf32, int64_t batch,
                              int64_t m, int64_t n, int64_t k);

}  // namespace tilewise::ops
