// SPDX-License-Identifier: Apache-2.0
// New tensors of random numbers: rand, randn and what is like another tensor. (randint is
// in integers.cpp; bernoulli.p calls bernoulli_.)
#include "ops/creation/factory.h"

#include <ATen/ops/empty_like.h>

#include "ops/random/distribution.h"

namespace tilewise::ops {
namespace {

using Dtype = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;
using Format = std::optional<at::MemoryFormat>;

const char* refuse_floating(const FactoryOptions& options, at::ScalarType inferred) {
  if (const char* reason = options.refuse(inferred)) return reason;
  return at::isFloatingType(options.dtype.value_or(inferred))
             ? nullptr
             : "random numbers of a dtype that is not floating";
}

// Uniform in [0, 1) or standard normal.
template <Distribution kDistribution>
struct Standard : PlainOp {
  static const char* refuse(c10::SymIntArrayRef size, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    if (!known_sizes(size).has_value()) return "sizes are symbols";
    return refuse_floating({dtype, layout, device, pin_memory}, default_dtype());
  }
  static Tensor call(c10::SymIntArrayRef size, Dtype dtype, Layout layout, Device device,
                     Flag pin_memory) {
    NewTensor result(*known_sizes(size), {dtype, layout, device, pin_memory}, default_dtype());
    fill_random(kDistribution, *result, std::nullopt, 0, 1);
    return *result;
  }
};
TILEWISE_OPERATOR(Standard<Distribution::uniform>, "rand");
TILEWISE_OPERATOR(Standard<Distribution::normal>, "randn");

template <Distribution kDistribution>
struct StandardGenerator : PlainOp {
  static const char* refuse(c10::SymIntArrayRef size, const OptionalGenerator&, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return Standard<kDistribution>::refuse(size, dtype, layout, device, pin_memory);
  }
  static Tensor call(c10::SymIntArrayRef size, OptionalGenerator generator, Dtype dtype,
                     Layout layout, Device device, Flag pin_memory) {
    NewTensor result(*known_sizes(size), {dtype, layout, device, pin_memory}, default_dtype());
    fill_random(kDistribution, *result, generator, 0, 1);
    return *result;
  }
};
TILEWISE_OPERATOR(StandardGenerator<Distribution::uniform>, "rand.generator");
TILEWISE_OPERATOR(StandardGenerator<Distribution::normal>, "randn.generator");

template <Distribution kDistribution>
struct StandardLike : PlainOp {
  static const char* refuse(const Tensor& self, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory, Format) {
    const FactoryOptions options{dtype, layout, device, pin_memory};
    if (const char* reason = options.refuse_like(self)) return reason;
    return refuse_floating(options, self.scalar_type());
  }
  static Tensor call(const Tensor& self, Dtype dtype, Layout layout, Device device, Flag pin_memory,
                     Format memory_format) {
    const Tensor result = at::empty_like(self, dtype, layout, device, pin_memory, memory_format);
    fill_random(kDistribution, result, std::nullopt, 0, 1);
    return result;
  }
};
TILEWISE_OPERATOR(StandardLike<Distribution::uniform>, "rand_like");
TILEWISE_OPERATOR(StandardLike<Distribution::normal>, "randn_like");

const char* refuse_parameter(const Tensor& tensor) {
  return tensor.is_floating_point() ? nullptr : "normal of a dtype that is not floating";
}

// Normals with a mean for each element.
struct NormalTensorFloat : PlainOp {
  static const char* refuse(const Tensor& mean, double std, const OptionalGenerator&) {
    if (!(std >= 0)) return "normal: standard deviation";
    return refuse_parameter(mean);
  }
  static Tensor call(const Tensor& mean, double std, OptionalGenerator generator) {
    const Tensor result = at::empty_like(mean, at::MemoryFormat::Contiguous);
    fill_random(Distribution::normal, result, generator, 0, std);
    return result.add_(mean);
  }
};
TILEWISE_OPERATOR(NormalTensorFloat, "normal.Tensor_float");

}  // namespace
}  // namespace tilewise::ops
