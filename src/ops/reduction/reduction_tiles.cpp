// SPDX-License-Identifier: Apache-2.0
#include "ops/reduction/reduction_tiles.h"

#include <algorithm>

#include "ops/framework/launch.h"

namespace tilewise::ops {
namespace {

using codegen::Split;

// Additions that one CPU task makes at least; ATen's own grain (at::internal::GRAIN_SIZE).
constexpr int64_t kCpuGrain = 32768;
// Elements that one lane adds up one after the other, at most: a float32 sum's error grows with the
// square root of it. ATen's sums cascade: of (1000, 70) one chain of 1000 was 7 times as far off.
constexpr int64_t kLongestChain = 128;

constexpr int64_t kCpuAccumulatorBytes = 1024;

// GPU. A thread loads 16 bytes at a time and has four such loads under way before it uses the
// first: 64 KiB a multiprocessor at half its threads, about twice what 4 TB/s at 700 ns need.
constexpr int64_t kThreads = 128;
constexpr int64_t kLoadBytes = 16;
constexpr int64_t kUnroll = 4;
// Four programs on each of 132 multiprocessors (H100, H200); below it a reduction is split, into
// about twice as many.
constexpr int64_t kPrograms = 528;
// Six programs, of outer tiles of several accumulators, which are costly to combine. var_mean of
// the columns of (8192, 8192) bf16 on an H100: nine splits 71 us with Welford's update, six 66.8,
// four 66.6; eight 67.3 with distances from a shift, four 65.0.
constexpr int64_t kCostlyPrograms = 792;
// Well below CUDA's limit of 65535 programs along an axis other than the first.
constexpr int64_t kMostSplits = 32768;
// Registers of a thread for accumulators: 32 of 4 bytes.
constexpr int64_t kAccumulatorBytes = 32 * 4;
// Bytes of neighboring results that an outer tile covers: a whole line. Of 290 shapes of tiles this
// and 16 to 64 rows were the fastest for the first step of a sum over the columns of (8192, 8192)
// bf16 on an H100: 58.3 us, against 60 with two lines; a copy's bandwidth would give 46.7.
constexpr int64_t kOuterBytes = 128;
// Rows of at least this length, in bytes, are worth 16 warps: the sum of (8192, 8192) bf16 over
// rows takes 54.7 to 55.3 us with 512 threads in the best shapes of tiles, 56 with 128.
constexpr int64_t kLongRowBytes = 16384;

int64_t previous_power_of_2(int64_t n) { return next_power_of_2(n / 2 + 1); }

class TileChooser {
 public:
  explicit TileChooser(const ReductionShape& shape)
      : shape_(shape), kept0_(shape.kept.back()), reduced0_(shape.reduced.back()) {
    for (const Dimension& dimension : shape.kept) kept_numel_ *= dimension.size;
    for (const Dimension& dimension : shape.reduced) reduced_numel_ *= dimension.size;
  }

  ReductionTile choose() {
    tile_.lanes_are_last = lanes_are_last();
    if (shape_.on_cpu)
      choose_on_cpu();
    else
      choose_on_gpu();
    if (tile_.split != Split::none) tile_.splits = ceil_div(split_extent(), tile_.split_length);
    tile_.grid = grid_1d(programs());
    tile_.grid.y = static_cast<int32_t>(tile_.splits);
    tile_.options.num_stages = 1;
    const int64_t work = ceil_div(reduced_numel_, tile_.splits) * tile_.kept;
    tile_.options.grain = std::max<int64_t>(1, kCpuGrain / std::max<int64_t>(1, work));
    return tile_;
  }

 private:
  // Lanes run along memory: along the results only if these lie closer together and are enough.
  bool lanes_are_last() const {
    if (kept_numel_ == 1) return true;
    const int64_t kept = kept0_.strides[0], reduced = reduced0_.strides[0];
    if (kept == 0 || (kept != 1 && reduced != 0 && reduced <= kept)) return true;
    if (kept == 1 && reduced == 1 && reduced0_.size > kept0_.size) return true;
    // Few neighbors in each of many groups: whole groups in a tile of rows.
    return !shape_.on_cpu && kept0_.size * shape_.element_bytes < 32 && kept0_.size != kept_numel_;
  }

  // Programs along the grid's first axis.
  int64_t programs() const {
    if (tile_.lanes_are_last) return ceil_div(kept_numel_, tile_.kept);
    return kept_numel_ / kept0_.size * ceil_div(kept0_.size, tile_.kept);
  }

  int64_t reduced_outer() const { return reduced_numel_ / reduced0_.size; }

  // Extent of the dimension that program_id(1) splits.
  int64_t split_extent() const {
    return tile_.split == Split::inner ? reduced0_.size : reduced_outer();
  }

