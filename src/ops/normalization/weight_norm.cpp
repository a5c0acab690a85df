// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

const char* refuse_weight_norm(const Tensor& v, const Tensor& g, int64_t dim) {
  if (!v.is_floating_point() || v.scalar_type() != g.scalar_type())
    return "weight_norm of tensors of other dtypes";
  if (v.dim() < 1 || v.numel() == 0) return "weight_norm of no elements";
  if (dim != 0 && dim != v.dim() - 1) return "weight_norm over a dimension in the middle";
  if (g.numel() != v.size(dim)) return "weight_norm: shape of g";
  return nullptr;
}

// v as [groups, elements], dense; how a tile lies on it.
struct Plan {
  Plan(const Tensor& v, int64_t dim) {
    const bool on_cpu = v.is_cpu();
    groups = v.size(dim);
    elements = v.numel() / groups;
    axis = dim == 0 ? 0 : 1;
    stride_group = axis == 0 ? elements : 1;
    stride_element = axis == 0 ? 1 : groups;
    if (axis == 0) {
      tile_elements = std::clamp<int64_t>(next_power_of_2(elements), 16, on_cpu ? 256 : 4096);
      tile_groups = on_cpu ? 1 : std::clamp<int64_t>(1024 / tile_elements, 1, 16);
    } else {
      tile_groups = std::clamp<int64_t>(next_power_of_2(groups), 16, on_cpu ? 64 : 32);
      tile_elements = on_cpu ? 4 : std::min<int64_t>(64, next_power_of_2(elements));
    }
    options.num_warps = tile_groups * tile_elements >= 4096 ? 8 : 4;
    options.num_stages = 1;
    options.grain = std::max<int64_t>(1, 8192 / (elements * tile_groups));
    acc = v.scalar_type() == at::kDouble ? DType::fp64 : DType::fp32;
  }
  int64_t groups, elements, axis, stride_group, stride_element, tile_groups, tile_elements;
  DType acc;
  LaunchOptions options;
};

struct WeightNorm : PlainOp {
  static const char* refuse(const Tensor& v, const Tensor& g, int64_t dim) {
    return refuse_weight_norm(v, g, dim);
  }
  static std::tuple<Tensor, Tensor> call(const Tensor& v, const Tensor& g, int64_t dim) {
    static const Kernel kernel("normalization/weight_norm", "forward");
    const Plan plan(v, dim);
    const Tensor dense_v = v.contiguous();
    const Tensor dense_g = g.contiguous();
    Tensor out = allocate_output(v.sizes(), {}, v.options());
    const bool is_16_bit = v.scalar_type() == at::kHalf || v.scalar_type() == at::kBFloat16;
    Tensor norm =
        allocate_output(g.sizes(), {}, g.options().dtype(is_16_bit ? at::kFloat : g.scalar_type()));
    launch(kernel, plan.options, grid_1d(ceil_div(plan.groups, plan.tile_groups)), v, dense_v,
           dense_g, written(out), written(norm), plan.groups, stride(plan.elements),
           stride(plan.stride_group), stride(plan.stride_element), constant(plan.acc),
           constant(plan.axis), constant(plan.tile_groups), constant(plan.tile_elements));
    return {std::move(out), std::move(norm)};
  }
};
TILEWISE_OPERATOR(WeightNorm, "_weight_norm_interface");

struct WeightNormBackward : PlainOp {
  static const char* refuse(const Tensor& grad_w, const Tensor& saved_v, const Tensor& saved_g,
                            const Tensor& saved_norms, int64_t dim) {
    // PyTorch's kernel checks that the saved tensors are contiguous.
    if (!saved_v.is_contiguous() || !saved_g.is_contiguous() || !saved_norms.is_contiguous() ||
        grad_w.sizes() != saved_v.sizes() || grad_w.scalar_type() != saved_v.scalar_type() ||
        saved_norms.numel() != saved_g.numel())
      return "weight_norm: gradient or saved tensors of another form";
    return refuse_weight_norm(saved_v, saved_g, dim);
  }
  static std::tuple<Tensor, Tensor> call(const Tensor& grad_w, const Tensor& saved_v,
                                         const Tensor& saved_g, const Tensor& saved_norms,
                                         int64_t dim) {
    static const Kernel kernel("normalization/weight_norm", "backward");
    const Plan plan(saved_v, dim);
    const Tensor grad = grad_w.contiguous();
    Tensor grad_v = allocate_output(saved_v.sizes(), {}, saved_v.options());
    Tensor grad_g = allocate_output(saved_g.sizes(), {}, saved_g.options());
    launch(kernel, plan.options, grid_1d(ceil_div(plan.groups, plan.tile_groups)), saved_v, grad,
           saved_v, saved_g, saved_norms, written(grad_v), written(grad_g), plan.groups,
           stride(plan.elements), stride(plan.stride_group), stride(plan.stride_element),
           constant(plan.acc), constant(plan.axis), constant(plan.tile_groups),
           constant(plan.tile_elements));
    return {std::move(grad_v), std::move(grad_g)};
  }
};
TILEWISE_OPERATOR(WeightNormBackward, "_weight_norm_interface_backward");

}  // namespace
}  // namespace tilewise::ops
