// SPDX-License-Identifier: Apache-2.0
// Dynamic loss scaling as torch.amp.GradScaler calls it.
#include "ops/foreach/tensor_lists.h"
#include "ops/foreach/tensor_table.h"
#include "ops/framework/launch.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

bool is_fp32_number(const Tensor& tensor) {
  return tensor.numel() == 1 && tensor.scalar_type() == at::kFloat;
}

struct Unscale : PlainOp {
  static const char* refuse(at::TensorList self, const Tensor& found_inf, const Tensor& inv_scale) {
    if (!is_fp32_number(found_inf) || !is_fp32_number(inv_scale))
      return "gradient scale or found_inf is no fp32 number";
    if (const char* reason = refuse_lists(self, kFloating)) return reason;
    if (!is_of_one_dtype(self)) return "gradients of several dtypes";
    return self[0].is_cpu() ? refuse_overlap(self, self) : nullptr;
  }

  static void call(at::TensorList self, Tensor& found_inf, const Tensor& inv_scale) {
    static const Kernel unscale("foreach/loss_scale", "unscale");
    const TensorTable table(self, {});
    if (table.chunks() == 0) return;
    const Tensor& first = self[0];
    const DType dtype = element_type(first);
    runtime::ArgumentPack pack;
    table.add_to(pack);
    detail::add(pack, written(found_inf));
    detail::add(pack, inv_scale);
    pack.constant_dtype(dtype);
    pack.constant_dtype(accumulate_type(dtype));
    pack.constant_bool(table.is_aligned());
    pack.constant(first.is_cpu() ? 64 : 1024);
    LaunchOptions options;
    options.num_stages = 1;
    options.grain = table.grain();
    launch_packed(unscale, pack, options, grid_1d(table.chunks()), first.device());
  }
};
TILEWISE_OPERATOR(Unscale, "_amp_foreach_non_finite_check_and_unscale_");

struct UpdateScale : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& growth_tracker,
                            const Tensor& found_inf, double, double, int64_t) {
    if (!is_fp32_number(self) || !is_fp32_number(found_inf))
      return "gradient scale or found_inf is no fp32 number";
    return growth_tracker.numel() == 1 && growth_tracker.scalar_type() == at::kInt
               ? nullptr
               : "growth tracker is no int32 number";
  }

  static Tensor& call(Tensor& self, Tensor& growth_tracker, const Tensor& found_inf,
                      double scale_growth_factor, double scale_backoff_factor,
                      int64_t growth_interval) {
    static const Kernel update("foreach/loss_scale", "update_scale");
    LaunchOptions options;
    options.num_warps = 1;
    options.num_stages = 1;
    launch(update, options, grid_1d(1), self, written(self), written(growth_tracker), found_inf,
           fp64(scale_growth_factor), fp64(scale_backoff_factor), growth_interval);
    return self;
  }
};
TILEWISE_OPERATOR(UpdateScale, "_amp_update_scale_");

}  // namespace
}  // namespace tilewise::ops
