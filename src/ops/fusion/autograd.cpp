// SPDX-License-Identifier: Apache-2.0
// tilewise::pointwise at the Autograd key. The derivative of a fused function is a fused function
// itself, one kernel for all gradients that are wanted, so it is differentiated like any other and
// double backward needs nothing of its own. Its name is the function's and which inputs need a
// gradient: "swish_1f09ab3c|backward|10"; Python derives it when it is first asked for.
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>

#include "ops/fusion/backward_node.h"
#include "ops/fusion/fused_call.h"

namespace tilewise::ops {
namespace {

using torch::jit::Stack;

struct PointwiseBackward final : BackwardNode {
  std::vector<bool> needs;        // by parameter
  std::vector<size_t> tensor_of;  // by parameter

  variable_list apply(variable_list&& gradients) override {
    variable_list result(inputs.size());
    bool any = false;
    for (const at::Tensor& gradient : gradients) any |= gradient.defined();
    if (!any) return result;
    std::vector<at::Tensor> tensors;
    std::vector<std::optional<at::Scalar>> values;
    size_t next = 0;
    for (const DerivativeArgument& argument : fused_function(derivative).definition().arguments) {
      const bool is_number = argument.kind == 'i' && numbers[argument.index].has_value();
      values.push_back(is_number ? numbers[argument.index] : std::nullopt);
      if (is_number) continue;
      if (argument.kind == 'g') {
        const at::Tensor& gradient = gradients[argument.index];
        tensors.push_back(gradient.defined() ? gradient : zero_gradient(outputs[argument.index]));
      } else {
        tensors.push_back(unpack(next++));
      }
    }
    const auto computed = call_pointwise(derivative, tensors, values);
    size_t position = 0;
    for (size_t i = 0; i < needs.size(); ++i)
      if (needs[i]) result[tensor_of[i]] = reduce_to(computed[position++], inputs[tensor_of[i]]);
    return result;
  }
};

bool requires_grad(const c10::IValue& tensors) {
  for (const c10::IValue& value : tensors.toListRef())
    if (value.toTensor().requires_grad()) return true;
  return false;
}

void check_no_forward_gradients(const FusedFunction& function, const c10::IValue& tensors) {
  for (const c10::IValue& value : tensors.toListRef())
    check_no_forward_gradient(function, value.toTensor());
}

// Runs the operator below autograd.
void redispatch(const c10::OperatorHandle& op, c10::DispatchKeySet ks, Stack* stack) {
  const at::AutoDispatchBelowADInplaceOrView guard;
  op.redispatchBoxed(ks & c10::after_autograd_keyset, stack);
}

void pointwise(const c10::OperatorHandle& op, c10::DispatchKeySet ks, Stack* stack) {
  const size_t base = stack->size() - kFusedArguments;
  const FusedFunction& function = fused_function((*stack)[base].toStringView());
  check_no_forward_gradients(function, (*stack)[base + 1]);
  if (!at::GradMode::is_enabled() || !requires_grad((*stack)[base + 1])) {
    redispatch(op, ks, stack);
    return;
  }
  const FusedCall call(&(*stack)[base]);
  auto node = TILEWISE_MAKE_NODE(PointwiseBackward);
  node->title = function.definition().title;
  std::string needs;
  size_t tensor = 0, number = 0;
  for (size_t i = 0; i < function.definition().parameters; ++i) {
    const bool is_number = ((call.number_mask >> i) & 1) != 0;
    node->numbers.push_back(is_number ? std::optional(call.numbers[number]) : std::nullopt);
    node->tensor_of.push_back(tensor);
    node->needs.push_back(!is_number && call.tensors[tensor].requires_grad());
    needs += node->needs.back() ? '1' : '0';
    ++(is_number ? number : tensor);
  }
  node->derivative = function.definition().name + "|backward|" + needs;
  node->connect(call.tensors);
  redispatch(op, ks, stack);
  auto results = stack->back().toTensorVector();
  add_outputs(node, results);
  node->save(call.tensors, node->tensor_of, results);
  stack->back() = std::move(results);
}

void pointwise_out(const c10::OperatorHandle& op, c10::DispatchKeySet ks, Stack* stack) {
  const size_t base = stack->size() - kFusedArguments - 1;
  const FusedFunction& function = fused_function((*stack)[base].toStringView());
  check_no_forward_gradients(function, (*stack)[base + 1]);
  const auto outputs = (*stack)[base + kFusedArguments].toTensorVector();
  TORCH_CHECK(!at::GradMode::is_enabled() || (!requires_grad((*stack)[base + 1]) &&
                                              !requires_grad((*stack)[base + kFusedArguments])),
              function.definition().title,
              "(): functions with out=... arguments don't support automatic differentiation, but "
              "one of the arguments requires grad.");
  redispatch(op, ks, stack);
  for (const at::Tensor& output : outputs) torch::autograd::impl::bump_version(output);
}

TORCH_LIBRARY_IMPL(tilewise, Autograd, library) {
  library.impl("pointwise", torch::CppFunction::makeFromBoxedFunction<&pointwise>());
  library.impl("pointwise.out", torch::CppFunction::makeFromBoxedFunction<&pointwise_out>());
}

}  // namespace
}  // namespace tilewise::ops
