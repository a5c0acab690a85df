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

#include <array>
#include <initializer_list>
#include <optional>
#include <tuple>
#include <vector>

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

// New tensors with the elements of the list's, each dense one with its strides.
std::vector<at::Tensor> clone_list(at::TensorList list);

// The overload that returns what the step `InPlace` made of copies of its first kWritten lists.
template <class InPlace, size_t kWritten, class Call = decltype(&InPlace::call)>
struct FunctionalStep;

template <class InPlace, size_t kWritten, class... Args>
struct FunctionalStep<InPlace, kWritten, void (*)(Args...)> : OptimizerOp {
  using Lists = std::array<std::vector<at::Tensor>, kWritten>;
  static const char* refuse(const Args&... args) { return InPlace::refuse(args...); }
  static auto call(Args... args) {
    return copy_and_step(std::make_index_sequence<kWritten>{}, std::tuple<Args...>(args...));
  }

 private:
  template <size_t... I>
  static auto copy_and_step(std::index_sequence<I...>, std::tuple<Args...> args) {
    Lists copies{clone_list(std::get<I>(args))...};
    ((std::get<I>(args) = copies[I]), ...);
    std::apply([](Args... step) { InPlace::call(step...); }, args);
    return std::make_tuple(std::move(copies[I])...);
  }
};

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
