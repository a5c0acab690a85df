// SPDX-License-Identifier: Apache-2.0
// The operators tilewise::pointwise and its out= form, at the backend keys. Kernels are boxed:
// Python hands its arguments over on the dispatcher's stack anyway. What the fused kernel does not
// serve is composed of PyTorch's operators by `pointwise_composed`, which Python implements from
// the traced function.
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/native/Resize.h>
#include <torch/library.h>

#include "dispatch/refusal.h"
#include "dispatch/scope.h"
#include "ops/fusion/fused_call.h"

namespace tilewise::ops {
namespace {

using torch::jit::Stack;

void check_is_served(const FusedFunction& function, const char* reason) {
  const dispatch::Scope* scope = dispatch::current_scope();
  TORCH_CHECK_NOT_IMPLEMENTED(scope == nullptr || !scope->strict,
                              "tilewise (strict): ", function.definition().title,
                              " is not served here: ", reason);
}

std::vector<at::Tensor> compose(const c10::IValue& name, const c10::IValue& tensors,
                                const c10::IValue& numbers, const char* reason) {
  static const auto handle =
      c10::Dispatcher::singleton().findSchemaOrThrow("tilewise::pointwise_composed", "");
  Stack stack{name, tensors, numbers, c10::IValue(reason)};
  handle.callBoxed(stack);
  return stack.at(0).toTensorVector();
}

// Fills `outputs`, by the fused kernel or by PyTorch's.
void run_or_compose(const c10::IValue* arguments, dispatch::Backend backend,
                    c10::SmallVector<at::Tensor, 4>& outputs) {
  const FusedCall call(arguments[0], arguments[1], arguments[2]);
  dispatch::OverloadEntry& entry = call.function->entry(backend);
  const char* reason = nullptr;
  try {
    run_fused(call, backend, outputs);
    entry.served.fetch_add(1, std::memory_order_relaxed);
    return;
  } catch (const dispatch::Refusal& refusal) {
    reason = refusal.reason;
  }
  check_is_served(*call.function, reason);
  entry.count_fallback(reason);
  const auto composed = compose(arguments[0], arguments[1], arguments[2], reason);
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
  const c10::IValue* arguments = &(*stack)[stack->size() - 3];
  c10::SmallVector<at::Tensor, 4> outputs;
  outputs.resize(fused_function(arguments[0].toStringView()).outputs());
  run_or_compose(arguments, dispatch::backend_of(ks), outputs);
  torch::jit::drop(*stack, 3);
  stack->emplace_back(std::vector<at::Tensor>(outputs.begin(), outputs.end()));
}

void pointwise_out(const c10::OperatorHandle&, c10::DispatchKeySet ks, Stack* stack) {
  const c10::IValue* arguments = &(*stack)[stack->size() - 4];
  c10::SmallVector<at::Tensor, 4> outputs;
  for (const c10::IValue& value : arguments[3].toListRef()) outputs.push_back(value.toTensor());
  const FusedFunction& function = fused_function(arguments[0].toStringView());
  TORCH_CHECK_VALUE(outputs.size() == function.outputs(), "tilewise::", function.definition().title,
                    " has ", function.outputs(), " outputs, and out= holds ", outputs.size());
  run_or_compose(arguments, dispatch::backend_of(ks), outputs);
  torch::jit::drop(*stack, 4);
}

TORCH_LIBRARY_FRAGMENT(tilewise, library) {
  library.def("pointwise(str function, Tensor[] tensors, Scalar?[] numbers) -> Tensor[]",
              {at::Tag::pt2_compliant_tag});
  library.def(
      "pointwise.out(str function, Tensor[] tensors, Scalar?[] numbers, *, Tensor(a!)[] out) "
      "-> ()",
      {at::Tag::pt2_compliant_tag});
  library.def(
      "pointwise_composed(str function, Tensor[] tensors, Scalar?[] numbers, str reason) "
      "-> Tensor[]");
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
  c10::List<std::optional<at::Scalar>> list;
  for (const auto& number : numbers) list.push_back(number);
  Stack stack{c10::IValue(function), c10::IValue(tensors), c10::IValue(std::move(list))};
  handle.callBoxed(stack);
  return stack.at(0).toTensorVector();
}

}  // namespace tilewise::ops
