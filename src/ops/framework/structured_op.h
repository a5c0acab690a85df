// SPDX-License-Identifier: Apache-2.0
// Operators that PyTorch declares structured: one `impl`, and the functional, in-place and out=
// forms with ATen's own shapes, promotion, resizing and errors. An operator is written as
//
//   struct Softmax : StructuredOp<at::meta::structured__softmax> {
//     static const char* refuse(const Tensor& self, int64_t dim, bool half_to_float);   // optional
//     void impl(const Tensor& self, int64_t dim, bool half_to_float, const Tensor& out);
//   };
//   TILEWISE_STRUCTURED(Softmax, "_softmax");
//
// `impl` takes the meta function's arguments and the outputs, already allocated. It launches
// kernels and throws dispatch::Refusal if it cannot, before it has written anything.
#pragma once

#include <ATen/TensorIterator.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/Resize.h>
#include <c10/core/DeviceGuard.h>

#include <array>
#include <tuple>

#include "dispatch/refusal.h"
#include "dispatch/registry.h"
#include "dispatch/torch_version.h"
#include "ops/framework/eligibility.h"
#include "ops/framework/output.h"
#include "ops/framework/signature.h"

namespace tilewise::ops {

using at::Tensor;

template <class Meta, int Outputs = 1>
struct StructuredOp : Meta {
  using MetaClass = Meta;
  static constexpr int kOutputs = Outputs;
  // Whether a 0-dim CPU tensor may meet tensors on a GPU (TensorIterator's rule).
  static constexpr bool kCpuScalarsAllowed = std::is_base_of_v<at::TensorIteratorBase, Meta>;
};

namespace detail {

// The outputs of one call. `place` decides what becomes of an output the meta function describes.
template <class Op, dispatch::Form form>
struct Bound final : Op {
  std::array<Tensor, Op::kOutputs> outputs;  // functional: made here; else a proxy or undefined
  std::array<const Tensor*, Op::kOutputs> given{};  // in-place and out=: the caller's

  void place(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
             const at::TensorOptions& options, bool exact_strides) {
    const auto i = static_cast<size_t>(index);
    if constexpr (form == dispatch::Form::functional) {
      outputs[i] = allocate_output(sizes, strides, options);
    } else if constexpr (form == dispatch::Form::inplace) {
      outputs[i] = proxy_of_inplace(*given[i], sizes, strides, options, exact_strides);
    } else {
      outputs[i] = proxy_of_out(*given[i], sizes, strides, options, exact_strides);
    }
  }

  void set_output_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                          at::TensorOptions options TILEWISE_NAMES_PARAMETER) override {
    place(index, sizes, strides, options, true);
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Op>)
      Op::set_output_raw_strided(index, sizes, strides, options TILEWISE_NAMES_ARGUMENT);
  }

  void set_output_raw_strided(int64_t index, at::IntArrayRef sizes, at::IntArrayRef strides,
                              at::TensorOptions options TILEWISE_NAMES_PARAMETER) override {
    place(index, sizes, strides, options, false);
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Op>)
      Op::set_output_raw_strided(index, sizes, strides, options TILEWISE_NAMES_ARGUMENT);
  }

  const Tensor& maybe_get_output(int64_t index) override {
    const auto i = static_cast<size_t>(index);
    if (form != dispatch::Form::functional && !outputs[i].defined()) return *given[i];
    return outputs[i];
  }

  template <class... MetaArgs>
  void run(const MetaArgs&... args) {
    this->meta(args...);
    [&]<size_t... I>(std::index_sequence<I...>) {
      this->impl(args..., maybe_get_output(I)...);
    }(std::make_index_sequence<Op::kOutputs>{});
    // On the CPU TensorIterator may have given us temporaries in the common dtype.
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Op>) this->cast_outputs();
    if constexpr (form != dispatch::Form::functional)
      for (size_t i = 0; i < outputs.size(); ++i)
        if (outputs[i].defined()) given[i]->copy_(outputs[i]);
  }
};

