// SPDX-License-Identifier: Apache-2.0
// Pointwise operators: one line and one scalar function each.
//
//   TILEWISE_POINTWISE("gelu", at::meta::structured_gelu, "activation:gelu", kFloating);
//
// takes over gelu, gelu_ (where it exists) and gelu.out: ATen's meta function gives shape,
// promotion and errors; `gelu` of kernels/pointwise/activation.py is called with the tensors in the
// order in which the meta function names them, then the other arguments: a Scalar or number is
// passed at run time, a bool or string is a constant. An operator that is not structured names one
// of the presets in pointwise_presets.h instead of a meta class.
#pragma once

#include <ATen/TensorIterator.h>
#include <c10/core/Scalar.h>
#include <c10/util/SmallVector.h>

#include <atomic>
#include <mutex>
#include <string>
#include <vector>

#include "codegen/pointwise_source.h"
#include "ops/framework/launch.h"
#include "ops/framework/structured_op.h"

namespace tilewise::ops {

// Which computation types a scalar function is written for; others fall back to PyTorch, which has
// its own kernel or its own error for them.
enum DtypeClass : uint16_t {
  kBool = 1,
  kInteger = 2,   // int8 to int64, uint8
  kUnsigned = 4,  // uint16 to uint64, for which PyTorch has few kernels
  kSingle = 8,    // float32 and float64
  kFloat16 = 16,
  kBFloat16 = 32,
  kFloating = kSingle | kFloat16 | kBFloat16,
  kNumeric = kInteger | kFloating,
  kAll = kBool | kNumeric,
  // Not a class: values keep the type in which they are stored. Without it 16-bit floats are
  // computed with as fp32, which suits all functions but those that look at bits.
  kAsStored = 128,
  // Not a class either: numbers are rounded to the type of the tensor before they are compared with
  // its values (hardshrink of bfloat16 with 0.3).
  kNumbersAsStored = 64,
  // Nor this: the function loops until the last lane of its tile is done. A CPU then takes tiles
  // whose values stay in registers from one step to the next, and where few lanes wait for a slow
  // one; a GPU's threads have one floating number each and loop on their own (map_lanes).
  kIterates = 256,
};

inline DtypeClass class_of(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBool:
      return kBool;
    case at::kHalf:
      return kFloat16;
    case at::kBFloat16:
      return kBFloat16;
    case at::kUInt16:
    case at::kUInt32:
    case at::kUInt64:
      return kUnsigned;
    default:
      return at::isFloatingType(dtype) ? kSingle : kInteger;
  }
}

// How a bool computation runs: as the integers 0 and 1, with "not zero" as the result (add is `or`,
// mul is `and`), or on Triton's one-bit integers, for functions that negate bits.
enum class BoolCompute : uint8_t { integer, bit };

// On the CPU, integer division by zero raises in ATen's kernel: throws Refusal if the second input
// holds a zero.
void refuse_zero_divisor(at::TensorIteratorBase& iter);

// The non-tensor arguments of one call.
class PointwiseArguments {
 public:
  void add(const at::Scalar& value) { scalars_.push_back(value); }
  void add(double value) { add(at::Scalar(value)); }
  void add(int64_t value) { add(at::Scalar(value)); }
  void add(bool value) { literals_ += value ? ", True" : ", False"; }
  void add(c10::string_view text) { (literals_ += ", '").append(text.data(), text.size()) += "'"; }
  // A number that the function's code depends on: a constant, and a kernel for each value.
  void add_constant(int64_t value) { literals_ += ", " + std::to_string(value); }
  // Tensors are operands, and types and the like were the meta function's business.
  template <class T>
  void add(const T&) {}

  int count() const { return static_cast<int>(scalars_.size()); }
  const at::Scalar& scalar(int i) const { return scalars_[static_cast<size_t>(i)]; }
  const std::string& literals() const { return literals_; }

