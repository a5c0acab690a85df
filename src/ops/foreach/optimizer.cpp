// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/optimizer.h"

#include "ops/foreach/tensor_lists.h"
#include "ops/framework/output.h"
#include "ops/framework/pointwise.h"
#include "ops/pointwise/copy_elements.h"

namespace tilewise::ops {
namespace {

constexpr int64_t kCpuBlock = 64;
constexpr int64_t kGpuBlock = 1024;

bool is_number_beside(const Tensor& tensor, const Tensor& first) {
  return tensor.numel() == 1 && tensor.scalar_type() == at::kFloat &&
         tensor.device() == first.device();
}

}  // namespace

const char* refuse_optimizer(at::ArrayRef<at::TensorList> lists, at::TensorList steps,
                             const OptionalTensor& grad_scale, const OptionalTensor& found_inf) {
  if (const char* reason = refuse_lists(lists, kFloating)) return reason;
  const at::TensorList& params = lists.front();
  if (!is_of_one_dtype(params)) return "optimizer step of several dtypes";
  const Tensor& first = params[0];
  for (const Tensor& param : params)
    if (param.device() != first.device()) return "tensors on several devices";
  if (!steps.empty() && steps.size() != params.size()) return "foreach lists of different lengths";
  for (const Tensor& step : steps)
    if (!is_number_beside(step, first)) return "step count is no fp32 number on the device";
  for (const OptionalTensor* cell : {&grad_scale, &found_inf})
    if (cell->has_value() && !is_number_beside(**cell, first))
      return "gradient scale or found_inf is no fp32 number on the device";
  return nullptr;
}

const char* refuse_learning_rate(const Tensor& lr) {
  return lr.numel() == 1 && lr.scalar_type() == at::kFloat ? nullptr
                                                           : "learning rate is no fp32 number";
}

std::vector<at::Tensor> clone_list(at::TensorList list) {
  std::vector<at::Tensor> copies;
  copies.reserve(list.size());
  for (const at::Tensor& tensor : list) {
    copies.push_back(allocate_output(tensor.sizes(), tensor.strides(), tensor.options()));
    copy_elements(copies.back(), tensor);
  }
  return copies;
}

OptimizerLaunch::OptimizerLaunch(at::ArrayRef<at::TensorList> lists, at::TensorList steps)
    : table_(lists, {}, steps), first_(lists.front()[0]), dtype_(element_type(first_)) {
  table_.add_to(pack_);
}

void OptimizerLaunch::number(double value) {
  if (dtype_ == DType::fp64)
    pack_.floating64(value);
  else
    pack_.floating(value);
}

void OptimizerLaunch::learning_rate(double lr) {
  number(lr);
  pack_.none();
}

void OptimizerLaunch::learning_rate(const Tensor& lr) {
  if (lr.is_cpu()) return learning_rate(*lr.const_data_ptr<float>());
  number(0);
  detail::add(pack_, lr);
}

void OptimizerLaunch::numbers(std::initializer_list<double> values) {
  for (const double value : values) number(value);
}

void OptimizerLaunch::run(const Kernel& kernel, const OptionalTensor& grad_scale,
                          const OptionalTensor& found_inf, std::initializer_list<bool> flags) {
  if (table_.chunks() == 0) return;
  detail::add(pack_, grad_scale);
  detail::add(pack_, found_inf);
  pack_.constant_dtype(dtype_);
  pack_.constant_dtype(accumulate_type(dtype_));
  pack_.constant_bool(table_.is_aligned());
  pack_.constant(first_.is_cpu() ? kCpuBlock : kGpuBlock);
  for (const bool flag : flags) pack_.constant_bool(flag);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = table_.grain();
  launch_packed(kernel, pack_, options, grid_1d(table_.chunks()), first_.device());
}

}  // namespace tilewise::ops
