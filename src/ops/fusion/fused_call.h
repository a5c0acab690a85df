// SPDX-License-Identifier: Apache-2.0
// One call of tilewise::pointwise: the arguments as the dispatcher's stack holds them, and the way
// from there to a launch.
#pragma once

#include <ATen/core/stack.h>
#include <c10/util/SmallVector.h>

#include "ops/fusion/fused_function.h"

namespace tilewise::ops {

inline constexpr size_t kTypicalOperands = 8;

struct FusedCall {
  // Reads (str function, Tensor[] tensors, Scalar?[] numbers); what it refers to stays on the
  // stack.
  FusedCall(const c10::IValue& function, const c10::IValue& tensors, const c10::IValue& numbers);

  FusedFunction* function;
  c10::SmallVector<at::Tensor, kTypicalOperands> tensors;  // in the order of their parameters
  c10::SmallVector<at::Scalar, 4> numbers;                 // likewise
  uint64_t number_mask = 0;                                // which parameters are numbers

  // The dtype to which all operands promote, numbers as PyTorch's wrapped numbers.
  at::ScalarType common_dtype() const;
};

// Runs the function. `outputs` are what the caller gave as out=, or undefined and then made here.
// Throws dispatch::Refusal before anything is written.
void run_fused(const FusedCall& call, dispatch::Backend backend,
               c10::SmallVector<at::Tensor, 4>& outputs);

// tilewise::pointwise through the dispatcher, so that it is differentiated and traced.
std::vector<at::Tensor> call_pointwise(const std::string& function,
                                       c10::ArrayRef<at::Tensor> tensors,
                                       c10::ArrayRef<std::optional<at::Scalar>> numbers);

}  // namespace tilewise::ops
