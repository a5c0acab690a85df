// SPDX-License-Identifier: Apache-2.0
// The operators tilewise::pointwise and its out= form, at the backend keys. Kernels are boxed:
// Python hands its arguments over on the dispatcher's stack anyway. What the fused kernel does not
// serve is composed of PyTorch's operators by `pointwise_composed`, which Python implements from
// the traced function.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/Resize.h>
#include <torch/library.h>

#include "dispatch/refusal.h"
#include "ops/fusion/fused_call.h"

namespace tilewise::ops {
namespace {

using torch::jit::Stack;

std::vector<at::Tensor> compose(const c10::IValue* arguments, const char* reason) {
  static const auto handle =
      c10::Dispatcher::singleton().findSchemaOrThrow("tilewise::pointwise_composed", "");
  Stack stack(arguments, arguments + kFusedArguments);
  stack.emplace_back(reason);
  handle.callBoxed(stack);
  return stack.at(0).toTensorVector();
}

// Fills `outputs`, by the fused kernel or by PyTorch's.
void run_or_compose(const c10::IValue* arguments, dispatch::Backend backend,
                    c10::SmallVector<at::Tensor, 4>& outputs) {
  const FusedCall call(arguments);
  dispatch::OverloadEntry& entry = call.function->entry(backend);
  const char* reason = nullptr;
  try {
    run_fused(call, backend, outputs);
    entry.served.fetch_add(1, std::memory_order_relaxed);
    return;
  } catch (const dispatch::Refusal& refusal) {
    reason = refusal.reason;
  }
  refuse_or_raise(call.function->definition().title, entry, reason);
  const auto composed = compose(arguments, reason);
  for (size_t i = 0; i < outputs.size(); ++i) {
    if (!outputs[i].defined()) {
      outputs[i] = composed[i];
      continue;
    }
    at::native::resize_output(outputs[i], composed[i].sizes());
    outputs[i].copy_(composed[i]);
  }
}

void pointwise(const c10::OperatorHandle&, c10::DispatchKeySet ks, Stack* stack) {
  const c10::IValue* arguments = &(*stack)[stack->size() - kFusedArguments];
  c10::SmallVector<at::Tensor, 4> outputs;
  outputs.resize(fused_function(arguments[0].toStringView()).outputs());
  run_or_compose(arguments, dispatch::backend_of(ks), outputs);
  torch::jit::drop(*stack, kFusedArguments);
  stack->emplace_back(std::vector<at::Tensor>(outputs.begin(), outputs.end()));
}

void pointwise_out(const c10::OperatorHandle&, c10::DispatchKeySet ks, Stack* stack) {
  const c10::IValue* arguments = &(*stack)[stack->size() - kFusedArguments - 1];
  c10::SmallVector<at::Tensor, 4> outputs;
  for (const c10::IValue& value : arguments[kFusedArguments].toListRef())
    outputs.push_back(value.toTensor());
  const FusedFunction& function = fused_function(arguments[0].toStringView());
  TORCH_CHECK_VALUE(outputs.size() == function.outputs(), "tilewise::", function.definition().title,
                    " has ", function.outputs(), " outputs, and out= holds ", outputs.size());
  run_or_compose(arguments, dispatch::backend_of(ks), outputs);
  torch::jit::drop(*stack, kFusedArguments + 1);
}

TORCH_LIBRARY_FRAGMENT(tilewise, library) {
  library.def(
      "pointwise(str function, Tensor[] tensors, Scalar[]? numbers=None, str kinds=\"\") -> "
      "Tensor[]",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "pointwise.out(str function, Tensor[] tensors, Scalar[]? numbers=None, str kinds=\"\", *, "
      "Tensor(a!)[] out) -> ()",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "pointwise_composed(str function, Tensor[] tensors, Scalar[]? numbers, str kinds, "
      "str reason) -> Tensor[]");
}

void register_kernels(torch::Library& library) {
  library.impl("pointwise", torch::CppFunction::makeFromBoxedFunction<&pointwise>());
  library.impl("pointwise.out", torch::CppFunction::makeFromBoxedFunction<&pointwise_out>());
}

TORCH_LIBRARY_IMPL(tilewise, CPU, library) { register_kernels(library); }
TORCH_LIBRARY_IMPL(tilewise, CUDA, library) { register_kernels(library); }

}  // namespace

std::vector<at::Tensor> call_pointwise(const std::string& function,
                                       c10::ArrayRef<at::Tensor> tensors,
                                       c10::ArrayRef<std::optional<at::Scalar>> numbers) {
  static const auto handle =
      c10::Dispatcher::singleton().findSchemaOrThrow("tilewise::pointwise", "");
  c10::List<at::Scalar> list;
  std::string kinds;
  for (const auto& number : numbers) {
    kinds += !number.has_value()                         ? 't'
             : number->isBoolean()                       ? 'b'
             : number->isIntegral(/*includeBool=*/false) ? 'i'
                                                         : 'f';
    if (number.has_value()) list.push_back(*number);
  }
  if (list.empty()) kinds.clear();
  Stack stack{c10::IValue(function), c10::IValue(tensors),
              list.empty() ? c10::IValue() : c10::IValue(std::move(list)), c10::IValue(kinds)};
  handle.callBoxed(stack);
  return stack.at(0).toTensorVector();
}

}  // namespace tilewise::ops
