// SPDX-License-Identifier: Apache-2.0
#include "ops/fusion/fused_call.h"

#include <ATen/TensorIterator.h>
#include <ATen/native/TypeProperties.h>

#include "dispatch/refusal.h"
#include "dispatch/scope.h"
#include "ops/framework/eligibility.h"
#include "ops/framework/output.h"

namespace tilewise::ops {
namespace {

// TensorIterator's shapes, strides and checks over outputs that are allocated as everywhere in
// Tilewise.
struct FusedIterator final : at::TensorIteratorBase {
  explicit FusedIterator(c10::ArrayRef<at::Tensor> given)
      : given_(given), outputs(given.begin(), given.end()) {}

  void set_output_raw_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                              at::TensorOptions options TILEWISE_NAMES_PARAMETER) override {
    const auto i = static_cast<size_t>(index);
    if (given_[i].defined())
      fit_out(given_[i], sizes, strides, options);
    else
      outputs[i] = allocate_output(sizes, strides, options);
    at::TensorIteratorBase::set_output_raw_strided(index, sizes, strides,
                                                   options TILEWISE_NAMES_ARGUMENT);
  }
  const at::Tensor& maybe_get_output(int64_t index) override {
    return outputs[static_cast<size_t>(index)];
  }

 private:
  c10::ArrayRef<at::Tensor> given_;

 public:
  c10::SmallVector<at::Tensor, 4> outputs;
};

void build(FusedIterator& iter, const FusedCall& call, size_t output_count, at::ScalarType result) {
  at::TensorIteratorConfig config;
  for (size_t i = 0; i < output_count; ++i) config.add_output(iter.outputs[i]);
  for (const at::Tensor& tensor : call.tensors) config.add_const_input(tensor);
  config.check_all_same_dtype(false).allow_cpu_scalars(true).declare_static_dtype(result);
  iter.build(config);
}

// TensorIterator gives undefined outputs one dtype. Where they differ, the first one is made by it
// and the rest take its shape and strides.
void allocate_mixed(const FusedCall& call, c10::ArrayRef<at::ScalarType> results,
                    c10::SmallVector<at::Tensor, 4>& outputs) {
  FusedIterator first{c10::ArrayRef<at::Tensor>(outputs.data(), 1)};
  build(first, call, 1, results[0]);
  outputs[0] = first.outputs[0];
  for (size_t i = 1; i < outputs.size(); ++i)
    if (!outputs[i].defined())
      outputs[i] = allocate_output(outputs[0].sizes(), outputs[0].strides(),
                                   outputs[0].options().dtype(results[i]));
}

void inspect(const FusedCall& call, dispatch::Backend backend, c10::ArrayRef<at::Tensor> outputs) {
  TensorInspector inspector(backend, /*cpu_dims_allowed=*/0, /*complex_is_allowed=*/false);
  for (const at::Tensor& tensor : call.tensors) inspector(tensor);
  for (const at::Tensor& tensor : outputs)
    if (tensor.defined()) inspector(tensor);
  if (inspector.reason != nullptr) throw dispatch::Refusal{inspector.reason};
}

// The number of its own type.
at::Scalar to_number(const at::Scalar& value, char kind) {
  if (value.isSymbolic() || !value.isFloatingPoint()) return value;
  if (kind == 'b') return value.toDouble() != 0;
  return kind == 'i' ? at::Scalar(static_cast<int64_t>(value.toDouble())) : value;
}

}  // namespace

FusedCall::FusedCall(const c10::IValue* arguments)
    : function(&fused_function(arguments[0].toStringView())) {
  for (const c10::IValue& value : arguments[1].toListRef()) tensors.push_back(value.toTensor());
  const std::string_view kinds = arguments[3].toStringView();
  if (!kinds.empty()) read_numbers(arguments[2], kinds);
  check_count();
}

void FusedCall::read_numbers(const c10::IValue& values, std::string_view kinds) {
  TORCH_CHECK_VALUE(kinds.size() == function->definition().parameters && !values.isNone(),
                    "tilewise::", function->definition().title, ": operands of the kinds '", kinds,
                    "'");
  const auto list = values.toListRef();
  for (size_t i = 0; i < kinds.size(); ++i) {
    if (kinds[i] == 't') continue;
    TORCH_CHECK_VALUE(numbers.size() < list.size(), "tilewise: fewer numbers than kinds");
    numbers.push_back(to_number(list[numbers.size()].toScalar(), kinds[i]));
    number_mask |= uint64_t{1} << i;
  }
}

FusedCall::FusedCall(FusedFunction& fused, at::TensorList list)
    : function(&fused), tensors(list.begin(), list.end()) {
  check_count();
}

void FusedCall::check_count() const {
  const size_t expected = function->definition().parameters;
  TORCH_CHECK_VALUE(tensors.size() + numbers.size() == expected,
                    "tilewise::", function->definition().title, " takes ", expected,
                    " operands, not ", tensors.size(), " tensors and ", numbers.size(), " numbers");
}

at::ScalarType FusedCall::common_dtype() const {
  at::native::ResultTypeState state;
  for (const at::Tensor& tensor : tensors)
    state = at::native::update_result_type_state(tensor, state);
  for (const at::Scalar& number : numbers)
    state = at::native::update_result_type_state(number, state);
  return at::native::result_type(state);
}

void run_fused(const FusedCall& call, dispatch::Backend backend,
               c10::SmallVector<at::Tensor, 4>& outputs) {
  const FusedDefinition& definition = call.function->definition();
  inspect(call, backend, outputs);
  if (call.numbers.size() > codegen::kMaxScalars) throw dispatch::Refusal{"too many numbers"};
  if (call.tensors.size() + outputs.size() > codegen::kMaxOperands)
    throw dispatch::Refusal{"too many operands"};
  const at::ScalarType common = call.common_dtype();
  const at::ScalarType compute = promote(common, definition.compute);
  c10::SmallVector<at::ScalarType, 4> results;
  bool is_mixed = false;
  for (size_t i = 0; i < outputs.size(); ++i) {
    results.push_back(promote(common, definition.results[i]));
    is_mixed |= results[i] != results[0];
    TORCH_CHECK(!outputs[i].defined() || at::canCast(results[i], outputs[i].scalar_type()),
                "result type ", results[i], " can't be cast to the desired output type ",
                outputs[i].scalar_type());
  }
  const DeviceGuard guard(at::TensorList(call.tensors));
  if (is_mixed) allocate_mixed(call, results, outputs);
  FusedIterator iter{outputs};
  build(iter, call, outputs.size(), results[0]);
  PointwiseArguments arguments;
  for (const at::Scalar& number : call.numbers) arguments.add(number);
  call.function->kernels(call.number_mask).run(iter, compute, arguments);
  outputs = std::move(iter.outputs);
}

void refuse_or_raise(std::string_view title, dispatch::OverloadEntry& entry, const char* reason) {
  const dispatch::Scope* scope = dispatch::current_scope();
  TORCH_CHECK_NOT_IMPLEMENTED(scope == nullptr || !scope->strict, "tilewise (strict): ", title,
                              " is not served here: ", reason);
  entry.count_fallback(reason);
}

}  // namespace tilewise::ops
