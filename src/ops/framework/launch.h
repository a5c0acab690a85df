// SPDX-License-Identifier: Apache-2.0
// From an operator's values to a launch, the same code for every operator and backend:
//
//   launch(kernel, {.num_warps = 8}, grid, out,
//          self, written(out), rows, stride(self.stride(0)), 1e-5, constant(4096));
//
// The first tensor says where to run; the rest are the kernel's parameters in order:
//   Tensor               pointer to its data, read only (None if undefined)
//   written(Tensor)      pointer to data that the kernel writes
//   int64_t              integer, i32 if it fits, not specialized on
//   stride(n)            integer, specialized on == 1 and on divisibility by 16
//   int64(n)             integer, always i64 (a seed)
//   double               fp32;  fp64(x): fp64
//   constant(x)          tl.constexpr: an integer, a bool or an element type
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/framework/element_type.h"
#include "runtime/argument_pack.h"
#include "runtime/kernel.h"
#include "runtime/launch_options.h"

namespace tilewise::ops {

using runtime::DType;
using runtime::Grid;
using runtime::Kernel;
using runtime::LaunchOptions;

struct Written {
  const at::Tensor& tensor;
};
inline Written written(const at::Tensor& tensor) { return {tensor}; }

struct Stride {
  int64_t value;
};
inline Stride stride(int64_t value) { return {value}; }

struct Int64 {
  int64_t value;
};
inline Int64 int64(int64_t value) { return {value}; }

struct Fp64 {
  double value;
};
inline Fp64 fp64(double value) { return {value}; }

template <class T>
struct Constant {
  T value;
};
template <class T>
Constant<T> constant(T value) {
  return {value};
}

// The element type of a tensor that find_refusal() has let through.
inline DType element_type(const at::TensorBase& tensor) {
  return element_type(tensor.scalar_type()).value();
}

namespace detail {

inline void add(runtime::ArgumentPack& pack, const at::Tensor& tensor) {
  if (tensor.defined())
    pack.pointer(tensor.const_data_ptr(), element_type(tensor));
  else
    pack.none();
}
inline void add(runtime::ArgumentPack& pack, const std::optional<at::Tensor>& tensor) {
  if (tensor.has_value())
    add(pack, *tensor);
  else
    pack.none();
}
inline void add(runtime::ArgumentPack& pack, const at::OptionalTensorRef& tensor) {
  if (tensor.has_value())
    add(pack, *tensor);
  else
    pack.none();
}
inline void add(runtime::ArgumentPack& pack, const Written& argument) {
  if (argument.tensor.defined())
    pack.pointer(argument.tensor.mutable_data_ptr(), element_type(argument.tensor));
  else
    pack.none();
}
inline void add(runtime::ArgumentPack& pack, int64_t value) { pack.integer(value); }
inline void add(runtime::ArgumentPack& pack, Stride argument) { pack.stride(argument.value); }
inline void add(runtime::ArgumentPack& pack, Int64 argument) {
  pack.typed_integer(argument.value, DType::i64);
}
inline void add(runtime::ArgumentPack& pack, double value) { pack.floating(value); }
inline void add(runtime::ArgumentPack& pack, Fp64 argument) { pack.floating64(argument.value); }
template <class T>
void add(runtime::ArgumentPack& pack, Constant<T> argument) {
  if constexpr (std::is_same_v<T, bool>)
    pack.constant_bool(argument.value);
  else if constexpr (std::is_same_v<T, DType>)
    pack.constant_dtype(argument.value);
  else if constexpr (std::is_floating_point_v<T>)
    pack.constant_float(argument.value);
  else
    pack.constant(static_cast<int64_t>(argument.value));
}

}  // namespace detail

// Runs the packed arguments on `device`'s current stream. Throws dispatch::Refusal with a reason if
// there is no binary and none may or can be compiled.
void launch_packed(const Kernel& kernel, const runtime::ArgumentPack& arguments,
                   const LaunchOptions& options, Grid grid, c10::Device device);

template <class... Args>
void launch(const Kernel& kernel, const LaunchOptions& options, Grid grid, const at::Tensor& where,
            const Args&... args) {
  runtime::ArgumentPack pack;
  (detail::add(pack, args), ...);
  launch_packed(kernel, pack, options, grid, where.device());
}

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// A grid of one dimension; throws if a tensor is so large that its programs do not fit.
inline Grid grid_1d(int64_t programs) {
  TORCH_INTERNAL_ASSERT(programs <= INT32_MAX, "tilewise: a launch of ", programs, " programs");
  return {static_cast<int32_t>(programs), 1, 1};
}

// The smallest power of two >= n: a tile's size.
inline int64_t next_power_of_2(int64_t n) {
  return n <= 1 ? 1 : int64_t{1} << (64 - __builtin_clzll(static_cast<uint64_t>(n - 1)));
}

}  // namespace tilewise::ops
