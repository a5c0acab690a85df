// SPDX-License-Identifier: Apache-2.0
// From the argument types of an ATen meta function to the ones the dispatcher passes. The two
// differ only where torchgen uses non-owning references (`OptionalTensorRef`); with this table the
// three forms of an operator follow from the type of its meta function, and no schema is written
// twice. The dispatcher checks the resulting signature against the schema when it is registered.
#pragma once

#include <ATen/ScalarOps.h>
#include <ATen/core/IListRef.h>
#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>
#include <c10/util/OptionalArrayRef.h>

#include <optional>

namespace tilewise::ops {

template <class Meta>
struct DispatcherArgument {
  using Type = Meta;
  static Meta to_meta(Meta value) { return value; }
};

template <>
struct DispatcherArgument<at::OptionalTensorRef> {
  using Type = const std::optional<at::Tensor>&;
  static at::OptionalTensorRef to_meta(Type value) {
    return value.has_value() && value->defined() ? at::OptionalTensorRef(*value)
                                                 : at::OptionalTensorRef();
  }
};

template <>
struct DispatcherArgument<at::OptionalScalarRef> {
  using Type = const std::optional<at::Scalar>&;
  static at::OptionalScalarRef to_meta(Type value) {
    return value.has_value() ? at::OptionalScalarRef(&*value) : at::OptionalScalarRef();
  }
};

// A tensor of the meta function in whose place the overload has a number (mul.Scalar beside
// mul.Tensor). As in ATen, it becomes a 0-dim tensor that takes part in promotion as a number.
struct NumberOperand {};

template <>
struct DispatcherArgument<NumberOperand> {
  using Type = const at::Scalar&;
  static at::Tensor to_meta(Type value) { return at::native::wrapped_scalar_tensor(value); }
};

template <class Meta>
using DispatcherType = typename DispatcherArgument<Meta>::Type;

// Calls `visit(tensor)` for every defined tensor among the arguments, as the dispatcher passes
// them.
template <class Visit>
void visit_tensors(Visit& visit, const at::Tensor& tensor) {
  if (tensor.defined()) visit(tensor);
}
template <class Visit>
void visit_tensors(Visit& visit, const std::optional<at::Tensor>& tensor) {
  if (tensor.has_value() && tensor->defined()) visit(*tensor);
}
template <class Visit>
void visit_tensors(Visit& visit, const at::ITensorListRef& tensors) {
  for (const at::Tensor& tensor : tensors) visit_tensors(visit, tensor);
}
template <class Visit>
void visit_tensors(Visit& visit, at::TensorList tensors) {
  for (const at::Tensor& tensor : tensors) visit_tensors(visit, tensor);
}
template <class Visit, class Other>
void visit_tensors(Visit&, const Other&) {}

}  // namespace tilewise::ops
