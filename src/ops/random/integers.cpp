// SPDX-License-Identifier: Apache-2.0
// Integers, also as floating point numbers: random_, randint and its forms.
#include <ATen/ops/empty_like.h>

#include <limits>

#include "ops/creation/factory.h"
#include "ops/framework/scalar_range.h"
#include "ops/random/distribution.h"

namespace tilewise::ops {
namespace {

// The largest integer up to which a floating type holds all of them.
int64_t last_exact_integer(at::ScalarType dtype) {
  switch (dtype) {
    case at::kHalf:
      return int64_t{1} << 11;
    case at::kBFloat16:
      return int64_t{1} << 8;
    case at::kFloat:
      return int64_t{1} << 24;
    default:
      return int64_t{1} << 53;
  }
}

int64_t largest_integer(at::ScalarType dtype) {
  switch (dtype) {
    case at::kBool:
      return 1;
    case at::kByte:
      return 255;
    case at::kChar:
      return 127;
    case at::kShort:
      return 32767;
    case at::kUInt16:
      return 65535;
    case at::kInt:
      return std::numeric_limits<int32_t>::max();
    case at::kUInt32:
      return std::numeric_limits<uint32_t>::max();
    case at::kLong:
    case at::kUInt64:
      return std::numeric_limits<int64_t>::max();
    default:
      return last_exact_integer(dtype);
  }
}

// PyTorch has errors and warnings of its own for bounds that the dtype does not hold.
const char* refuse_range(at::ScalarType dtype, int64_t from, int64_t to) {
  if (from >= to) return "random integers: empty range";
  const int64_t last = to - 1;
  if (at::isFloatingType(dtype)) {
    const int64_t exact = last_exact_integer(dtype);
    if (from < -exact || last > exact) return "random integers: bounds";
  } else if (!is_representable(from, dtype) || !is_representable(last, dtype)) {
    return "random integers: bounds";
  }
  return nullptr;
}

const char* refuse_range(const Tensor& self, int64_t from, int64_t to) {
  if (const char* reason = refuse_range(self.scalar_type(), from, to)) return reason;
  return refuse_fill(self);
}

struct RandomFrom : PlainOp {
  static const char* refuse(const Tensor& self, int64_t from, std::optional<int64_t> to,
                            const OptionalGenerator&) {
    if (!to.has_value()) return "random integers: no upper bound";
    return refuse_range(self, from, *to);
  }
  static Tensor& call(Tensor& self, int64_t from, std::optional<int64_t> to,
                      OptionalGenerator generator) {
    fill_integers(self, generator, from, static_cast<uint64_t>(*to) - static_cast<uint64_t>(from));
    return self;
  }
};
TILEWISE_OPERATOR(RandomFrom, "random_.from");

struct RandomTo : PlainOp {
  static const char* refuse(const Tensor& self, int64_t to, const OptionalGenerator&) {
    return refuse_range(self, 0, to);
  }
  static Tensor& call(Tensor& self, int64_t to, OptionalGenerator generator) {
    fill_integers(self, generator, 0, static_cast<uint64_t>(to));
    return self;
  }
};
TILEWISE_OPERATOR(RandomTo, "random_.to");

// All integers of the type that are not negative.
struct Random : PlainOp {
  static const char* refuse(const Tensor& self, const OptionalGenerator&) {
    return refuse_fill(self);
  }
  static Tensor& call(Tensor& self, OptionalGenerator generator) {
    const auto largest = static_cast<uint64_t>(largest_integer(self.scalar_type()));
    fill_integers(self, generator, 0, largest + 1);
    return self;
  }
};
TILEWISE_OPERATOR(Random, "random_");

// New tensors of them. Bounds and sizes are numbers, or PyTorch's kernel is left to.
struct NewIntegers {
  const c10::SymInt& low;
  const c10::SymInt& high;
  FactoryOptions options;

