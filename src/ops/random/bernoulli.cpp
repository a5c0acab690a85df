// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/random/distribution.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

// On a CPU, nn.Dropout in training calls this one.
struct Bernoulli : PlainOp {
  static const char* refuse(const Tensor& self, double p, const OptionalGenerator&) {
    if (!(p >= 0 && p <= 1)) return "bernoulli: probability outside of [0, 1]";
    return refuse_fill(self);
  }
  static Tensor& call(Tensor& self, double p, OptionalGenerator generator) {
    fill_random(Distribution::bernoulli, self, generator, p, 0);
    return self;
  }
};
TILEWISE_OPERATOR(Bernoulli, "bernoulli_.float");

template <class T>
bool are_probabilities(const Tensor& p) {
  const T* const begin = p.const_data_ptr<T>();
  bool all = true;
  for (int64_t i = 0; i < p.numel(); ++i) {
    const auto value = static_cast<float>(begin[i]);
    all &= value >= 0 && value <= 1;
  }
  return all;
}

// A GPU's numbers stay unseen, as with PyTorch, whose kernel asserts; a CPU's are looked at, and
// PyTorch raises.
bool are_probabilities(const Tensor& p) {
  if (!p.is_cpu()) return true;
  switch (p.scalar_type()) {
    case at::kFloat:
      return are_probabilities<float>(p);
    case at::kHalf:
      return are_probabilities<at::Half>(p);
    default:
      return are_probabilities<at::BFloat16>(p);
  }
}

const char* refuse_tensor(const Tensor& self, const Tensor& p) {
  const at::ScalarType dtype = p.scalar_type();
  if (dtype != at::kFloat && dtype != at::kHalf && dtype != at::kBFloat16)
    return "bernoulli: dtype of the probabilities";
  if (self.sizes() != p.sizes() || self.strides() != p.strides() ||
      !p.is_non_overlapping_and_dense())
    return "bernoulli: layouts of result and probabilities";
  return are_probabilities(p) ? nullptr : "bernoulli: probability outside of [0, 1]";
}

void choose(const Tensor& out, const Tensor& p, const OptionalGenerator& generator) {
  static const Kernel kernel("random/distribution", "bernoulli");
  draw_for_each(kernel, out, p, generator);
}

struct BernoulliTensor : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& p, const OptionalGenerator&) {
    return refuse_tensor(self, p);
  }
  static Tensor& call(Tensor& self, const Tensor& p, OptionalGenerator generator) {
    choose(self, p, generator);
    return self;
  }
};
TILEWISE_OPERATOR(BernoulliTensor, "bernoulli_.Tensor");

struct BernoulliOut : PlainOp {
  static const char* refuse(const Tensor& self, const OptionalGenerator&, const Tensor& out) {
    if (out.is_same(self)) return "bernoulli: out= is the input";
    return refuse_tensor(out, self);
  }
  static Tensor& call(const Tensor& self, OptionalGenerator generator, Tensor& out) {
    choose(out, self, generator);
    return out;
  }
};
TILEWISE_OPERATOR(BernoulliOut, "bernoulli.out");

}  // namespace
}  // namespace tilewise::ops