// M...: the meta function's argument types; an operator has several overloads of one form where
// numbers may replace tensors.
template <class Op, class... M>
struct OperatorEntries {
  static inline dispatch::OverloadEntry of[3][dispatch::kBackends];  // [form][backend]
};

template <int N>
struct ResultType;
template <>
struct ResultType<1> {
  using Value = Tensor;
  using Reference = Tensor&;
};
template <>
struct ResultType<2> {
  using Value = std::tuple<Tensor, Tensor>;
  using Reference = std::tuple<Tensor&, Tensor&>;
};
template <>
struct ResultType<3> {
  using Value = std::tuple<Tensor, Tensor, Tensor>;
  using Reference = std::tuple<Tensor&, Tensor&, Tensor&>;
};

template <>
struct ResultType<4> {
  using Value = std::tuple<Tensor, Tensor, Tensor, Tensor>;
  using Reference = std::tuple<Tensor&, Tensor&, Tensor&, Tensor&>;
};

// Whether an operator declares that PyTorch has it on GPUs alone.
template <class Op>
inline constexpr bool is_gpu_only = [] {
  if constexpr (requires { Op::kGpuOnly; })
    return Op::kGpuOnly;
  else
    return false;
}();

// The form that returns new tensors.
template <class Op, class... M>
struct Functional {
  using Result = typename ResultType<Op::kOutputs>::Value;

  static Result call(c10::DispatchKeySet ks, DispatcherType<M>... args) {
    auto& entry = OperatorEntries<Op, M...>::of[0][static_cast<int>(dispatch::backend_of(ks))];
    const dispatch::Scope* scope = dispatch::current_scope();
    if (serves(scope, entry)) {
      const char* reason = find_refusal<Op>(entry, args...);
      if (reason == nullptr) {
        try {
          const DeviceGuard guard(args...);
          Bound<Op, dispatch::Form::functional> op;
          op.run(DispatcherArgument<M>::to_meta(args)...);
          entry.served.fetch_add(1, std::memory_order_relaxed);
          if constexpr (Op::kOutputs == 1)
            return std::move(op.outputs[0]);
          else
            return std::apply([](auto&... out) { return Result(std::move(out)...); }, op.outputs);
        } catch (const dispatch::Refusal& refusal) {
          reason = refusal.reason;
        }
      }
      fall_back(entry, *scope, reason);
    }
    return entry.previous.template call<Result, DispatcherType<M>...>(*entry.handle, ks, args...);
  }
};

template <class Op, class Self, class... M>
struct InPlace {
  static Tensor& call(c10::DispatchKeySet ks, Tensor& self, DispatcherType<M>... args) {
    auto& entry =
        OperatorEntries<Op, Self, M...>::of[1][static_cast<int>(dispatch::backend_of(ks))];
    const dispatch::Scope* scope = dispatch::current_scope();
    if (serves(scope, entry)) {
      const char* reason = find_refusal<Op>(entry, self, args...);
      if (reason == nullptr) {
        try {
          const DeviceGuard guard(self);
          Bound<Op, dispatch::Form::inplace> op;
          op.given = {&self};
          op.run(std::as_const(self), DispatcherArgument<M>::to_meta(args)...);
          entry.served.fetch_add(1, std::memory_order_relaxed);
          return self;
        } catch (const dispatch::Refusal& refusal) {
          reason = refusal.reason;
        }
      }
      fall_back(entry, *scope, reason);
    }
    return entry.previous.template call<Tensor&, Tensor&, DispatcherType<M>...>(*entry.handle, ks,
                                                                                self, args...);
  }
};

template <class Op, class Outs, class... M>
struct Out;

template <class Op, class... Outs, class... M>
struct Out<Op, std::tuple<Outs...>, M...> {
  using Result = typename ResultType<Op::kOutputs>::Reference;

