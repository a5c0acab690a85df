// SPDX-License-Identifier: Apache-2.0
// softmax and log_softmax with their backward operators: one choice of tile for all four. A view
// [kept, dim] whose kept dimensions collapse to two needs no copy, whatever its strides.
#include <ATen/WrapDimUtils.h>
#include <ATen/ops/_log_softmax_backward_data_meta.h>
#include <ATen/ops/_log_softmax_meta.h>
#include <ATen/ops/_softmax_backward_data_meta.h>
#include <ATen/ops/_softmax_meta.h>

#include <algorithm>
#include <initializer_list>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {
namespace {

// Longest row that one tile holds. CPU: 32 KiB of f32, the L1 cache. GPU: 64 registers a thread at
// 16 warps.
constexpr int64_t kLongestCpuRow = 8192;
constexpr int64_t kLongestGpuRow = 16384;
constexpr int64_t kCpuGrain = 8192;  // elements; an exponential costs about four additions

enum class Walk : uint8_t { row, long_row, outer };

// The tensors of one call seen as [kept, dim]; the first one decides about the order.
struct SoftmaxPlan {
  DimensionPair kept;
  int64_t dim = 1;
  ViewStrides dim_stride{};
  Walk walk;
  int64_t rows = 1;
  int64_t block;
  Grid grid;
  LaunchOptions options;
};

SoftmaxPlan make_plan(std::initializer_list<const Tensor*> tensors, int64_t dim) {
  const Tensor& first = **tensors.begin();
  SoftmaxPlan plan;
  const int64_t axis = at::maybe_wrap_dim(dim, first.dim());
  Dimensions kept;
  for (int64_t i = 0; i < first.dim(); ++i) {
    ViewStrides strides{};
    std::transform(tensors.begin(), tensors.end(), strides.begin(),
                   [i](const Tensor* tensor) { return tensor->stride(i); });
    if (i == axis) {
      plan.dim = first.size(i);
      plan.dim_stride = strides;
    } else {
      kept.add(first.size(i), strides);
    }
  }
  const auto pair = kept.collapse();
  if (!pair) throw dispatch::Refusal{"softmax over dimensions that do not collapse to two"};
  plan.kept = *pair;

  const bool on_cpu = first.is_cpu();
  const bool lanes_along_kept =
      pair->inner_stride[0] == 1 && plan.dim_stride[0] != 1 && pair->inner >= 8;
  plan.options.num_stages = 1;
  if (lanes_along_kept) {
    plan.walk = Walk::outer;
    plan.block = on_cpu ? 64 : std::clamp<int64_t>(next_power_of_2(pair->inner), 16, 64);
    plan.rows = on_cpu ? 8 : std::min<int64_t>(next_power_of_2(plan.dim), 1024 / plan.block);
    plan.grid = grid_1d(pair->outer * ceil_div(pair->inner, plan.block));
  } else if (plan.dim <= (on_cpu ? kLongestCpuRow : kLongestGpuRow)) {
    plan.walk = Walk::row;
    plan.block = std::max<int64_t>(next_power_of_2(plan.dim), 16);
    plan.rows = on_cpu ? 1 : std::clamp<int64_t>(1024 / plan.block, 1, 16);
    plan.options.num_warps = plan.block <= 1024 ? 4 : plan.block <= 8192 ? 8 : 16;
    plan.grid = grid_1d(ceil_div(pair->numel(), plan.rows));
  } else {
    plan.walk = Walk::long_row;
    plan.block = on_cpu ? 1024 : 4096;
    plan.options.num_warps = 8;
    plan.grid = grid_1d(pair->numel());
  }
  const int64_t lanes = plan.walk == Walk::outer ? plan.block : plan.rows;
  plan.options.grain = std::max<int64_t>(1, kCpuGrain / (plan.dim * lanes));
  return plan;
}

DType compute_type(const Tensor& tensor) {
  return tensor.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
}

struct SoftmaxKernels {
  Kernel row;
  Kernel long_row;
  Kernel outer;
};

// The kernels' parameters after the pointers; `strides` are those of the tensors, in order.
template <class Pointers, class... Strides>
void launch_walk(const SoftmaxKernels& kernels, const SoftmaxPlan& plan, const Tensor& where,
                 bool is_log, const Pointers& pointers, Strides... strides) {
  const auto acc = constant(compute_type(where));
  const auto log = constant(is_log);
  const DimensionPair& kept = plan.kept;
  std::apply(
      [&](const auto&... pointer) {
        switch (plan.walk) {
          case Walk::row:
            launch(kernels.row, plan.options, plan.grid, where, pointer..., kept.numel(),
                   stride(kept.inner), stride(plan.dim), strides..., acc, log, constant(plan.rows),
                   constant(plan.block));
            break;
          case Walk::long_row:
            launch(kernels.long_row, plan.options, plan.grid, where, pointer..., kept.numel(),
                   stride(kept.inner), stride(plan.dim), strides..., acc, log,
                   constant(plan.block));
            break;
          case Walk::outer:
            launch(kernels.outer, plan.options, plan.grid, where, pointer..., stride(kept.inner),
                   stride(plan.dim), strides..., acc, log, constant(plan.rows),
                   constant(plan.block));
            break;
        }
      },
      pointers);
}

void forward(const Tensor& self, int64_t dim, const Tensor& out, bool is_log) {
  static const SoftmaxKernels kernels{{"normalization/softmax", "softmax_row"},
                                      {"normalization/softmax", "softmax_long_row"},
                                      {"normalization/softmax", "softmax_outer"}};
  if (out.numel() == 0) return;
  const SoftmaxPlan plan = make_plan({&self, &out}, dim);
  const DimensionPair& kept = plan.kept;
  launch_walk(kernels, plan, self, is_log, std::tuple<const Tensor&, Written>(self, written(out)),
              stride(kept.outer_stride[0]), stride(kept.inner_stride[0]),
              stride(plan.dim_stride[0]), stride(kept.outer_stride[1]),
              stride(kept.inner_stride[1]), stride(plan.dim_stride[1]));
}

void backward(const Tensor& grad, const Tensor& output, int64_t dim, const Tensor& grad_input,
              bool is_log) {
  static const SoftmaxKernels kernels{{"normalization/softmax", "softmax_backward_row"},
                                      {"normalization/softmax", "softmax_backward_long_row"},
                                      {"normalization/softmax", "softmax_backward_outer"}};
  if (grad_input.numel() == 0) return;
  const SoftmaxPlan plan = make_plan({&output, &grad, &grad_input}, dim);
  const DimensionPair& kept = plan.kept;
  launch_walk(
      kernels, plan, output, is_log,
      std::tuple<const Tensor&, const Tensor&, Written>(grad, output, written(grad_input)),
      stride(kept.outer_stride[1]), stride(kept.inner_stride[1]), stride(plan.dim_stride[1]),
      stride(kept.outer_stride[0]), stride(kept.inner_stride[0]), stride(plan.dim_stride[0]),
      stride(kept.outer_stride[2]), stride(kept.inner_stride[2]), stride(plan.dim_stride[2]));
}

template <class Meta, bool is_log>
struct Forward : StructuredOp<Meta> {
  static const char* refuse(const Tensor& self, int64_t, bool half_to_float, const auto&...) {
    if (!self.is_floating_point()) return "softmax of a dtype that is not floating";
    return half_to_float && self.is_cpu() ? "softmax to another dtype on a CPU" : nullptr;
  }
  void impl(const Tensor& self, int64_t dim, bool, const Tensor& out) {
    forward(self, dim, out, is_log);
  }
};
using Softmax = Forward<at::meta::structured__softmax, false>;
using LogSoftmax = Forward<at::meta::structured__log_softmax, true>;
TILEWISE_STRUCTURED(Softmax, "_softmax");
TILEWISE_STRUCTURED(LogSoftmax, "_log_softmax");

template <class Meta, bool is_log>
struct Backward : StructuredOp<Meta> {
  static const char* refuse(const Tensor& grad_output, const Tensor& output, const auto&...) {
    if (!output.is_floating_point()) return "softmax of a dtype that is not floating";
    if (grad_output.sizes() != output.sizes()) return "shapes of gradient and output differ";
    return nullptr;
  }
  void impl(const Tensor& grad_output, const Tensor& output, int64_t dim, at::ScalarType,
            const Tensor& grad_input) {
    backward(grad_output, output, dim, grad_input, is_log);
  }
};
using SoftmaxBackward = Backward<at::meta::structured__softmax_backward_data, false>;
using LogSoftmaxBackward = Backward<at::meta::structured__log_softmax_backward_data, true>;
TILEWISE_STRUCTURED(SoftmaxBackward, "_softmax_backward_data");
TILEWISE_STRUCTURED(LogSoftmaxBackward, "_log_softmax_backward_data");

}  // namespace
}  // namespace tilewise::ops
