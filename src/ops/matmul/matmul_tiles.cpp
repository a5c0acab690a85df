// SPDX-License-Identifier: Apache-2.0
#include "ops/matmul/matmul_tiles.h"

#include <algorithm>

#include "ops/framework/launch.h"

namespace tilewise::ops {
namespace {

struct Row {
  int64_t least_tiles;  // Take the row if the output has at least so many tiles of it ...
  int64_t least_m;      // ... and m is at least this.
  int64_t block_m, block_n, block_k;
  int num_warps, num_stages;
};

// For a chip with 132 multiprocessors, largest tiles first: a tile is worth its size only where the
// chip stays filled. Register and spill counts for sm_90 are in the comments (warps of 32 threads).
constexpr Row kHalfRows[] = {
    {132, 512, 128, 256, 64, 8, 3},  // 238 registers, no spill, 147 KiB shared
    {100, 128, 128, 128, 64, 8, 3},  // 128
    {64, 64, 64, 128, 64, 4, 4},    {0, 32, 64, 64, 64, 4, 4},  // 72
    {0, 0, 16, 64, 128, 4, 4},  // 56: few rows, as in decoding; bound by reading b
};
constexpr Row kTf32Rows[] = {
    {100, 128, 128, 128, 32, 8, 3},  // 154
    {0, 32, 64, 64, 32, 4, 3},
    {0, 0, 16, 64, 64, 4, 3},
};
// Full f32 runs on the scalar units.
constexpr Row kFloatRows[] = {
    {100, 128, 128, 64, 16, 8, 3},  // 110
    {0, 32, 64, 64, 32, 4, 3},      // 96
    {0, 0, 16, 64, 32, 4, 3},
};
constexpr Row kDoubleRows[] = {
    {100, 64, 64, 64, 16, 4, 3},  // 159
    {0, 0, 32, 32, 32, 4, 2},     // 96
};

template <size_t N>
const Row& choose(const Row (&rows)[N], int64_t batch, int64_t m, int64_t n) {
  for (const Row& row : rows)
    if (m >= row.least_m &&
        batch * ceil_div(m, row.block_m) * ceil_div(n, row.block_n) >= row.least_tiles)
      return row;
  return rows[N - 1];
}

// CPU: a and b are copied into dense tiles of the L2 cache once per use, so that a tile of c should
// be large; the tile of c itself (16 to 32 KiB) stays in the L1 cache over the loop on k.
MatmulTile cpu_tile(int64_t m, int64_t n, int64_t k) {
  MatmulTile tile{};
  tile.block_m = std::min<int64_t>(next_power_of_2(m), 64);
  tile.block_n = std::clamp<int64_t>(next_power_of_2(n), 16, 64);
  tile.block_k = std::clamp<int64_t>(next_power_of_2(k), 16, 128);
  tile.group_m = 8;
  const int64_t work = std::max<int64_t>(tile.block_m * tile.block_n * k, 1);
  tile.options.grain = std::max<int64_t>(1, (int64_t{1} << 18) / work);
  return tile;
}

}  // namespace

MatmulTile choose_matmul_tile(bool on_cpu, runtime::DType dtype, bool tf32, int64_t batch,
                              int64_t m, int64_t n, int64_t k) {
  if (on_cpu) return cpu_tile(m, n, k);
  const Row& row = dtype == DType::fp64   ? choose(kDoubleRows, batch, m, n)
                   : dtype != DType::fp32 ? choose(kHalfRows, batch, m, n)
                   : tf32                 ? choose(kTf32Rows, batch, m, n)
                                          : choose(kFloatRows, batch, m, n);
  MatmulTile tile{row.block_m, row.block_n, row.block_k, 8, {}};
  tile.options.num_warps = row.num_warps;
  tile.options.num_stages = row.num_stages;
  return tile;
}

}  // namespace tilewise::ops
