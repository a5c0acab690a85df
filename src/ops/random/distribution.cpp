// SPDX-License-Identifier: Apache-2.0
// Tensors filled with random numbers in place. What is drawn follows memory, not logical order.
#include "ops/framework/launch.h"
#include "ops/framework/plain_op.h"
#include "ops/framework/scalar_range.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

using OptionalGenerator = std::optional<at::Generator>;

const char* refuse_fill(const Tensor& self) {
  if (!self.is_floating_point()) return "random fill of a dtype that is not floating";
  return self.is_non_overlapping_and_dense() ? nullptr : "random fill of a tensor with gaps";
}

// `first` and `second` are the distribution's parameters.
Tensor& fill(const Kernel& kernel, Tensor& self, const OptionalGenerator& generator,
             auto... parameters) {
  const int64_t count = self.numel();
  if (count == 0) return self;
  const PhiloxState random = take_random_numbers(generator, self.device(), count);
  LaunchOptions options;
  options.grain = 8;
  launch(kernel, options, grid_1d(ceil_div(count, 1024)), self, written(self), stride(count),
         parameters..., int64(random.seed), int64(random.offset), constant(1));
  return self;
}

struct Uniform : PlainOp {
  static const char* refuse(const Tensor& self, double from, double to, const OptionalGenerator&) {
    const at::ScalarType dtype = self.scalar_type();
    if (!(from <= to) || !is_representable(from, dtype) || !is_representable(to - from, dtype))
      return "uniform: bounds";
    // 24 random bits are less than an f64 has room for.
    return dtype == at::kDouble ? "uniform numbers in f64" : refuse_fill(self);
  }
  static Tensor& call(Tensor& self, double from, double to, OptionalGenerator generator) {
    static const Kernel kernel("random/distribution", "uniform");
    return fill(kernel, self, generator, from, to);
  }
};
TILEWISE_OPERATOR(Uniform, "uniform_");

struct Normal : PlainOp {
  static const char* refuse(const Tensor& self, double, double std, const OptionalGenerator&) {
    if (!(std >= 0)) return "normal: standard deviation";
    return self.scalar_type() == at::kDouble ? "normal numbers in f64" : refuse_fill(self);
  }
  static Tensor& call(Tensor& self, double mean, double std, OptionalGenerator generator) {
    static const Kernel kernel("random/distribution", "normal");
    return fill(kernel, self, generator, mean, std);
  }
};
TILEWISE_OPERATOR(Normal, "normal_");

// On a CPU, nn.Dropout in training calls this one.
struct Bernoulli : PlainOp {
  static const char* refuse(const Tensor& self, double p, const OptionalGenerator&) {
    if (!(p >= 0 && p <= 1)) return "bernoulli: probability outside of [0, 1]";
    return refuse_fill(self);
  }
  static Tensor& call(Tensor& self, double p, OptionalGenerator generator) {
    static const Kernel kernel("random/distribution", "bernoulli");
    return fill(kernel, self, generator, p);
  }
};
TILEWISE_OPERATOR(Bernoulli, "bernoulli_.float");

}  // namespace
}  // namespace tilewise::ops
