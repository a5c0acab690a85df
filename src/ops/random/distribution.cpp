// SPDX-License-Identifier: Apache-2.0
#include "ops/random/distribution.h"

#include <cmath>

#include "ops/framework/plain_op.h"
#include "ops/framework/scalar_range.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

// Ranges up to this one are drawn from 32 bits; see the kernels' _below.
constexpr uint64_t kNarrowRange = uint64_t{1} << 24;

template <class AddParameters>
void fill(Distribution distribution, bool wide, const Tensor& self,
          const OptionalGenerator& generator, AddParameters add_parameters) {
  static const Kernel narrow_kernel("random/distribution", "fill");
  static const Kernel wide_kernel("random/distribution", "fill_wide");
  const int64_t count = self.numel();
  if (count == 0) return;
  const int64_t chunks = chunks_per_program(self.device());
  const PhiloxState random =
      take_random_numbers(generator, self.device(), wide ? 2 * count : count);
  runtime::ArgumentPack pack;
  detail::add(pack, written(self));
  pack.typed_integer(count, count > INT32_MAX ? DType::i64 : DType::i32);
  add_parameters(pack);
  random.add_to(pack);
  pack.constant(static_cast<int64_t>(distribution));
  pack.constant(chunks);
  LaunchOptions options;
  options.num_warps = 4;
  options.num_stages = 1;
  options.grain = 8;
  launch_packed(wide ? wide_kernel : narrow_kernel, pack, options,
                grid_1d(ceil_div(count, chunks * (wide ? 512 : 1024))), self.device());
}

// Kernels do their floating point in fp32 unless the elements are wider.
bool is_wide(const Tensor& self) { return self.element_size() == 8; }

}  // namespace

const char* refuse_fill(const Tensor& self) {
  return self.is_non_overlapping_and_dense() ? nullptr : "random fill of a tensor with gaps";
}

const char* refuse_floating_fill(const Tensor& self) {
  if (!self.is_floating_point()) return "random fill of a dtype that is not floating";
  return refuse_fill(self);
}

const char* refuse_uniform(const Tensor& self, double from, double to) {
  const at::ScalarType dtype = self.scalar_type();
  if (!(from <= to) || !is_representable(from, dtype) || !is_representable(to, dtype) ||
      !is_representable(to - from, dtype))
    return "uniform: bounds";
  return refuse_floating_fill(self);
}

void fill_random(Distribution distribution, const Tensor& self, const OptionalGenerator& generator,
                 double a, double b) {
  const bool wide = is_wide(self);
  fill(distribution, wide, self, generator, [&](runtime::ArgumentPack& pack) {
    for (const double parameter : {a, b})
      if (wide)
        pack.floating64(parameter);
      else
        pack.floating(parameter);
  });
}

void fill_integers(const Tensor& self, const OptionalGenerator& generator, int64_t first,
                   uint64_t range) {
  const bool wide = range == 0 || range > kNarrowRange;
  fill(Distribution::integer, wide, self, generator, [&](runtime::ArgumentPack& pack) {
    pack.typed_integer(first, DType::i64);
    pack.typed_integer(static_cast<int64_t>(range), DType::i64);
  });
}

void draw_for_each(const Kernel& kernel, const Tensor& out, const Tensor& p,
                   const OptionalGenerator& generator) {
  const int64_t count = out.numel();
  if (count == 0) return;
  const PhiloxState random = take_random_numbers(generator, out.device(), count);
  runtime::ArgumentPack pack;
  detail::add(pack, written(out));
  detail::add(pack, p);
  pack.typed_integer(count, count > INT32_MAX ? DType::i64 : DType::i32);
  random.add_to(pack);
  pack.constant(1);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = 8;
  launch_packed(kernel, pack, options, grid_1d(ceil_div(count, 1024)), out.device());
}

}  // namespace tilewise::ops
