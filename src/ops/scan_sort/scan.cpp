// SPDX-License-Identifier: Apache-2.0
#include "ops/scan_sort/scan.h"

#include <ATen/WrapDimUtils.h>

#include <algorithm>

#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

using codegen::ScanPass;
using codegen::ScanVariant;

// Elements that one CPU task handles at least; a scanned element costs about four additions.
constexpr int64_t kCpuGrain = 8192;

// Of fewer rows than these each is split for the threads, where a split is worth the first pass:
// a fourth of the second one's time for a sum.
constexpr int64_t kCpuSplits = 8;
constexpr int64_t kCpuShortestSplit = 16384;

// GPU, split rows: one launch (kernels/scan_sort/look_back.py), whose programs read 32 KiB, wait
// for what comes before it and read it again, from the cache. cumsum of 64 Mi bf16 on an H100 takes
// 118 us in a plain kernel of this shape, and 145 at least in two launches, as both read memory (19
// shapes); a copy takes 95. Of 75 shapes of one launch the fastest take 114 to 115, with a tile as
// loaded or the scanned one in registers, which is not for all accumulators; 2048 elements on 2
// warps 293.
constexpr int64_t kLookBackWarps = 8;
constexpr int64_t kLookBackSteps = 4;
constexpr int64_t kLookBackPrograms = 1056;  // fewer steps before fewer programs than these
constexpr int64_t kGroup = 128;              // 64 and 256 are alike
constexpr int64_t kMostGroups = 4096;
// That read the totals of a group, or of all groups: the threads of 8 warps of 64.
constexpr int64_t kLookBackLanes = 512;

struct ScanTile {
  bool lanes_are_last;
  int64_t kept = 1;
  int64_t lanes;
  int unroll = 1;
  int chain = 1;
  int64_t split_length;
  int64_t splits = 1;
  bool looks_back = false;
  Grid grid;
  LaunchOptions options;
};

struct ScanShape {
  const DimensionList& kept;  // views: 0 the input, 1... the outputs
  int64_t length;
  int64_t stride;  // of the input along the row
  int64_t element_bytes;
  int accumulators;
  int64_t accumulator_bytes;  // of all of them
  bool on_cpu;
};

// GPU, rows side by side: 64 bytes of them, 16 a thread, and up to 16 elements of each in the
// thread, 128 registers of accumulators. Only their total is scanned across the 32 lanes. Of 25
// shapes for the columns of (8192, 8192) bf16 on an H100: 112 us; 116 with 8 elements, where a copy
// takes 93.
void choose_chain(ScanTile& tile, const ScanShape& shape) {
  constexpr int64_t kLanes = 32, kLongest = 16, kRegisters = 128;
  const int64_t neighbors = std::max<int64_t>(1, 16 / shape.element_bytes);
  const int64_t registers = std::max<int64_t>(1, neighbors * shape.accumulator_bytes / 4);
  const int64_t chain = std::clamp<int64_t>(kRegisters / registers, 2, kLongest);
  if (shape.length < chain * kLanes) return;
  tile.chain = static_cast<int>(chain);
  tile.lanes = kLanes;
  tile.kept = std::min<int64_t>(tile.kept, 64 / shape.element_bytes);
  tile.options.num_warps = 4;
}

// With twice the warps two tiles are as many elements as four were.
void choose_look_back(ScanTile& tile, const ScanShape& shape, int64_t rows) {
  const int64_t step = tile.lanes * tile.unroll;
  tile.looks_back = true;
  tile.options.num_warps = kLookBackWarps;
  tile.lanes *= 2;
  tile.unroll /= 2;
  const int64_t steps =
      std::clamp<int64_t>(rows * shape.length / step / kLookBackPrograms, 1, kLookBackSteps);
  const int64_t shortest = ceil_div(shape.length, kGroup * kMostGroups);
  tile.split_length = std::max(steps, ceil_div(shortest, step)) * step;
  tile.splits = ceil_div(shape.length, tile.split_length);
}

