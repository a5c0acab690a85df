// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/pointwise_tiles.h"

#include <algorithm>

#include "ops/framework/last_cache.h"
#include "ops/framework/launch.h"

namespace tilewise::ops {
namespace {

using codegen::InnerStride;

// Elements that one thread of the CPU handles at least; ATen's own grain
// (at::internal::GRAIN_SIZE).
constexpr int64_t kCpuGrain = 32768;

// Elements of a tile of a function that iterates. A GPU's threads loop on their own, with one
// element each: several, one after the other, are several copies of the loops. (zeta and igamma of
// 16 Mi on an H100, with loops that all lanes of a tile share, 4.1 and 6.5 ms with 8 elements a
// thread, 2.0 and 2.2 with one.)
constexpr int64_t kIterated = 128;

// Few distinct tiles, since each is a compilation: rows are covered by 16, 128 or 1024 columns.
int64_t columns_for(int64_t row_length) {
  return row_length <= 16 ? 16 : row_length <= 128 ? 128 : 1024;
}

// An operand whose neighbors lie along dimension 1 wants a square tile, so that both its accesses
// and the output's run along memory.
bool has_transposed_operand(const at::TensorIteratorBase& iter,
                            const codegen::PointwiseVariant& variant) {
  if (variant.rank < 2) return false;
  for (int i = 0; i < variant.operand_count(); ++i)
    if (variant.operands[static_cast<size_t>(i)].inner == InnerStride::any &&
        iter.strides(i)[1] == iter.element_size(i))
      return true;
  return false;
}

// Of all operands, repeated elements counted once.
size_t bytes_touched(const at::TensorIteratorBase& iter) {
  size_t bytes = 0;
  for (int i = 0; i < iter.ntensors(); ++i) {
    auto operand = static_cast<size_t>(iter.element_size(i));
    for (size_t d = 0; d < iter.shape().size(); ++d)
      if (iter.strides(i)[d] != 0) operand *= static_cast<size_t>(iter.shape()[d]);
    bytes += operand;
  }
  return bytes;
}

}  // namespace

bool streams_outputs(const at::TensorIteratorBase& iter) {
  if (!iter.device(0).is_cpu() || !exceeds_last_cache(bytes_touched(iter))) return false;
  // A line that is also read is in the cache already.
  for (int output = 0; output < iter.noutputs(); ++output)
    for (int input = iter.noutputs(); input < iter.ntensors(); ++input)
      if (iter.data_ptr(output) == iter.data_ptr(input)) return false;
  return true;
}

PointwiseTile choose_tile(const at::TensorIteratorBase& iter,
                          const codegen::PointwiseVariant& variant, bool iterates) {
  const bool on_cpu = iter.device(0).is_cpu();
  // Memory bounds integers (gcd, lcm), whose loops are short: lcm of 64 Mi int64 on an H100, 529 us
  // with eight elements a thread, 577 with one.
  if (!on_cpu && variant.compute != DType::fp32 && variant.compute != DType::fp64) iterates = false;
  const int64_t numel = iter.numel();
  PointwiseTile tile{};
  if (variant.is_flat()) {
    tile.block_y = 1;
    tile.block_x = iterates ? kIterated : on_cpu && numel > 1024 ? 4096 : 1024;
    tile.programs = ceil_div(numel, tile.block_x);
  } else {
    const int64_t row_length = iter.shape()[0];
    const bool square = has_transposed_operand(iter, variant);
    const int64_t elements = iterates ? kIterated : 1024;
    const int64_t side = iterates ? 16 : 32;
    tile.block_x = square ? side : std::min(elements, columns_for(row_length));
    tile.block_y = square ? side : elements / tile.block_x;
    tile.programs = ceil_div(row_length, tile.block_x) * ceil_div(numel / row_length, tile.block_y);
  }
  tile.options.num_warps = iterates ? static_cast<int>(tile.block_x * tile.block_y / 32) : 4;
  tile.options.num_stages = 1;
  tile.options.grain = std::max<int64_t>(1, kCpuGrain / (tile.block_x * tile.block_y));
  return tile;
}

}  // namespace tilewise::ops
