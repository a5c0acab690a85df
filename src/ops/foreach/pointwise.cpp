// SPDX-License-Identifier: Apache-2.0
// The pointwise _foreach operators: every overload is a row of the lists at the end of the file.
#include "ops/foreach/tensor_table.h"
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

using at::Scalar;
using at::TensorList;
using ScalarList = at::ArrayRef<Scalar>;

// OPERATION of kernels/foreach/pointwise.py.
enum Unary : int64_t { kSqrt, kNeg, kAbs, kReciprocal, kZero };
enum Binary : int64_t { kAdd, kSub, kMul, kDiv, kMaximum, kMinimum };
enum Ternary : int64_t { kAddcmul, kAddcdiv };
// SCALAR_FROM of the same file.
enum ScalarFrom : int64_t { kArgument, kTable, kTensor };

constexpr int64_t kBlock = 1024;

// The scalar operand of a call, wherever it comes from.
struct Operand {
  ScalarFrom from = kArgument;
  double value = 0;
  ScalarList list;
  Tensor tensor;
};
Operand operand_of(const Scalar& value) { return {kArgument, value.toDouble(), {}, {}}; }
Operand operand_of(ScalarList values) { return {kTable, 0, values, {}}; }
Operand operand_of(const Tensor& value, const Tensor& self) {
  // A number that PyTorch holds on the host, beside tensors on a GPU.
  if (value.device() != self.device()) return operand_of(value.item());
  return {kTensor, 0, {}, value};
}

const char* refuse_scalars(ScalarList values) {
  for (const Scalar& value : values)
    if (value.isComplex()) return "complex scalar";
  return nullptr;
}

const char* refuse_scalar_list(TensorList self, ScalarList values) {
  if (values.size() != self.size()) return "foreach lists of different lengths";
  return refuse_scalars(values);
}

const char* first_reason(const char* a, const char* b) { return a != nullptr ? a : b; }

// New tensors like `self`, for the functional forms.
std::vector<Tensor> like(TensorList self) {
  std::vector<Tensor> result;
  result.reserve(self.size());
  for (const Tensor& tensor : self)
    result.push_back(allocate_output(tensor.sizes(), tensor.strides(), tensor.options()));
  return result;
}

// Launches `kernel` on lists; `arguments(number)` are its parameters between the table and DTYPE, where
// number() makes a scalar of the type that the kernel computes in.
template <class... Constants>
void launch_lists(const Kernel& kernel, std::initializer_list<TensorList> lists,
                  const Operand* operand, const double* alpha, Constants... constants) {
  const TensorTable table(lists, operand != nullptr ? operand->list : ScalarList());
  if (table.chunks() == 0) return;
  const Tensor& first = (*lists.begin())[0];
  const DType dtype = element_type(first);
  const auto run = [&](auto... arguments) {
    LaunchOptions options;
    options.num_stages = 1;
    launch(kernel, options, grid_1d(table.chunks()), first, table.table(), table.chunk_map(),
           arguments..., constant(dtype), constant(accumulate_type(dtype)), constants...,
           constant(table.is_aligned()), constant(table.chunk_size()), constant(kBlock));
  };
  const auto run_with = [&](auto number) {
    if (operand == nullptr && alpha == nullptr)
      run();
    else if (operand == nullptr)
      run(number(*alpha));
    else if (alpha == nullptr)
      run(number(operand->value), operand->tensor);
    else
      run(number(operand->value), operand->tensor, number(*alpha));
  };
  if (dtype == DType::fp64)
    run_with([](double value) { return fp64(value); });
  else
    run_with([](double value) { return value; });
}

void unary(TensorList out, TensorList self, int64_t operation) {
  static const Kernel kernel("foreach/pointwise", "unary");
  launch_lists(kernel, {out, self}, nullptr, nullptr, constant(operation));
}
void binary_scalar(TensorList out, TensorList self, const Operand& operand, double alpha,
                   int64_t operation) {
  static const Kernel kernel("foreach/pointwise", "binary_scalar");
  launch_lists(kernel, {out, self}, &operand, &alpha, constant(operation),
               constant(static_cast<int64_t>(operand.from)));
}
void binary_list(TensorList out, TensorList self, TensorList other, double alpha,
                 int64_t operation) {
  static const Kernel kernel("foreach/pointwise", "binary_list");
  launch_lists(kernel, {out, self, other}, nullptr, &alpha, constant(operation));
}
void ternary(TensorList out, TensorList self, TensorList first, TensorList second,
             const Operand& operand, int64_t operation) {
  static const Kernel kernel("foreach/pointwise", "ternary");
  launch_lists(kernel, {out, self, first, second}, &operand, nullptr, constant(operation),
               constant(static_cast<int64_t>(operand.from)));
}
void lerp(TensorList out, TensorList self, TensorList end, const Operand& weight) {
  static const Kernel kernel("foreach/pointwise", "lerp");
  launch_lists(kernel, {out, self, end}, &weight, nullptr,
               constant(static_cast<int64_t>(weight.from)));
}