// A function of the shape alone, as for reductions: equal bits on every machine of a kind.
ScanTile choose_tile(const ScanShape& shape) {
  const Dimension& kept0 = shape.kept.back();
  const int64_t kept = numel(shape.kept);
  ScanTile tile{};
  tile.lanes_are_last = shape.stride == 1 || kept0.strides[0] != 1 || kept0.size < 8;
  const int64_t length = next_power_of_2(shape.length);
  if (shape.on_cpu) {
    // A row's lanes are scanned in a register at a time, which is some more work. Where it is long
    // (several accumulators), 8 rows are done at a time instead.
    const bool has_side_rows = shape.accumulators > 1 && kept >= 64;
    tile.lanes = std::min<int64_t>(length, !tile.lanes_are_last ? 8 : has_side_rows ? 64 : 1024);
    tile.kept = tile.lanes_are_last ? (has_side_rows ? 8 : 1) : kept0.size <= 16 ? 16 : 64;
  } else if (tile.lanes_are_last) {
    // 16 bytes a thread and tile, several tiles loaded ahead: the scans of a tile wait for the
    // lanes' results, not for memory.
    const int64_t step = 128 * std::max<int64_t>(1, 16 / shape.element_bytes);
    tile.lanes = std::min(length, step);
    tile.unroll = static_cast<int>(
        std::clamp<int64_t>(next_power_of_2(shape.length / tile.lanes / 2 + 1), 1, 4));
    tile.kept = std::clamp<int64_t>(step / tile.lanes, 1, next_power_of_2(kept));
    while (tile.kept > 1 && ceil_div(kept, tile.kept) < 528) tile.kept /= 2;
  } else {
    tile.kept = std::min<int64_t>(next_power_of_2(kept0.size), 128 / shape.element_bytes);
    tile.lanes = std::min<int64_t>(length, 4096 / tile.kept);
    tile.options.num_warps = 8;
    choose_chain(tile, shape);
  }
  const int64_t programs = tile.lanes_are_last
                               ? ceil_div(kept, tile.kept)
                               : kept / kept0.size * ceil_div(kept0.size, tile.kept);
  tile.split_length = shape.length;
  const int64_t step = tile.lanes * tile.unroll * tile.chain;
  const bool is_split_on_gpu = !shape.on_cpu && programs < 132 && shape.length >= 8 * step;
  if (is_split_on_gpu && tile.lanes_are_last) {
    choose_look_back(tile, shape, programs);
  } else if (is_split_on_gpu) {
    const int64_t splits =
        std::min<int64_t>({1024, ceil_div(1056, programs), shape.length / (2 * step)});
    tile.split_length = ceil_div(ceil_div(shape.length, splits), step) * step;
    tile.splits = ceil_div(shape.length, tile.split_length);
  }
  if (shape.on_cpu && programs < kCpuSplits && shape.length >= kCpuSplits * kCpuShortestSplit) {
    tile.split_length = ceil_div(ceil_div(shape.length, kCpuSplits), step) * step;
    tile.splits = ceil_div(shape.length, tile.split_length);
  }
  tile.grid = grid_1d(tile.looks_back ? kept * tile.splits : programs);
  if (!tile.looks_back) tile.grid.y = static_cast<int32_t>(tile.splits);
  tile.options.num_stages = 1;
  tile.options.grain =
      std::max<int64_t>(1, kCpuGrain / std::max<int64_t>(1, tile.split_length * tile.kept));
  return tile;
}

}  // namespace

Scan::Scan(const ScanDeclaration& declaration)
    : functions_{declaration.module, declaration.combine, declaration.prepare, declaration.finish,
                 declaration.merge},
      declaration_(declaration) {
  for (const Accumulator& accumulator : declaration_.accumulators)
    accumulators_ += accumulator.type != Accumulator::none;
}

