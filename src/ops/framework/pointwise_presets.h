// SPDX-License-Identifier: Apache-2.0
// Stand-ins for the meta functions of pointwise operators that PyTorch does not declare structured.
// Each configures ATen's TensorIterator as the operator's own kernel does; promotion, broadcasting,
// memory format and errors remain ATen's.
#pragma once

#include <ATen/ExpandUtils.h>
#include <ATen/TensorIterator.h>
#include <c10/core/Scalar.h>

#include "dispatch/refusal.h"

namespace tilewise::ops {

// One input, result of the same type: abs, relu. Args...: the operator's further arguments.
template <class... Args>
struct UnaryWith : at::TensorIteratorBase {
  void meta(const at::Tensor& self, Args...) { build_unary_op(maybe_get_output(), self); }
};
using UnaryPreset = UnaryWith<>;

// The same, but integers give floats: deg2rad, logit.
template <class... Args>
struct UnaryFloatWith : at::TensorIteratorBase {
  void meta(const at::Tensor& self, Args...) {
    build_borrowing_unary_float_op(maybe_get_output(), self);
  }
};
using UnaryFloatPreset = UnaryFloatWith<>;

// Two inputs that promote to the result's type: floor_divide.
template <class... Args>
struct BinaryWith : at::TensorIteratorBase {
  void meta(const at::Tensor& self, const at::Tensor& other, Args...) {
    build_borrowing_binary_op(maybe_get_output(), self, other);
  }
};
using BinaryPreset = BinaryWith<>;

// Integer division: PyTorch's kernels raise for a zero in the second input.
template <class Meta>
struct Division : Meta {
  static constexpr bool kZeroDivisorRaises = true;
};

// One input, a bool result (or the type of out=): isnan, logical_not.
struct PredicatePreset : at::TensorIteratorBase {
  static constexpr bool kComputeInInputType = true;
  void meta(const at::Tensor& self) {
    build_borrowing_unary_force_boolean_op(maybe_get_output(), self);
  }
};

// Two inputs that promote among themselves, a bool result (or the type of out=).
struct LogicalBinaryPreset : at::TensorIteratorBase {
  void meta(const at::Tensor& self, const at::Tensor& other) {
    build_comparison_op(maybe_get_output(), self, other);
  }
};

// where(condition, self, other): the condition is bool, the rest promotes.
struct WherePreset : at::TensorIteratorBase {
  static constexpr bool kComputeInOutputType = true;
  void meta(const at::Tensor& condition, const at::Tensor& self, const at::Tensor& other) {
    const at::ScalarType result = at::result_type(self, other);
    if (maybe_get_output().defined() && maybe_get_output().scalar_type() != result)
      throw dispatch::Refusal{"out= has another dtype or device than the result"};
    build(at::TensorIteratorConfig()
              .check_all_same_dtype(false)
              .add_output(maybe_get_output())
              .add_const_input(condition)
              .add_const_input(self)
              .add_const_input(other)
              .declare_static_dtype(result));
  }
};

// abs: complex numbers give real ones, which out= and the in-place form leave to PyTorch.
struct AbsolutePreset : at::TensorIteratorBase {
  static constexpr bool kComputeInInputType = true;
  void meta(const at::Tensor& self) {
    if (!self.is_complex()) {
      build_unary_op(maybe_get_output(), self);
      return;
    }
    if (maybe_get_output().defined())
      throw dispatch::Refusal{"absolute values of complex numbers into a given tensor"};
    build(at::TensorIteratorConfig()
              .check_all_same_dtype(false)
              .add_output(maybe_get_output())
              .add_const_input(self)
              .declare_static_dtype(c10::toRealValueType(self.scalar_type())));
  }
};

}  // namespace tilewise::ops
