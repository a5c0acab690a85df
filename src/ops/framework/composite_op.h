// SPDX-License-Identifier: Apache-2.0
// Operators that PyTorch composes of others, autograd included (CompositeImplicit), where one
// kernel does what the parts do in several. Such an operator is written as a PlainOp whose `call`
// also makes the node of the autograd graph, if GradMode is enabled and an input asks for
// gradients:
//
//   struct CrossEntropy : CompositeOp { refuse, call };
//   TILEWISE_COMPOSITE(CrossEntropy, "cross_entropy_loss");
//
// It is registered at each backend's key and at its autograd key. A call that anything else takes
// part in (a mode or a subclass in Python, functorch, tracing) goes to PyTorch's composite,
// uncounted. So does a refused one, counted, without an error in a strict scope: the composite's
// parts are dispatched on their own, and judged then.
#pragma once

#include <ATen/core/grad_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>

#include "dispatch/composite.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {

struct CompositeOp : PlainOp {};

// Whether a backend and autograd are all that takes part in a call with these keys. Where autocast
// does, it has done its part by then, or leaves the operator alone.
inline bool is_plain_call(c10::DispatchKeySet ks) {
  using c10::DispatchKey;
  constexpr c10::DispatchKeySet kPlain{
      DispatchKey::Dense,           DispatchKey::BackendSelect,
      DispatchKey::ADInplaceOrView, DispatchKey::AutogradFunctionality,
      DispatchKey::AutocastCPU,     DispatchKey::AutocastCUDA};
  return (ks - kPlain).highestFunctionalityKey() == DispatchKey::Undefined;
}

// The same of a call with these tensors from here.
inline bool is_plain_call(const Tensor& a, const Tensor& b) {
  const c10::impl::LocalDispatchKeySet local = c10::impl::tls_local_dispatch_key_set();
  return is_plain_call(((a.key_set() | b.key_set()) | local.included_) - local.excluded_);
}

namespace detail {

template <class Op, class Function>
struct Composite;

template <class Op, class Result, class... Args>
struct Composite<Op, Result (*)(Args...)> {
  static inline dispatch::OverloadEntry entries[dispatch::kBackends];

  // At the backend's own key autograd has been left behind, or takes no part (inference mode).
  template <bool with_autograd>
  static Result call(c10::DispatchKeySet ks, Args... args) {
    auto& entry = entries[static_cast<int>(dispatch::backend_of(ks))];
    if (serves(dispatch::current_scope(), entry) && is_plain_call(ks)) {
      const char* reason = find_refusal<Op>(entry, args...);
      if (reason == nullptr) {
        try {
          const at::AutoGradMode mode(with_autograd && at::GradMode::is_enabled());
          const DeviceGuard guard(args...);
          Result result = Op::call(args...);
          entry.served.fetch_add(1, std::memory_order_relaxed);
          return result;
        } catch (const dispatch::Refusal& refusal) {
          reason = refusal.reason;
        }
      }
      entry.count_fallback(reason);
    }
    return entry.previous.template call<Result, Args...>(*entry.handle, ks,
                                                         std::forward<Args>(args)...);
  }

  static dispatch::CompositeRegistration registration(const char* name) {
    return {name,
            {entries, [] { return torch::CppFunction::makeFromUnboxedFunction(&call<false>); }},
            [] { return torch::CppFunction::makeFromUnboxedFunction(&call<true>); }};
  }
};

}  // namespace detail
}  // namespace tilewise::ops

// Takes over exactly the overload `name`.
#define TILEWISE_COMPOSITE(Op, name)                                                               \
  static ::tilewise::dispatch::CompositeRegistration TILEWISE_CONCAT(registration_, __COUNTER__) = \
      ::tilewise::ops::detail::Composite<Op, decltype(&Op::call)>::registration(name)
