// SPDX-License-Identifier: Apache-2.0
// One call of tilewise::pointwise: the arguments as the dispatcher's stack holds them, and the way
// from there to a launch.
//
// The operator takes (str function, Tensor[] tensors, Scalar[]? numbers, str kinds). `kinds` says
// what each parameter is, a tensor or a bool, int or float ("ttf"), and is empty if all are
// tensors. Numbers come as floats where they fit, since what exports a program writes lists of one
// type.
#pragma once

#include <ATen/core/stack.h>
#include <c10/util/SmallVector.h>

#include "ops/fusion/fused_function.h"

namespace tilewise::ops {

inline constexpr size_t kTypicalOperands = 8;

inline constexpr size_t kFusedArguments = 4;

struct FusedCall {
  // Reads the operator's arguments.
  explicit FusedCall(const c10::IValue* arguments);
  // Tensors alone.
  FusedCall(FusedFunction& function, at::TensorList tensors);

  FusedFunction* function;
  c10::SmallVector<at::Tensor, kTypicalOperands> tensors;  // in the order of their parameters
  c10::SmallVector<at::Scalar, 4> numbers;                 // likewise
  uint64_t number_mask = 0;                                // which parameters are numbers

  void read_numbers(const c10::IValue& values, std::string_view kinds);
  void check_count() const;

  // The dtype to which all operands promote, numbers as PyTorch's wrapped numbers.
  at::ScalarType common_dtype() const;
};

// Runs the function. `outputs` are what the caller gave as out=, or undefined and then made here.
// Throws dispatch::Refusal before anything is written.
void run_fused(const FusedCall& call, dispatch::Backend backend,
               c10::SmallVector<at::Tensor, 4>& outputs);

// Counts a call that a kernel does not serve, or raises in a strict scope.
void refuse_or_raise(std::string_view title, dispatch::OverloadEntry& entry, const char* reason);

// tilewise::pointwise through the dispatcher, so that it is differentiated and traced.
std::vector<at::Tensor> call_pointwise(const std::string& function,
                                       c10::ArrayRef<at::Tensor> tensors,
                                       c10::ArrayRef<std::optional<at::Scalar>> numbers);

}  // namespace tilewise::ops