 private:
  // All in place, and none made before it is there.
  c10::SmallVector<at::Scalar, codegen::kMaxScalars> scalars_;
  std::string literals_;  // short: no allocation below 16 characters
};

// A scalar function and the kernels generated from it so far. Static; lives for the process.
class PointwiseFunction {
 public:
  // `function`: "activation:gelu", a file and function of kernels/pointwise/.
  PointwiseFunction(const char* function, uint16_t dtypes = kAll,
                    BoolCompute bool_compute = BoolCompute::integer);
  // Any function, of `literals` alike in all calls: one that a user defines at run time.
  explicit PointwiseFunction(codegen::ScalarFunction function);

  // Whether kernels/pointwise/complex.py has the function for pairs of real and imaginary part.
  bool takes_complex() const { return takes_complex_; }

  // Runs the function over the iterator's operands, computing in `compute`. Throws Refusal.
  void run(at::TensorIteratorBase& iter, at::ScalarType compute,
           const PointwiseArguments& arguments);

 private:
  struct Generated {
    codegen::PointwiseVariant variant;
    std::string literals;
    Kernel kernel;
    const Generated* next;
  };

  const Kernel& kernel(const codegen::PointwiseVariant& variant, const std::string& literals);

  const codegen::ScalarFunction function_;
  uint16_t dtypes_;
  BoolCompute bool_compute_;
  bool takes_complex_ = false;
  // A list that only grows at its head, so that readers need no lock; some ten entries in practice.
  std::atomic<const Generated*> generated_{nullptr};
  std::mutex mutex_;  // writers
};

// The operator class behind TILEWISE_POINTWISE. Self supplies `static PointwiseFunction&
// function()`.
template <class Self, class Meta, int Outputs = 1>
struct PointwiseOp : StructuredOp<Meta, Outputs> {
  template <class... Args>
  void impl(const Args&... args) {
    if constexpr (requires { Meta::kZeroDivisorRaises; })
      if (this->numel() != 0) refuse_zero_divisor(*this);
    PointwiseArguments arguments;
    // Some meta functions (comparisons with a Scalar) make the number an operand of the iterator.
    constexpr int kTensors = (0 + ... + (is_tensor<Args> ? 1 : 0)) - Outputs;
    constexpr int kScalars = (0 + ... + (std::is_same_v<Args, at::Scalar> ? 1 : 0));
    if (kScalars == 0 || this->ninputs() != kTensors + kScalars) (arguments.add(args), ...);
    Self::function().run(*this, compute_dtype(), arguments);
  }

  template <class T>
  static constexpr bool is_tensor =
      std::is_same_v<T, at::Tensor> || std::is_same_v<T, at::OptionalTensorRef>;

  // Operators that promote compute in the common type; a preset may name the result's or the
  // input's.
  at::ScalarType compute_dtype() {
    if constexpr (requires { Meta::kComputeInOutputType; })
      return this->dtype(0);
    else if constexpr (requires { Meta::kComputeInInputType; })
      return this->input_dtype(0);
    else
      return this->common_dtype();
  }
};

}  // namespace tilewise::ops

// In an operator class that has more to say: its scalar function.
#define TILEWISE_FUNCTION(...)                                       \
  static ::tilewise::ops::PointwiseFunction& function() {            \
    static ::tilewise::ops::PointwiseFunction instance(__VA_ARGS__); \
    return instance;                                                 \
  }

#define TILEWISE_POINTWISE_CLASS(Class, name, Meta, ...)     \
  struct Class : ::tilewise::ops::PointwiseOp<Class, Meta> { \
    TILEWISE_FUNCTION(__VA_ARGS__)                           \
  };                                                         \
  TILEWISE_STRUCTURED(Class, name)

#define TILEWISE_POINTWISE(name, Meta, ...) \
  TILEWISE_POINTWISE_CLASS(TILEWISE_CONCAT(Pointwise_, __COUNTER__), name, Meta, __VA_ARGS__)