void Scan::run(const at::Tensor& self, int64_t dim,
               std::initializer_list<const at::Tensor*> outputs, at::ScalarType compute) {
  const int64_t axis = self.dim() == 0 ? 0 : at::maybe_wrap_dim(dim, self.dim());
  Dimensions kept_dims;
  ViewStrides row_strides{1, 1, 1, 1};
  int64_t length = 1;
  for (int64_t i = 0; i < self.dim(); ++i) {
    ViewStrides strides{self.stride(i)};
    size_t view = 1;
    for (const at::Tensor* output : outputs) strides[view++] = output->stride(i);
    if (i == axis) {
      length = self.size(i);
      row_strides = strides;
    } else {
      kept_dims.add(self.size(i), strides);
    }
  }
  const DimensionList& kept = kept_dims.merge();

  ScanVariant variant;
  variant.accumulators = accumulators_;
  variant.outputs = static_cast<uint8_t>(outputs.size());
  variant.kept_rank = static_cast<uint8_t>(kept.size());
  variant.is_indexed = declaration_.is_indexed;
  variant.has_wide_index = length > INT32_MAX;
  variant.compute = accumulate_type(element_type(compute).value());
  int64_t accumulator_bytes = 0, accumulator_words = 0;
  for (size_t i = 0; i < accumulators_; ++i) {
    const Accumulator& accumulator = declaration_.accumulators[i];
    variant.accumulator[i] =
        accumulator_type(accumulator.type, variant.compute, variant.has_wide_index);
    variant.identity[i] = identity_literal(accumulator.identity, variant.accumulator[i]);
    accumulator_bytes += runtime::size_bytes(variant.accumulator[i]);
    accumulator_words += runtime::size_bytes(variant.accumulator[i]) == 8 ? 2 : 1;
  }
  const ScanTile tile = choose_tile({kept, length, row_strides[0], self.element_size(),
                                     accumulators_, accumulator_bytes, self.is_cpu()});
  variant.unroll = static_cast<uint8_t>(tile.unroll);
  variant.chain = static_cast<uint8_t>(tile.chain);
  variant.lanes_are_last = tile.lanes_are_last;

  at::Tensor totals;
  int64_t section = 0;  // bytes
  const int64_t groups = ceil_div(tile.splits, kGroup);
  if (tile.looks_back) {
    const int64_t words = ceil_div(accumulator_words * numel(kept) * (tile.splits + groups), 2) * 2;
    totals = allocate_output({2 + words}, {}, self.options().dtype(at::kLong));
    totals.zero_();  // 5 us
  } else if (tile.splits > 1) {
    section = ceil_div(tile.splits * numel(kept) * 8, 16) * 16;
    totals = allocate_output({section * accumulators_}, {}, self.options().dtype(at::kByte));
  }
  const auto launch_pass = [&](ScanPass pass) {
    variant.pass = pass;
    const bool writes = pass != ScanPass::totals;
    const size_t views = writes ? 1 + outputs.size() : 1;
    runtime::ArgumentPack pack;
    detail::add(pack, self);
    if (writes)
      for (const at::Tensor* output : outputs) detail::add(pack, written(*output));
    if (pass == ScanPass::look_back) {
      auto* words = totals.mutable_data_ptr<int64_t>();
      pack.pointer(words, DType::i32);
      pack.pointer(words + 2, DType::i64);
      pack.integer(numel(kept) * (tile.splits + groups));
      pack.integer(tile.splits + groups);
      pack.integer(tile.splits);
    } else if (pass != ScanPass::whole)
      for (size_t i = 0; i < accumulators_; ++i)
        pack.pointer(
            static_cast<char*>(totals.mutable_data_ptr()) + static_cast<int64_t>(i) * section,
            variant.accumulator[i]);
    pack.integer(numel(kept));
    add_sizes(pack, kept, 0,
              tile.lanes_are_last ? kept.size() - 1 : std::max<size_t>(1, kept.size() - 1));
    for (size_t v = 0; v < views; ++v) add_strides(pack, kept, v);
    add_size(pack, length);
    for (size_t v = 0; v < views; ++v) pack.stride(row_strides[v]);
    if (pass != ScanPass::whole) pack.stride(tile.split_length);
    pack.constant(tile.kept);
    // Sums without their steps: on a CPU as many lanes as stay in registers.
    pack.constant(pass == ScanPass::totals && self.is_cpu() && tile.lanes_are_last ? 64
                                                                                   : tile.lanes);
    if (pass == ScanPass::splits) pack.constant(next_power_of_2(tile.splits));
    if (pass == ScanPass::look_back) {
      pack.constant(kGroup);
      pack.constant(kLookBackLanes);
      pack.constant(std::max(next_power_of_2(groups), kLookBackLanes));
    }
    const Kernel& kernel = kernels_.find(variant, [&] {
      return Kernel(codegen::scan_name(functions_, variant), "kernel",
                    codegen::scan_source(functions_, variant));
    });
    launch_packed(kernel, pack, tile.options, tile.grid, self.device());
  };
  if (tile.looks_back) return launch_pass(ScanPass::look_back);
  if (tile.splits == 1) return launch_pass(ScanPass::whole);
  launch_pass(ScanPass::totals);
  launch_pass(ScanPass::splits);
}

}  // namespace tilewise::ops
