// SPDX-License-Identifier: Apache-2.0
// What the fused optimizers share: one launch for the lists of an optimizer step. Kernels take, in
// this order (kernels/foreach/optimizer_step.py):
//   table, chunk map, chunk; the learning rate, as a number and as a pointer or None; numbers;
//   gradient scale and found_inf, pointers or None; DTYPE, ACC, ALIGNED, BLOCK; flags.
//
//   OptimizerLaunch launch({self, grads, momentum_buffers}, {});
//   launch.learning_rate(lr);
//   launch.numbers({weight_decay, momentum});
//   launch.run(kernel, grad_scale, found_inf, {nesterov, maximize});
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <optional>

#include "ops/foreach/tensor_table.h"
#include "ops/framework/launch.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {

using OptionalTensor = std::optional<at::Tensor>;

// A learning rate may be a number in the CPU's memory while the parameters are on a GPU.
struct OptimizerOp : PlainOp {
  static constexpr bool kCpuScalarsAllowed = true;
};

// Why a step cannot be served, or nullptr. `steps`: fp32 numbers, one for each tensor, or none.
const char* refuse_optimizer(at::ArrayRef<at::TensorList> lists, at::TensorList steps,
                             const OptionalTensor& grad_scale, const OptionalTensor& found_inf);
inline const char* refuse_learning_rate(double) { return nullptr; }
const char* refuse_learning_rate(const at::Tensor& lr);

class OptimizerLaunch {
 public:
  OptimizerLaunch(at::ArrayRef<at::TensorList> lists, at::TensorList steps);

  void learning_rate(double lr);
  void learning_rate(const at::Tensor& lr);  // on a GPU it is read there
  void numbers(std::initializer_list<double> values);
  void run(const Kernel& kernel, const OptionalTensor& grad_scale, const OptionalTensor& found_inf,
           std::initializer_list<bool> flags);

 private:
  void number(double value);

  TensorTable table_;
  at::Tensor first_;
  DType dtype_;
  runtime::ArgumentPack pack_;
};

}  // namespace tilewise::ops
