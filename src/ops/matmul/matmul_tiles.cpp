// SPDX-License-Identifier: Apache-2.0
#include "ops/matmul/matmul_tiles.h"

#include <ATen/Parallel.h>

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

// The largest of `most`, half of it, ... 64 that pads the extent hardly more than 64 does.
int64_t cpu_block(int64_t extent, int64_t most) {
  const auto padded = [&](int64_t block) { return ceil_div(extent, block) * block; };
  const int64_t enough = next_power_of_2(extent);
  for (int64_t block = most; block > 64; block /= 2)
    if (block <= enough && padded(block) * 25 <= padded(64) * 26) return block;
  return std::min<int64_t>(enough, 64);
}

// CPU: b, and what is no whole tile of a, are copied into the L2 cache once per use, so that a tile
// of c should have many rows; it stays in the L2 cache over the loop on k. GFLOP/s of one Zen 4
// core at 1024^3, bf16 (peak 236): 198 with 64 x 64 x 128, 204 with 128 x 64 x 256, 207 with 256 x
// 128 x 128; f32 (peak 118): 97 with 64 x 64 x 128, 106 with 128 x 64 x 128.
MatmulTile cpu_tile(runtime::DType dtype, int64_t batch, int64_t m, int64_t n, int64_t k) {
  MatmulTile tile{};
  const bool is_bf16 = dtype == DType::bf16;
  tile.block_m = cpu_block(m, is_bf16 ? 256 : dtype == DType::fp64 ? 64 : 128);
  tile.block_n = std::max<int64_t>(cpu_block(n, is_bf16 ? 128 : 64), 16);
  tile.block_k = std::clamp<int64_t>(next_power_of_2(k), 16, 128);
  tile.group_m = 8;
  const auto count = [&] { return batch * ceil_div(m, tile.block_m) * ceil_div(n, tile.block_n); };
  while (tile.block_m > 64 && count() < 4 * at::get_num_threads()) tile.block_m /= 2;
  while (tile.block_n > 64 && count() < 4 * at::get_num_threads()) tile.block_n /= 2;
  const int64_t work = std::max<int64_t>(tile.block_m * tile.block_n * k, 1);
  tile.options.grain = std::max<int64_t>(1, (int64_t{1} << 18) / work);
  return tile;
}

}  // namespace

MatmulTile choose_matmul_tile(bool on_cpu, runtime::DType dtype, bool tf32, int64_t batch,
                              int64_t m, int64_t n, int64_t k) {
  if (on_cpu) return cpu_tile(dtype, batch, m, n, k);
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