  const char* refuse(at::ScalarType dtype) const {
    const auto from = low.maybe_as_int();
    const auto to = high.maybe_as_int();
    if (!from.has_value() || !to.has_value()) return "sizes are symbols";
    return refuse_range(dtype, *from, *to);
  }
  const char* refuse_new(c10::SymIntArrayRef size) const {
    if (!known_sizes(size).has_value()) return "sizes are symbols";
    if (const char* reason = options.refuse(at::kLong)) return reason;
    return refuse(options.dtype.value_or(at::kLong));
  }
  const char* refuse_like(const Tensor& self) const {
    if (const char* reason = options.refuse_like(self)) return reason;
    return refuse(options.dtype.value_or(self.scalar_type()));
  }
  void fill(const Tensor& out, const OptionalGenerator& generator) const {
    const int64_t from = low.expect_int();
    fill_integers(out, generator, from,
                  static_cast<uint64_t>(high.expect_int()) - static_cast<uint64_t>(from));
  }
  Tensor make(c10::SymIntArrayRef size, const OptionalGenerator& generator) const {
    NewTensor result(*known_sizes(size), options, at::kLong);
    fill(*result, generator);
    return *result;
  }
  Tensor make_like(const Tensor& self, std::optional<at::MemoryFormat> format) const {
    const Tensor result = at::empty_like(self, options.dtype, options.layout, options.device,
                                         options.pin_memory, format);
    fill(result, std::nullopt);
    return result;
  }
};

using Dtype = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;
using Format = std::optional<at::MemoryFormat>;

const c10::SymInt kZero(0);

struct Randint : PlainOp {
  static const char* refuse(const c10::SymInt& high, c10::SymIntArrayRef size, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return NewIntegers{kZero, high, {dtype, layout, device, pin_memory}}.refuse_new(size);
  }
  static Tensor call(c10::SymInt high, c10::SymIntArrayRef size, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    return NewIntegers{kZero, high, {dtype, layout, device, pin_memory}}.make(size, std::nullopt);
  }
};
TILEWISE_OPERATOR(Randint, "randint");

struct RandintGenerator : PlainOp {
  static const char* refuse(const c10::SymInt& high, c10::SymIntArrayRef size,
                            const OptionalGenerator&, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    return Randint::refuse(high, size, dtype, layout, device, pin_memory);
  }
  static Tensor call(c10::SymInt high, c10::SymIntArrayRef size, OptionalGenerator generator,
                     Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    return NewIntegers{kZero, high, {dtype, layout, device, pin_memory}}.make(size, generator);
  }
};
TILEWISE_OPERATOR(RandintGenerator, "randint.generator");

struct RandintLow : PlainOp {
  static const char* refuse(const c10::SymInt& low, const c10::SymInt& high,
                            c10::SymIntArrayRef size, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    return NewIntegers{low, high, {dtype, layout, device, pin_memory}}.refuse_new(size);
  }
  static Tensor call(c10::SymInt low, c10::SymInt high, c10::SymIntArrayRef size, Dtype dtype,
                     Layout layout, Device device, Flag pin_memory) {
    return NewIntegers{low, high, {dtype, layout, device, pin_memory}}.make(size, std::nullopt);
  }
};
TILEWISE_OPERATOR(RandintLow, "randint.low");

struct RandintLowGenerator : PlainOp {
  static const char* refuse(const c10::SymInt& low, const c10::SymInt& high,
                            c10::SymIntArrayRef size, const OptionalGenerator&, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return RandintLow::refuse(low, high, size, dtype, layout, device, pin_memory);
  }
  static Tensor call(c10::SymInt low, c10::SymInt high, c10::SymIntArrayRef size,
                     OptionalGenerator generator, Dtype dtype, Layout layout, Device device,
                     Flag pin_memory) {
    return NewIntegers{low, high, {dtype, layout, device, pin_memory}}.make(size, generator);
  }
};
TILEWISE_OPERATOR(RandintLowGenerator, "randint.low_generator");

struct RandintLike : PlainOp {
  static const char* refuse(const Tensor& self, const c10::SymInt& high, Dtype dtype, Layout layout,
                            Device device, Flag pin_memory, Format) {
    return NewIntegers{kZero, high, {dtype, layout, device, pin_memory}}.refuse_like(self);
  }
  static Tensor call(const Tensor& self, c10::SymInt high, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory, Format memory_format) {
    return NewIntegers{kZero, high, {dtype, layout, device, pin_memory}}.make_like(self,
                                                                                   memory_format);
  }
};
TILEWISE_OPERATOR(RandintLike, "randint_like");

struct RandintLikeLow : PlainOp {
  static const char* refuse(const Tensor& self, const c10::SymInt& low, const c10::SymInt& high,
                            Dtype dtype, Layout layout, Device device, Flag pin_memory, Format) {
    return NewIntegers{low, high, {dtype, layout, device, pin_memory}}.refuse_like(self);
  }
  static Tensor call(const Tensor& self, c10::SymInt low, c10::SymInt high, Dtype dtype,
                     Layout layout, Device device, Flag pin_memory, Format memory_format) {
    return NewIntegers{low, high, {dtype, layout, device, pin_memory}}.make_like(self,
                                                                                 memory_format);
  }
};
TILEWISE_OPERATOR(RandintLikeLow, "randint_like.low_dtype");

}  // namespace
}  // namespace tilewise::ops