  // Accumulators fit half of the vector registers (AVX-512: 1 KiB), so that they never leave them.
  // Along the reduced dimension half of that is enough for the adders' latency and leaves less to
  // combine at the end of a row: sum of (1024, 4096) f32 on one core, 260 us with 256 lanes, 244
  // with 128. The sum of a row has 128 for its error, though 64 would do: an extremum, which has
  // none, takes 98 us on two cores with 64 and 104 with 128, since more registers are left.
  void choose_on_cpu() {
    const int64_t length = tile_.lanes_are_last ? reduced0_.size : kept0_.size;
    const int64_t most = !tile_.lanes_are_last ? 256 : shape_.is_exact ? 64 : 128;
    int64_t vector = std::min<int64_t>(most, length <= 16    ? 16
                                             : length <= 64  ? 64
                                             : length <= 128 ? 128
                                                             : 256);
    while (vector > 16 && vector * shape_.accumulator_bytes > kCpuAccumulatorBytes) vector /= 2;
    if (tile_.lanes_are_last) {
      tile_.lanes = vector;
    } else {
      tile_.kept = vector;
      tile_.lanes = length > 64 ? 1 : length > 16 ? 4 : 8;
    }
    if (!shape_.may_split || shape_.reduced.size() > 1) return;
    if (!tile_.lanes_are_last && reduced0_.size >= 2 * kLongestChain * tile_.lanes)
      split(Split::inner, kLongestChain * tile_.lanes);
    else if (tile_.lanes_are_last && kept_numel_ <= 16 && reduced0_.size >= 4 * kCpuGrain)
      split(Split::inner, kCpuGrain);
  }

  void choose_on_gpu() {
    int64_t threads = kThreads;
    int64_t step = threads * std::max<int64_t>(1, kLoadBytes / shape_.element_bytes);
    while (step * shape_.accumulator_bytes > threads * kAccumulatorBytes) step /= 2;
    tile_.is_packed = shape_.reduced.size() > 1 && next_power_of_2(reduced0_.size) * 2 <= step;
    const int64_t length = tile_.is_packed ? reduced_numel_ : reduced0_.size;
    if (tile_.lanes_are_last) {
      if (length * shape_.element_bytes >= kLongRowBytes && shape_.accumulators == 1) {
        tile_.options.num_warps = 16;
        threads *= 4;
        step *= 4;
      }
      tile_.lanes = std::min(next_power_of_2(length), step);
      tile_.unroll = unroll_for(length);
      tile_.kept = std::min({step * kUnroll / (tile_.lanes * tile_.unroll),
                             threads * kAccumulatorBytes / (tile_.lanes * shape_.accumulator_bytes),
                             next_power_of_2(kept_numel_)});
      tile_.kept = std::max<int64_t>(1, tile_.kept);
      while (tile_.kept > 1 && programs() < kPrograms) tile_.kept /= 2;
    } else {
      tile_.kept = std::min(next_power_of_2(kept0_.size), kOuterBytes / shape_.element_bytes);
      tile_.lanes = std::min(next_power_of_2(length), std::max<int64_t>(1, step / tile_.kept));
      tile_.unroll = unroll_for(length);
    }
    if (tile_.is_packed) {
      tile_.inner = next_power_of_2(reduced0_.size);
      tile_.lanes = std::max(tile_.lanes, tile_.inner);
    }
    if (shape_.may_split) choose_split();
  }

  int unroll_for(int64_t length) const {
    return static_cast<int>(
        std::clamp<int64_t>(previous_power_of_2(length / tile_.lanes), 1, kUnroll));
  }

  void choose_split() {
    const int64_t elements = tile_.lanes * tile_.unroll;
    const bool is_costly = !tile_.lanes_are_last && shape_.accumulators > 1;
    const int64_t wanted = is_costly ? std::max<int64_t>(2, kCostlyPrograms / programs())
                                     : ceil_div(2 * kPrograms, programs());
    // Also where rows are long, but have too few turns to share: 64 images of 3136 pixels.
    const int64_t row_turns = reduced0_.size / elements;
    const bool along_outer =
        tile_.is_packed || reduced_outer() > reduced0_.size ||
        (tile_.lanes_are_last && row_turns < wanted && reduced_outer() > row_turns);
    const Split dimension = along_outer ? Split::outer : Split::inner;
    // What one turn of the loop over that dimension covers, of it and of all elements.
    const int64_t turn = tile_.is_packed ? tile_.lanes / tile_.inner * tile_.unroll
                         : along_outer   ? 1
                                         : tile_.lanes * tile_.unroll;
    const int64_t extent = along_outer ? reduced_outer() : reduced0_.size;
    // A second launch costs about as much as eight turns of one program.
    int64_t splits = 1;
    if (programs() < kPrograms && reduced_numel_ >= 8 * elements)
      splits = std::min({wanted, reduced_numel_ / (2 * elements), extent / turn});
    int64_t length = extent;
    if (splits > 1) length = ceil_div(ceil_div(extent, splits), turn) * turn;
    // Lanes of an outer tile are few: keep their chains short.
    if (!tile_.lanes_are_last && !along_outer)
      length =
          std::max(std::min(length, kLongestChain * tile_.lanes), ceil_div(extent, kMostSplits));
    if (length < extent) split(dimension, length);
  }

  void split(Split dimension, int64_t length) {
    tile_.split = dimension;
    tile_.split_length = length;
  }

  const ReductionShape& shape_;
  const Dimension& kept0_;
  const Dimension& reduced0_;
  int64_t kept_numel_ = 1;
  int64_t reduced_numel_ = 1;
  ReductionTile tile_{};
};

}  // namespace

ReductionTile choose_reduction_tile(const ReductionShape& shape) {
  return TileChooser(shape).choose();
}

}  // namespace tilewise::ops
