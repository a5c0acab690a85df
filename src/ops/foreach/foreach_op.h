// SPDX-License-Identifier: Apache-2.0
// Pointwise operators on lists of tensors: one line each.
//
//   TILEWISE_FOREACH("_foreach_mul", ".List", "arithmetic:multiply", "", kNumeric, TensorList,
//                    TensorList);
//
// takes over _foreach_mul.List, _foreach_mul_.List and _foreach_mul.List_out: `multiply` of
// kernels/pointwise/arithmetic.py is called for each element with the overload's arguments in their
// order (the element of a list's tensor, a number, the tensor's own entry of a list of numbers),
// then with the literals (", 1"). A list of several dtypes takes one launch for each.
#pragma once

#include <array>
#include <vector>

#include "codegen/foreach_source.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"

namespace tilewise::ops {

using at::Scalar;
using at::TensorList;
using ScalarList = at::ArrayRef<Scalar>;
using codegen::ForeachArgument;

// The arguments of one call, in order.
class ForeachCall {
 public:
  template <class... Args>
  explicit ForeachCall(const Args&... args) {
    (add(args), ...);
  }

  // Why no launch can serve the call, or nullptr; `dtypes`: what the function is written for.
  const char* refuse(uint8_t dtypes, bool in_place) const;
  // Writes to `out` what `kernel` makes of the arguments; throws Refusal.
  void run(const Kernel& kernel, TensorList out) const;
  // Why the results cannot be written to `out`: PyTorch resizes, converts and raises.
  const char* refuse_out(TensorList out) const;
  // New tensors like those of the first list.
  std::vector<Tensor> allocate() const;

 private:
  struct Value {  // a number or a tensor; lists are kept apart
    const Scalar* number;
    const Tensor* tensor;
  };
  void add(const TensorList& list) { lists_.push_back(list); }
  void add(const ScalarList& list) {
    numbers_ = list;
    has_numbers_ = true;
  }
  void add(const Scalar& number) { values_.push_back({&number, nullptr}); }
  void add(const Tensor& tensor) { values_.push_back({nullptr, &tensor}); }

  using Columns = c10::SmallVector<TensorList, 5>;
  void launch(const Kernel& kernel, const Columns& columns, ScalarList numbers) const;

  c10::SmallVector<TensorList, 4> lists_;
  c10::SmallVector<Value, 2> values_;
  ScalarList numbers_;
  bool has_numbers_ = false;
};

Kernel make_foreach_kernel(const char* function, const char* literals,
                           std::span<const ForeachArgument> arguments);

namespace detail {

template <class T>
constexpr ForeachArgument foreach_argument() {
  if constexpr (std::is_same_v<T, TensorList>)
    return ForeachArgument::tensors;
  else if constexpr (std::is_same_v<T, const Scalar&>)
    return ForeachArgument::number;
  else if constexpr (std::is_same_v<T, ScalarList>)
    return ForeachArgument::numbers;
  else {
    static_assert(std::is_same_v<T, const Tensor&>);
    return ForeachArgument::tensor;
  }
}

template <class Row, class... Args>
struct Foreach : PlainOp {
  static const Kernel& kernel() {
    static constexpr std::array kArguments{foreach_argument<Args>()...};
    static const Kernel instance = make_foreach_kernel(Row::kFunction, Row::kLiterals, kArguments);
    return instance;
  }
};

template <class Row, class... Args>
struct ForeachFunctional : Foreach<Row, Args...> {
  static const char* refuse(Args... args) {
    return ForeachCall(args...).refuse(Row::kDtypes, false);
  }
  static std::vector<Tensor> call(Args... args) {
    const ForeachCall call(args...);
    std::vector<Tensor> out = call.allocate();
    call.run(ForeachFunctional::kernel(), out);
    return out;
  }
};

template <class Row, class Self, class... Args>
struct ForeachInPlace : Foreach<Row, Self, Args...> {
  static const char* refuse(Self self, Args... args) {
    return ForeachCall(self, args...).refuse(Row::kDtypes, true);
  }
  static void call(Self self, Args... args) {
    ForeachCall(self, args...).run(ForeachInPlace::kernel(), self);
  }
};

// The overloads with out= lists, which PyTorch makes from the functional ones by copying.
template <class Row, class... Args>
struct ForeachOut : Foreach<Row, Args...> {
  static const char* refuse(Args... args, TensorList out) {
    const ForeachCall call(args...);
    if (const char* reason = call.refuse(Row::kDtypes, false)) return reason;
    return call.refuse_out(out);
  }
  static void call(Args... args, TensorList out) {
    ForeachCall(args...).run(ForeachOut::kernel(), out);
  }
};

}  // namespace detail
}  // namespace tilewise::ops

#define TILEWISE_FOREACH_ROW_(id, function, literals, dtypes) \
  struct ForeachRow##id {                                     \
    static constexpr const char* kFunction = function;        \
    static constexpr const char* kLiterals = literals;        \
    static constexpr uint8_t kDtypes = dtypes;                \
  }
#define TILEWISE_FOREACH_FUNCTIONAL_(id, name, ...)                                               \
  using ForeachNew##id = ::tilewise::ops::detail::ForeachFunctional<ForeachRow##id, __VA_ARGS__>; \
  TILEWISE_OPERATOR(ForeachNew##id, name)
#define TILEWISE_FOREACH_IN_PLACE_(id, name, ...)                                                  \
  using ForeachInPlace##id = ::tilewise::ops::detail::ForeachInPlace<ForeachRow##id, __VA_ARGS__>; \
  TILEWISE_OPERATOR(ForeachInPlace##id, name)

#define TILEWISE_FOREACH_OUT_(id, name, ...)                                               \
  using ForeachOut##id = ::tilewise::ops::detail::ForeachOut<ForeachRow##id, __VA_ARGS__>; \
  TILEWISE_OPERATOR(ForeachOut##id, name)

// The out= overload of "" is ".out", that of ".List" is ".List_out".
#define TILEWISE_FOREACH_BOTH_(id, name, overload, function, literals, dtypes, ...)              \
  TILEWISE_FOREACH_ROW_(id, function, literals, dtypes);                                         \
  TILEWISE_FOREACH_FUNCTIONAL_(id, name overload, __VA_ARGS__);                                  \
  TILEWISE_FOREACH_IN_PLACE_(id, name "_" overload, __VA_ARGS__);                                \
  TILEWISE_FOREACH_OUT_(id, (overload[0] == '\0' ? name overload ".out" : name overload "_out"), \
                        __VA_ARGS__)
#define TILEWISE_FOREACH_NEW_(id, name, function, literals, dtypes, ...) \
  TILEWISE_FOREACH_ROW_(id, function, literals, dtypes);                 \
  TILEWISE_FOREACH_FUNCTIONAL_(id, name, __VA_ARGS__)
#define TILEWISE_FOREACH_WITH_ID_(macro, id, ...) macro(id, __VA_ARGS__)
#define TILEWISE_FOREACH_NUMBERED_(macro, id, ...) TILEWISE_FOREACH_WITH_ID_(macro, id, __VA_ARGS__)

// The functional, the in-place and the out= overload.
#define TILEWISE_FOREACH(...) \
  TILEWISE_FOREACH_NUMBERED_(TILEWISE_FOREACH_BOTH_, __COUNTER__, __VA_ARGS__)
// Where PyTorch has only the first.
#define TILEWISE_FOREACH_FUNCTIONAL(...) \
  TILEWISE_FOREACH_NUMBERED_(TILEWISE_FOREACH_NEW_, __COUNTER__, __VA_ARGS__)