// From `run(out, self, rest...)` to the two forms of an overload.
template <class Derived, class... Rest>
struct NewLists : PlainOp {
  static const char* refuse(TensorList self, Rest... rest) { return Derived::refuse(self, rest...); }
  static std::vector<Tensor> call(TensorList self, Rest... rest) {
    std::vector<Tensor> result = like(self);
    Derived::run(result, self, rest...);
    return result;
  }
};
template <class Derived, class... Rest>
struct InPlaceLists : PlainOp {
  static const char* refuse(TensorList self, Rest... rest) { return Derived::refuse(self, rest...); }
  static void call(TensorList self, Rest... rest) { Derived::run(self, self, rest...); }
};

template <int64_t operation>
struct UnaryForm {
  static const char* refuse(TensorList self) { return refuse_lists({self}); }
  static void run(TensorList out, TensorList self) { unary(out, self, operation); }
};
template <int64_t operation>
struct ScalarForm {
  static const char* refuse(TensorList self, const Scalar& other) {
    return first_reason(refuse_scalars(other), refuse_lists({self}));
  }
  static void run(TensorList out, TensorList self, const Scalar& other) {
    binary_scalar(out, self, operand_of(other), 1, operation);
  }
};
template <int64_t operation>
struct ScalarListForm {
  static const char* refuse(TensorList self, ScalarList others) {
    return first_reason(refuse_scalar_list(self, others), refuse_lists({self}));
  }
  static void run(TensorList out, TensorList self, ScalarList others) {
    binary_scalar(out, self, operand_of(others), 1, operation);
  }
};
template <int64_t operation>
struct ListForm {
  static const char* refuse(TensorList self, TensorList other) {
    return refuse_lists({self, other});
  }
  static void run(TensorList out, TensorList self, TensorList other) {
    binary_list(out, self, other, 1, operation);
  }
};
template <int64_t operation>
struct ListAlphaForm {
  static const char* refuse(TensorList self, TensorList other, const Scalar& alpha) {
    return first_reason(refuse_scalars(alpha), refuse_lists({self, other}));
  }
  static void run(TensorList out, TensorList self, TensorList other, const Scalar& alpha) {
    binary_list(out, self, other, alpha.toDouble(), operation);
  }
};
const char* refuse_tensor_operand(TensorList self, const Tensor& other) {
  if (other.dim() != 0 || !at::isFloatingType(other.scalar_type()))
    return "foreach operand is not a floating number";
  return refuse_lists({self});
}
template <int64_t operation>
struct TensorForm {
  static const char* refuse(TensorList self, const Tensor& other) {
    return refuse_tensor_operand(self, other);
  }
  static void run(TensorList out, TensorList self, const Tensor& other) {
    binary_scalar(out, self, operand_of(other, self[0]), 1, operation);
  }
};
template <int64_t operation>
struct TensorAlphaForm {
  static const char* refuse(TensorList self, const Tensor& other, const Scalar& alpha) {
    return first_reason(refuse_scalars(alpha), refuse_tensor_operand(self, other));
  }
  static void run(TensorList out, TensorList self, const Tensor& other, const Scalar& alpha) {
    binary_scalar(out, self, operand_of(other, self[0]), alpha.toDouble(), operation);
  }
};
template <int64_t operation>
struct TernaryScalarForm {
  static const char* refuse(TensorList self, TensorList first, TensorList second,
                            const Scalar& value) {
    return first_reason(refuse_scalars(value), refuse_lists({self, first, second}));
  }
  static void run(TensorList out, TensorList self, TensorList first, TensorList second,
                  const Scalar& value) {
    ternary(out, self, first, second, operand_of(value), operation);
  }
};
template <int64_t operation>
struct TernaryScalarListForm {
  static const char* refuse(TensorList self, TensorList first, TensorList second,
                            ScalarList values) {
    return first_reason(refuse_scalar_list(self, values), refuse_lists({self, first, second}));
  }
  static void run(TensorList out, TensorList self, TensorList first, TensorList second,
                  ScalarList values) {
    ternary(out, self, first, second, operand_of(values), operation);
  }
};
struct LerpScalarForm {
  static const char* refuse(TensorList self, TensorList end, const Scalar& weight) {
    return first_reason(refuse_scalars(weight), refuse_lists({self, end}));
  }
  static void run(TensorList out, TensorList self, TensorList end, const Scalar& weight) {
    lerp(out, self, end, operand_of(weight));
  }
};
struct LerpScalarListForm {
  static const char* refuse(TensorList self, TensorList end, ScalarList weights) {
    return first_reason(refuse_scalar_list(self, weights), refuse_lists({self, end}));
  }
  static void run(TensorList out, TensorList self, TensorList end, ScalarList weights) {
    lerp(out, self, end, operand_of(weights));
  }
};

