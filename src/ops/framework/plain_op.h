// SPDX-License-Identifier: Apache-2.0
// Operators that PyTorch does not declare structured: one overload, one function with the
// dispatcher's own signature. An operator is written as
//
//   struct NativeDropout : PlainOp {
//     static const char* refuse(const Tensor& input, double p, std::optional<bool> train);  //
//     optional static std::tuple<Tensor, Tensor> call(const Tensor& input, double p,
//     std::optional<bool> train);
//   };
//   TILEWISE_OPERATOR(NativeDropout, "native_dropout");
//
// `call` throws dispatch::Refusal if it cannot serve, before it has written to an argument.
// Optional members besides: `static bool is_transfer(...)` says that a call moves data between
// devices, which no kernel does: it goes on uncounted, also in a strict scope; `static constexpr
// bool kGpuOnly = true` for an operator that PyTorch has on GPUs alone, and `static auto
// without_scope(...)`, of the same signature, which serves without us on a backend where PyTorch
// has no kernel, and where `static bool previous_cannot(...)` says that PyTorch's kernel cannot go
// on from what ours left.
#pragma once

#include "dispatch/refusal.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {

struct PlainOp {
  static constexpr bool kCpuScalarsAllowed = false;
};

namespace detail {

template <class Op, class Function>
struct Plain;

template <class Op, class Result, class... Args>
struct Plain<Op, Result (*)(Args...)> {
  static inline dispatch::OverloadEntry entries[dispatch::kBackends];

  static Result call(c10::DispatchKeySet ks, Args... args) {
    auto& entry = entries[static_cast<int>(dispatch::backend_of(ks))];
    const dispatch::Scope* scope = dispatch::current_scope();
    if (serves(scope, entry) && !is_transfer(args...)) {
      const char* reason = find_refusal<Op>(entry, args...);
      if (reason == nullptr) {
        try {
          const DeviceGuard guard(args...);
          if constexpr (std::is_void_v<Result>) {
            Op::call(args...);
            entry.served.fetch_add(1, std::memory_order_relaxed);
            return;
          } else {
            Result result = Op::call(args...);
            entry.served.fetch_add(1, std::memory_order_relaxed);
            return result;
          }
        } catch (const dispatch::Refusal& refusal) {
          reason = refusal.reason;
        }
      }
      fall_back(entry, *scope, reason);
    }
    if constexpr (requires { Op::previous_cannot(args...); })
      if (Op::previous_cannot(args...)) return Op::without_scope(std::forward<Args>(args)...);
    return entry.previous.template call<Result, Args...>(*entry.handle, ks,
                                                         std::forward<Args>(args)...);
  }

  static bool is_transfer(const Args&... args) {
    if constexpr (requires { Op::is_transfer(args...); }) return Op::is_transfer(args...);
    return false;
  }

  static dispatch::Registration registration(const char* name) {
    const dispatch::FormBinding binding{
        entries, [] { return torch::CppFunction::makeFromUnboxedFunction(&call); }};
    dispatch::KernelMaker without_scope = nullptr;
    if constexpr (requires { &Op::without_scope; })
      without_scope = [] {
        return c10::KernelFunction::makeFromUnboxedFunction(TORCH_FN(Op::without_scope));
      };
    return {name, {binding, binding, binding}, /*derive=*/false, without_scope, is_gpu_only<Op>};
  }
};

}  // namespace detail
}  // namespace tilewise::ops

// Takes over exactly the overload `name`.
#define TILEWISE_OPERATOR(Op, name)                                                       \
  static ::tilewise::dispatch::Registration TILEWISE_CONCAT(registration_, __COUNTER__) = \
      ::tilewise::ops::detail::Plain<Op, decltype(&Op::call)>::registration(name)