  static Result call(c10::DispatchKeySet ks, DispatcherType<M>... args, Outs... outs) {
    auto& entry = OperatorEntries<Op, M...>::of[2][static_cast<int>(dispatch::backend_of(ks))];
    const dispatch::Scope* scope = dispatch::current_scope();
    if (serves(scope, entry)) {
      const char* reason = find_refusal<Op>(entry, args..., outs...);
      if (reason == nullptr) {
        try {
          const DeviceGuard guard(args..., outs...);
          Bound<Op, dispatch::Form::out> op;
          op.given = {&outs...};
          op.run(DispatcherArgument<M>::to_meta(args)...);
          entry.served.fetch_add(1, std::memory_order_relaxed);
          return Result(outs...);
        } catch (const dispatch::Refusal& refusal) {
          reason = refusal.reason;
        }
      }
      fall_back(entry, *scope, reason);
    }
    return entry.previous.template call<Result, DispatcherType<M>..., Outs...>(*entry.handle, ks,
                                                                               args..., outs...);
  }
};

template <auto function>
dispatch::FormBinding bind(dispatch::OverloadEntry (&entries)[dispatch::kBackends]) {
  return {entries, [] { return torch::CppFunction::makeFromUnboxedFunction(function); }};
}

// The three forms of an operator whose meta function takes M...
template <class Op, class First, class... Rest>
struct Forms {
  template <size_t>
  using OutReference = Tensor&;

  static dispatch::FormBinding functional() {
    return bind<&Functional<Op, First, Rest...>::call>(OperatorEntries<Op, First, Rest...>::of[0]);
  }
  // Only an operator whose first argument is a tensor and which has one output works in place.
  static dispatch::FormBinding inplace() {
    if constexpr (Op::kOutputs == 1 && std::is_same_v<First, const Tensor&>)
      return bind<&InPlace<Op, First, Rest...>::call>(OperatorEntries<Op, First, Rest...>::of[1]);
    else
      return {};
  }
  static dispatch::FormBinding out() {
    return []<size_t... I>(std::index_sequence<I...>) {
      using Outs = std::tuple<OutReference<I>...>;
      return bind<&Out<Op, Outs, First, Rest...>::call>(OperatorEntries<Op, First, Rest...>::of[2]);
    }(std::make_index_sequence<Op::kOutputs>{});
  }
  static dispatch::FormBindings all() { return {functional(), inplace(), out()}; }
};

template <class Op, class Meta>
struct MetaForms;

template <class Op, class Return, class Class, class... M>
struct MetaForms<Op, Return (Class::*)(M...)> {
  static dispatch::Registration registration(const char* name) {
    return {name, Forms<Op, M...>::all(), /*derive=*/true, /*kernel_without_scope=*/nullptr,
            is_gpu_only<Op>};
  }
};

// Of two tensors that promote together, either may be a number.
template <class Op, class Return, class Class, class... Rest>
struct MetaForms<Op, Return (Class::*)(const Tensor&, const Tensor&, Rest...)> {
  static dispatch::Registration registration(const char* name) {
    dispatch::FormBindings with_number[2];
    if constexpr (std::is_base_of_v<at::TensorIteratorBase, Op>) {
      with_number[0] = Forms<Op, NumberOperand, const Tensor&, Rest...>::all();
      with_number[1] = Forms<Op, const Tensor&, NumberOperand, Rest...>::all();
    }
    using Both = Forms<Op, const Tensor&, const Tensor&, Rest...>;
    return {name,
            Both::all(),
            /*derive=*/true,
            /*kernel_without_scope=*/nullptr,
            is_gpu_only<Op>,
            with_number[0],
            with_number[1]};
  }
};

}  // namespace detail

template <class Op>
dispatch::Registration make_structured_registration(const char* name) {
  return detail::MetaForms<Op, decltype(&Op::MetaClass::meta)>::registration(name);
}

}  // namespace tilewise::ops

#define TILEWISE_CONCAT_(a, b) a##b
#define TILEWISE_CONCAT(a, b) TILEWISE_CONCAT_(a, b)

// Takes over the overload `name` (functional form), the in-place and out= overloads of the same
// kernel, and, of a pointwise operator on two tensors, those that take a number for one of them.
#define TILEWISE_STRUCTURED(Op, name)                                                     \
  static ::tilewise::dispatch::Registration TILEWISE_CONCAT(registration_, __COUNTER__) = \
      ::tilewise::ops::make_structured_registration<Op>(name)
