// SPDX-License-Identifier: Apache-2.0
// poisson and binomial.
#include <ATen/Dispatch.h>

#include <type_traits>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/random/distribution.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

// A GPU's numbers stay unseen, as with PyTorch, whose kernels assert; a CPU's are looked at, and
// PyTorch raises. False for NaN.
bool lie_between(const Tensor& values, double low, double high) {
  if (!values.is_cpu()) return true;
  const Tensor dense = values.contiguous();
  bool all = true;
  AT_DISPATCH_FLOATING_TYPES_AND2(
      at::kHalf, at::kBFloat16, dense.scalar_type(), "lie_between", [&] {
        using Wide = std::conditional_t<sizeof(scalar_t) == 8, double, float>;
        const auto* value = dense.const_data_ptr<scalar_t>();
        for (int64_t i = 0; i < dense.numel(); ++i) {
          const Wide x = value[i];
          all &= x >= static_cast<Wide>(low) && x <= static_cast<Wide>(high);
        }
      });
  return all;
}

// Parameters of one shape; the kernels read along memory.
template <class... Parameters>
Tensor draw_counts(const Kernel& kernel, const OptionalGenerator& generator, const Tensor& like,
                   const Parameters&... parameters) {
  // A GPU's threads loop for themselves; two elements each take three quarters of the time of one.
  // On a CPU the whole tile loops until its last element has a count: tiles of 64 take two thirds
  // of the time of 256 for Poisson of 200, and 0.55 for 9.
  const int64_t block = like.is_cpu() ? 64 : 256;
  Tensor out = allocate_output(like.sizes(), {}, like.options());
  const int64_t count = out.numel();
  if (count == 0) return out;
  const PhiloxState random = take_random_numbers(generator, like.device(), 4 * count);
  const std::array dense{parameters.contiguous()...};
  runtime::ArgumentPack pack;
  detail::add(pack, written(out));
  for (const Tensor& parameter : dense) detail::add(pack, parameter);
  pack.typed_integer(count, DType::i64);
  random.add_to(pack);
  pack.constant(block);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = 16;
  launch_packed(kernel, pack, options, grid_1d(ceil_div(count, block)), out.device());
  return out;
}

struct Poisson : PlainOp {
  static const char* refuse(const Tensor& self, const OptionalGenerator&) {
    if (!self.is_floating_point()) return "poisson: dtype of the rates";
    return lie_between(self, 0, 1e15) ? nullptr : "poisson: rates";
  }
  static Tensor call(const Tensor& self, OptionalGenerator generator) {
    static const Kernel kernel("random/poisson", "poisson");
    return draw_counts(kernel, generator, self, self);
  }
};
TILEWISE_OPERATOR(Poisson, "poisson");

struct Binomial : PlainOp {
  static const char* refuse(const Tensor& count, const Tensor& prob, const OptionalGenerator&) {
    if (!count.is_floating_point() || count.scalar_type() != prob.scalar_type())
      return "binomial: dtypes";
    if (count.sizes() != prob.sizes()) return "binomial: shapes";
    return lie_between(count, 0, 1e15) && lie_between(prob, 0, 1) ? nullptr
                                                                  : "binomial: parameters";
  }
  static Tensor call(const Tensor& count, const Tensor& prob, OptionalGenerator generator) {
    static const Kernel kernel("random/binomial", "binomial");
    return draw_counts(kernel, generator, count, count, prob);
  }
};
TILEWISE_OPERATOR(Binomial, "binomial");

}  // namespace
}  // namespace tilewise::ops
