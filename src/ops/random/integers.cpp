// SPDX-License-Identifier: Apache-2.0
// random_: integers, also as floating point numbers. randint and its forms call it.
#include <limits>

#include "ops/framework/plain_op.h"
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
const char* refuse_range(const Tensor& self, int64_t from, int64_t to) {
  if (from >= to) return "random integers: empty range";
  const at::ScalarType dtype = self.scalar_type();
  const int64_t last = to - 1;
  if (self.is_floating_point()) {
    const int64_t exact = last_exact_integer(dtype);
    if (from < -exact || last > exact) return "random integers: bounds";
  } else if (!is_representable(from, dtype) || !is_representable(last, dtype)) {
    return "random integers: bounds";
  }
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

}  // namespace
}  // namespace tilewise::ops
