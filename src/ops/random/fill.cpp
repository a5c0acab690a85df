// SPDX-License-Identifier: Apache-2.0
// Operators that fill a tensor with random floating point numbers.
#include <cmath>

#include "ops/framework/plain_op.h"
#include "ops/random/distribution.h"

namespace tilewise::ops {
namespace {

struct Uniform : PlainOp {
  static const char* refuse(const Tensor& self, double from, double to, const OptionalGenerator&) {
    return refuse_uniform(self, from, to);
  }
  static Tensor& call(Tensor& self, double from, double to, OptionalGenerator generator) {
    fill_random(Distribution::uniform, self, generator, from, to);
    return self;
  }
};
TILEWISE_OPERATOR(Uniform, "uniform_");

// Two parameters, of which the second must not be negative (or zero).
template <Distribution kDistribution, bool kZeroAllowed>
struct TwoParameters : PlainOp {
  static const char* refuse(const Tensor& self, double, double spread, const OptionalGenerator&) {
    if (!(kZeroAllowed ? spread >= 0 : spread > 0)) return "random fill: parameter out of range";
    return refuse_floating_fill(self);
  }
  static Tensor& call(Tensor& self, double center, double spread, OptionalGenerator generator) {
    fill_random(kDistribution, self, generator, center, spread);
    return self;
  }
};
using Normal = TwoParameters<Distribution::normal, true>;
using LogNormal = TwoParameters<Distribution::log_normal, false>;
using Cauchy = TwoParameters<Distribution::cauchy, false>;
TILEWISE_OPERATOR(Normal, "normal_");
TILEWISE_OPERATOR(LogNormal, "log_normal_");
TILEWISE_OPERATOR(Cauchy, "cauchy_");

struct Exponential : PlainOp {
  static const char* refuse(const Tensor& self, double lambd, const OptionalGenerator&) {
    if (!(lambd > 0)) return "exponential: rate";
    return refuse_floating_fill(self);
  }
  static Tensor& call(Tensor& self, double lambd, OptionalGenerator generator) {
    fill_random(Distribution::exponential, self, generator, 1 / lambd, 0);
    return self;
  }
};
TILEWISE_OPERATOR(Exponential, "exponential_");

struct Geometric : PlainOp {
  static const char* refuse(const Tensor& self, double p, const OptionalGenerator&) {
    if (!(p > 0 && p < 1)) return "geometric: probability outside of (0, 1)";
    return self.scalar_type() == at::kBool ? "geometric fill of bools" : refuse_fill(self);
  }
  static Tensor& call(Tensor& self, double p, OptionalGenerator generator) {
    fill_random(Distribution::geometric, self, generator, 1 / std::log1p(-p), 0);
    return self;
  }
};
TILEWISE_OPERATOR(Geometric, "geometric_");

}  // namespace
}  // namespace tilewise::ops
