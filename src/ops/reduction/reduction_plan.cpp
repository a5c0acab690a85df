// SPDX-License-Identifier: Apache-2.0
#include "ops/reduction/reduction_plan.h"

#include <ATen/WrapDimUtilsMulti.h>

#include <algorithm>

#include "dispatch/refusal.h"
#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

// Additions that one CPU task makes at least; ATen's own grain (at::internal::GRAIN_SIZE).
constexpr int64_t kCpuGrain = 32768;
// Elements that one lane adds up one after the other, at most: a float32 sum's error grows with the
// square root of it. ATen's sums cascade; with 1024 in each of 8 rows ours of (140000, 3) is as
// close as ATen's, with 32768 in one it was 20 times as far off.
constexpr int64_t kLongestChain = 1024;
// Below this many programs a GPU with 132 multiprocessors (H200) is not filled.
constexpr int64_t kGpuPrograms = 264;

// CPU: lanes x rows fit half of the vector registers (AVX-512: 256 of f32), so that the carried
// accumulator never leaves them. Along the reduced dimension half of that is enough for the adders'
// latency and leaves less to combine at the end of a row: sum of (1024, 4096) f32 on one core, 260
// us with 256 lanes, 244 with 128, 291 with 64. The length of a split is fixed: results do not
// depend on the number of threads.
void choose_cpu_tile(ReductionPlan& plan) {
  const int64_t lanes = plan.along_reduced ? plan.reduced.inner : plan.kept.inner;
  plan.block = lanes <= 16 ? 16 : lanes <= 64 ? 64 : plan.along_reduced ? 128 : 256;
  plan.rows = plan.along_reduced || lanes > 64 ? 1 : lanes > 16 ? 4 : 8;
  if (plan.along_reduced && plan.kept.outer == 1) {
    // Kernels divide the row's number by the inner extent, which costs nothing where that is 1.
    std::swap(plan.kept.outer, plan.kept.inner);
    plan.kept.outer_stride = plan.kept.inner_stride;
  }
  const int64_t length = plan.reduced.outer == 1 ? plan.reduced.inner : 0;
  if (!plan.along_reduced && length >= 2 * kLongestChain)
    plan.split_length = kLongestChain;
  else if (plan.along_reduced && plan.kept.numel() <= 16 && length >= 4 * kCpuGrain)
    plan.split_length = kCpuGrain;
}

// GPU: 8 to 16 elements per thread and step.
void choose_gpu_tile(ReductionPlan& plan) {
  int64_t programs;
  if (plan.along_reduced) {
    plan.block = std::clamp<int64_t>(next_power_of_2(plan.reduced.inner), 32, 2048);
    plan.rows = std::clamp<int64_t>(1024 / plan.block, 1, 32);
    plan.options.num_warps = plan.block >= 2048 ? 8 : 4;
    programs = ceil_div(plan.kept.numel(), plan.rows);
  } else {
    plan.block = std::clamp<int64_t>(next_power_of_2(plan.kept.inner), 16, 128);
    plan.rows = std::min<int64_t>(next_power_of_2(plan.reduced.inner), 2048 / plan.block);
    programs = plan.kept.outer * ceil_div(plan.kept.inner, plan.block);
  }
  const int64_t step = (plan.along_reduced ? plan.block : plan.rows) * 4;
  if (programs < kGpuPrograms && plan.reduced.inner >= 4 * step) {
    const int64_t splits =
        std::min(ceil_div(2 * kGpuPrograms, programs), plan.reduced.inner / step);
    plan.split_length = ceil_div(ceil_div(plan.reduced.inner, splits), step) * step;
  }
  if (!plan.along_reduced)
    plan.split_length = std::min(plan.split_length, kLongestChain * plan.rows);
}

ReductionPlan make_plan(const DimensionPair& kept, const DimensionPair& reduced, bool on_cpu,
                        bool may_split) {
  ReductionPlan plan{};
  plan.kept = kept;
  plan.reduced = reduced;
  plan.along_reduced = kept.numel() == 1 || kept.inner_stride[0] != 1 ||
                       (reduced.inner_stride[0] == 1 && reduced.inner > kept.inner);
  plan.split_length = reduced.inner;
  if (on_cpu)
    choose_cpu_tile(plan);
  else
    choose_gpu_tile(plan);
  if (!may_split) plan.split_length = reduced.inner;
  plan.splits = ceil_div(reduced.inner, plan.split_length);
  const int64_t programs = plan.along_reduced ? ceil_div(kept.numel(), plan.rows)
                                              : kept.outer * ceil_div(kept.inner, plan.block);
  plan.grid = grid_1d(programs);
  plan.grid.y = static_cast<int32_t>(plan.splits);
  const int64_t work =
      plan.split_length * reduced.outer * (plan.along_reduced ? plan.rows : plan.block);
  plan.options.grain = std::max<int64_t>(1, kCpuGrain / work);
  return plan;
}

}  // namespace

void reduce(const at::Tensor& self, at::OptionalIntArrayRef dim, const at::Tensor& out,
            at::ScalarType partial_dtype, c10::function_ref<void(const ReductionPass&)> run) {
  const int64_t rank = self.dim();
  const bool all = !dim.has_value() || dim->empty();
  const auto is_reduced = all ? std::bitset<at::dim_bitset_size>().set()
                              : at::dim_list_to_bitset(*dim, static_cast<size_t>(rank));
  const bool keeps_dims = out.dim() == rank;
  Dimensions kept_dims;
  Dimensions reduced_dims;
  int64_t position = 0;  // in out
  for (int64_t i = 0; i < rank; ++i) {
    if (is_reduced[static_cast<size_t>(i)]) {
      reduced_dims.add(self.size(i), {self.stride(i)});
      position += keeps_dims ? 1 : 0;
    } else {
      kept_dims.add(self.size(i), {self.stride(i), out.stride(position)});
      ++position;
    }
  }
  const auto kept = kept_dims.collapse();
  const auto reduced = reduced_dims.collapse();
  if (!kept || !reduced)
    throw dispatch::Refusal{"reduction of dimensions that do not collapse to two"};

  const bool on_cpu = self.is_cpu();
  const ReductionPlan plan = make_plan(*kept, *reduced, on_cpu, true);
  if (plan.splits == 1) {
    run({plan, self, out, 0, true, true});
    return;
  }
  const int64_t count = kept->numel();
  const at::Tensor partial =
      allocate_output({plan.splits, count}, {}, self.options().dtype(partial_dtype));
  ReductionPlan first = plan;
  first.kept.outer_stride[1] = plan.kept.inner;
  first.kept.inner_stride[1] = 1;
  run({first, self, partial, count, true, false});

  DimensionPair partial_kept = *kept;
  partial_kept.outer_stride = {kept->inner, kept->outer_stride[1]};
  partial_kept.inner_stride = {1, kept->inner_stride[1]};
  DimensionPair partial_reduced;
  partial_reduced.inner = plan.splits;
  partial_reduced.inner_stride[0] = count;
  run({make_plan(partial_kept, partial_reduced, on_cpu, false), partial, out, 0, false, true});
}

}  // namespace tilewise::ops
