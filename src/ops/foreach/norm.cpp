// SPDX-License-Identifier: Apache-2.0
#include <cmath>

#include "ops/foreach/tensor_lists.h"
#include "ops/foreach/tensor_table.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// The kernels' ORDER: 1, 2, 0 for the maximum norm, -1 for those they do not have.
int64_t kernel_order(const at::Scalar& ord) {
  if (ord.isComplex()) return -1;
  const double order = ord.toDouble();
  if (order == 1 || order == 2) return static_cast<int64_t>(order);
  return std::isinf(order) && order > 0 ? 0 : -1;
}

constexpr int64_t kLargestElement = 3;  // the kernels' MAXIMUM

const char* refuse_reduction(at::TensorList self, int64_t order) {
  if (order < 0) return "norm of an order other than 1, 2 and infinity";
  if (const char* reason = refuse_lists(self, kFloating)) return reason;
  if (!is_of_one_dtype(self)) return "norms of several dtypes";
  if (order == 0 || order == kLargestElement)
    for (const Tensor& tensor : self)
      if (tensor.numel() == 0) return "norm of no elements";
  return nullptr;
}

// One number per tensor, views of one result.
std::vector<Tensor> reduce_tensors(at::TensorList self, int64_t order, bool root) {
  static const Kernel chunks("foreach/norm", "norm_chunks");
  static const Kernel tensors("foreach/norm", "norm_tensors");
  const TensorTable table(self, {});
  const Tensor& first = self[0];
  const DType dtype = element_type(first);
  const DType acc = accumulate_type(dtype);
  const auto count = static_cast<int64_t>(self.size());
  const Tensor norms = allocate_output({count}, {}, first.options());
  const Tensor partial = allocate_output(
      {table.chunks()}, {}, first.options().dtype(acc == DType::fp64 ? at::kDouble : at::kFloat));
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = table.grain();
  if (table.chunks() > 0) {
    runtime::ArgumentPack pack;
    table.add_to(pack);
    detail::add(pack, written(partial));
    pack.constant_dtype(dtype);
    pack.constant_dtype(acc);
    pack.constant(order);
    pack.constant_bool(table.is_aligned());
    pack.constant(first.is_cpu() ? 64 : 1024);
    launch_packed(chunks, pack, options, grid_1d(table.chunks()), first.device());
  }
  options.grain = 1024;  // a few chunks each
  launch(tensors, options, grid_1d(count), first, table.table(), table.chunk_size(), partial,
         written(norms), constant(acc), constant(order), constant(root), constant(int64_t{64}));
  std::vector<Tensor> result;
  result.reserve(self.size());
  for (int64_t i = 0; i < count; ++i) result.push_back(norms.select(0, i));
  return result;
}

struct ForeachNorm : PlainOp {
  static const char* refuse(at::TensorList self, const at::Scalar& ord,
                            std::optional<at::ScalarType> dtype) {
    if (const char* reason = refuse_reduction(self, kernel_order(ord))) return reason;
    return dtype.has_value() && *dtype != self[0].scalar_type() ? "norm in another dtype" : nullptr;
  }
  static std::vector<Tensor> call(at::TensorList self, const at::Scalar& ord,
                                  std::optional<at::ScalarType>) {
    return reduce_tensors(self, kernel_order(ord), /*root=*/true);
  }
};
TILEWISE_OPERATOR(ForeachNorm, "_foreach_norm.Scalar");

// Sums of powers: what a norm over several devices is made of.
struct ForeachPowerSum : PlainOp {
  static const char* refuse(at::TensorList self, const at::Scalar& ord,
                            std::optional<at::ScalarType> dtype) {
    if (kernel_order(ord) == 0) return "sum of infinite powers";
    return ForeachNorm::refuse(self, ord, dtype);
  }
  static std::vector<Tensor> call(at::TensorList self, const at::Scalar& ord,
                                  std::optional<at::ScalarType>) {
    return reduce_tensors(self, kernel_order(ord), /*root=*/false);
  }
};
TILEWISE_OPERATOR(ForeachPowerSum, "_foreach_powsum.Scalar");

struct ForeachMax : PlainOp {
  static const char* refuse(at::TensorList self) { return refuse_reduction(self, kLargestElement); }
  static std::vector<Tensor> call(at::TensorList self) {
    return reduce_tensors(self, kLargestElement, /*root=*/false);
  }
};
TILEWISE_OPERATOR(ForeachMax, "_foreach_max");

}  // namespace
}  // namespace tilewise::ops
