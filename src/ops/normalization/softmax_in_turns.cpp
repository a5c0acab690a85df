// SPDX-License-Identifier: Apache-2.0
#include "ops/normalization/softmax_in_turns.h"

#include <ATen/WrapDimUtils.h>

#include <algorithm>

#include "ops/framework/dimensions.h"
#include "ops/framework/output.h"
#include "ops/framework/turns.h"

namespace tilewise::ops {
namespace {

// A chunk: 16 KiB and 4 warps, so that a thread has 128 bytes under way. Columns: a line of each of
// 128 rows. Of 30 shapes each for rows of 256 k and for columns of 8192, 128 MiB of bf16 on an
// H100: 118 us and 134, at best 114 and 134, where reading twice takes 155 and 151.
constexpr int64_t kChunkBytes = 16384;
constexpr int64_t kLineBytes = 128;
constexpr int kWarps = 4;

LaunchOptions launch_options() {
  LaunchOptions options;
  options.num_warps = kWarps;
  options.num_stages = 1;
  return options;
}

// Tensors of one shape, the first of them read twice, as groups of rows along `dim`.
struct Groups {
  DimensionPair kept;
  int64_t length = 1;
  int64_t lanes = 1, block = 1;
  bool along_rows = false;
  Turns turns{};
};

std::optional<Groups> find_groups(std::initializer_list<const at::Tensor*> tensors, int64_t dim,
                                  int64_t read_twice) {
  const at::Tensor& first = **tensors.begin();
  if (first.is_cpu() || first.dim() == 0) return std::nullopt;
  const int64_t axis = at::maybe_wrap_dim(dim, first.dim());
  Dimensions others;
  for (int64_t i = 0; i < first.dim(); ++i) {
    ViewStrides strides{};
    std::transform(tensors.begin(), tensors.end(), strides.begin(),
                   [i](const at::Tensor* tensor) { return tensor->stride(i); });
    if (i != axis) others.add(first.size(i), strides);
  }
  const std::optional<DimensionPair> kept = others.collapse();
  if (!kept) return std::nullopt;
  Groups groups{.kept = *kept, .length = first.size(axis)};
  groups.along_rows = std::all_of(tensors.begin(), tensors.end(),
                                  [axis](const auto* tensor) { return tensor->stride(axis) == 1; });
  const bool side_by_side =
      std::all_of(kept->inner_stride.begin(), kept->inner_stride.begin() + tensors.size(),
                  [](int64_t stride) { return stride == 1; });
  if (!groups.along_rows && !side_by_side) return std::nullopt;
  const int64_t bytes = first.element_size();
  groups.block = groups.along_rows ? 1 : kLineBytes / bytes;
  groups.lanes = kChunkBytes / bytes / groups.block;
  const auto turns = find_turns(first, kept->outer * ceil_div(kept->inner, groups.block),
                                ceil_div(groups.length, groups.lanes),
                                read_twice * groups.length * groups.block * bytes);
  if (!turns) return std::nullopt;
  groups.turns = *turns;
  return groups;
}

}  // namespace

bool softmax_in_turns(const at::Tensor& self, int64_t dim, const at::Tensor& out, bool is_log,
                      bool is_safe, at::ScalarType compute) {
  static const Kernel kernel("normalization/softmax_in_turns", "forward");
  const auto groups = find_groups({&self, &out}, dim, 1);
  if (!groups) return false;
  const auto& [kept, length, lanes, block, along_rows, turns] = *groups;
  const auto options = self.options().dtype(compute);
  launch(kernel, launch_options(), turns.grid(), self, self, written(out),
         written(allocate_output({turns.groups, turns.chunks, 2, block}, {}, options)),
         written(allocate_output({turns.groups, 2, block}, {}, options)),
         written(turns.counters(self)), turns.groups, stride(kept.inner), stride(length),
         turns.chunks, turns.delay, stride(kept.outer_stride[0]), stride(kept.inner_stride[0]),
         stride(self.stride(dim)), stride(kept.outer_stride[1]), stride(kept.inner_stride[1]),
         stride(out.stride(dim)), constant(compute == at::kDouble ? DType::fp64 : DType::fp32),
         constant(is_log), constant(is_safe), constant(along_rows ? 1 : 0), constant(lanes),
         constant(block));
  return true;
}

bool softmax_backward_in_turns(const at::Tensor& grad, const at::Tensor& output, int64_t dim,
                               const at::Tensor& grad_input, bool is_log, at::ScalarType compute) {
  static const Kernel kernel("normalization/softmax_in_turns", "backward");
  const auto groups = find_groups({&grad, &output, &grad_input}, dim, is_log ? 1 : 2);
  if (!groups) return false;
  const auto& [kept, length, lanes, block, along_rows, turns] = *groups;
  const auto options = grad.options().dtype(compute);
  launch(kernel, launch_options(), turns.grid(), grad, grad, output, written(grad_input),
         written(allocate_output({turns.groups, turns.chunks, block}, {}, options)),
         written(allocate_output({turns.groups, block}, {}, options)),
         written(turns.counters(grad)), turns.groups, stride(kept.inner), stride(length),
         turns.chunks, turns.delay, stride(kept.outer_stride[0]), stride(kept.inner_stride[0]),
         stride(grad.stride(dim)), stride(kept.outer_stride[1]), stride(kept.inner_stride[1]),
         stride(output.stride(dim)), stride(kept.outer_stride[2]), stride(kept.inner_stride[2]),
         stride(grad_input.stride(dim)),
         constant(compute == at::kDouble ? DType::fp64 : DType::fp32), constant(is_log),
         constant(along_rows ? 1 : 0), constant(lanes), constant(block));
  return true;
}

}  // namespace tilewise::ops