// The functional and the in-place overload of a form.
#define TILEWISE_FOREACH_(id, Form, name, overload, ...)                     \
  using New##id = NewLists<Form, ##__VA_ARGS__>;                             \
  using InPlace##id = InPlaceLists<Form, ##__VA_ARGS__>;                     \
  TILEWISE_OPERATOR(New##id, "_foreach_" name overload);                     \
  TILEWISE_OPERATOR(InPlace##id, "_foreach_" name "_" overload)
#define TILEWISE_FOREACH_ID_(id, ...) TILEWISE_FOREACH_(id, __VA_ARGS__)
#define TILEWISE_FOREACH(...) TILEWISE_FOREACH_ID_(__COUNTER__, __VA_ARGS__)

TILEWISE_FOREACH(UnaryForm<kSqrt>, "sqrt", "");
TILEWISE_FOREACH(UnaryForm<kNeg>, "neg", "");
TILEWISE_FOREACH(UnaryForm<kAbs>, "abs", "");
TILEWISE_FOREACH(UnaryForm<kReciprocal>, "reciprocal", "");
using InPlaceZero = InPlaceLists<UnaryForm<kZero>>;
TILEWISE_OPERATOR(InPlaceZero, "_foreach_zero_");

TILEWISE_FOREACH(ScalarForm<kAdd>, "add", ".Scalar", const Scalar&);
TILEWISE_FOREACH(ScalarForm<kSub>, "sub", ".Scalar", const Scalar&);
TILEWISE_FOREACH(ScalarForm<kMul>, "mul", ".Scalar", const Scalar&);
TILEWISE_FOREACH(ScalarForm<kDiv>, "div", ".Scalar", const Scalar&);
TILEWISE_FOREACH(ScalarForm<kMaximum>, "maximum", ".Scalar", const Scalar&);
TILEWISE_FOREACH(ScalarForm<kMinimum>, "minimum", ".Scalar", const Scalar&);
TILEWISE_FOREACH(ScalarListForm<kAdd>, "add", ".ScalarList", ScalarList);
TILEWISE_FOREACH(ScalarListForm<kSub>, "sub", ".ScalarList", ScalarList);
TILEWISE_FOREACH(ScalarListForm<kMul>, "mul", ".ScalarList", ScalarList);
TILEWISE_FOREACH(ScalarListForm<kDiv>, "div", ".ScalarList", ScalarList);
TILEWISE_FOREACH(ListAlphaForm<kAdd>, "add", ".List", TensorList, const Scalar&);
TILEWISE_FOREACH(ListAlphaForm<kSub>, "sub", ".List", TensorList, const Scalar&);
TILEWISE_FOREACH(ListForm<kMul>, "mul", ".List", TensorList);
TILEWISE_FOREACH(ListForm<kDiv>, "div", ".List", TensorList);
TILEWISE_FOREACH(ListForm<kMaximum>, "maximum", ".List", TensorList);
TILEWISE_FOREACH(ListForm<kMinimum>, "minimum", ".List", TensorList);
TILEWISE_FOREACH(TensorAlphaForm<kAdd>, "add", ".Tensor", const Tensor&, const Scalar&);
TILEWISE_FOREACH(TensorForm<kMul>, "mul", ".Tensor", const Tensor&);
TILEWISE_FOREACH(TensorForm<kDiv>, "div", ".Tensor", const Tensor&);

TILEWISE_FOREACH(TernaryScalarForm<kAddcmul>, "addcmul", ".Scalar", TensorList, TensorList,
                 const Scalar&);
TILEWISE_FOREACH(TernaryScalarForm<kAddcdiv>, "addcdiv", ".Scalar", TensorList, TensorList,
                 const Scalar&);
TILEWISE_FOREACH(TernaryScalarListForm<kAddcmul>, "addcmul", ".ScalarList", TensorList, TensorList,
                 ScalarList);
TILEWISE_FOREACH(TernaryScalarListForm<kAddcdiv>, "addcdiv", ".ScalarList", TensorList, TensorList,
                 ScalarList);
TILEWISE_FOREACH(LerpScalarForm, "lerp", ".Scalar", TensorList, const Scalar&);
TILEWISE_FOREACH(LerpScalarListForm, "lerp", ".ScalarList", TensorList, ScalarList);

}  // namespace
}  // namespace tilewise::ops
