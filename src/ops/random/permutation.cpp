// SPDX-License-Identifier: Apache-2.0
// randperm.
#include <ATen/native/Resize.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/creation/factory.h"
#include "ops/framework/launch.h"
#include "ops/framework/scalar_range.h"
#include "ops/random/distribution.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

using Dtype = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Flag = std::optional<bool>;

constexpr int64_t kRanked = 64;  // elements that are ranked instead of enciphered

// a * b >= n with an even a and as little beyond n as a few tries give.
struct Factors {
  int64_t a = 0;
  int64_t b = 0;

  explicit Factors(int64_t n) {
    constexpr int64_t kTries = 64;
    const auto root = static_cast<int64_t>(std::sqrt(static_cast<double>(n)));
    for (int64_t width = root; width < root + kTries; ++width) {
      int64_t height = ceil_div(n, width);
      height += height % 2;
      if (a != 0 && height * width >= a * b) continue;
      a = height;
      b = width;
      if (a * b == n) break;
    }
  }
};

void write_permutation(const Tensor& out, const OptionalGenerator& generator) {
  static const Kernel rank_keys("random/permutation", "rank_keys");
  static const Kernel permute("random/permutation", "permute");
  const int64_t n = out.numel();
  if (n == 0) return;
  const PhiloxState random = take_random_numbers(generator, out.device(), 1024);
  LaunchOptions options;
  options.num_stages = 1;
  runtime::ArgumentPack pack;
  detail::add(pack, written(out));
  const DType type = n + 1024 > INT32_MAX ? DType::i64 : DType::i32;
  pack.typed_integer(n, type);
  pack.stride(out.stride(0));
  if (n <= kRanked) {
    random.add_to(pack);
    pack.constant(n <= 16 ? 16 : n <= 32 ? 32 : kRanked);
    launch_packed(rank_keys, pack, options, grid_1d(1), out.device());
    return;
  }
  // A tile goes on until its last element is within n: on a CPU small ones walk less.
  const int64_t block = out.is_cpu() ? 128 : n <= 4096 ? 256 : 1024;
  const Factors factors(n);
  pack.typed_integer(factors.a, type);
  pack.typed_integer(factors.b, type);
  random.add_to(pack);
  pack.constant(block);
  options.grain = 32;
  launch_packed(permute, pack, options, grid_1d(ceil_div(n, block)), out.device());
}

// PyTorch has an error of its own where the dtype does not hold all numbers.
const char* refuse_count(const c10::SymInt& n, at::ScalarType dtype) {
  const auto count = n.maybe_as_int();
  if (!count.has_value()) return "sizes are symbols";
  if (*count < 0 || *count > int64_t{1} << 40) return "randperm: number of elements";
  if (dtype == at::kBool) return "randperm of bools";
  const int64_t exact = dtype == at::kHalf       ? int64_t{1} << 11
                        : dtype == at::kBFloat16 ? int64_t{1} << 8
                        : dtype == at::kFloat    ? int64_t{1} << 24
                                                 : std::numeric_limits<int64_t>::max();
  return *count <= exact && is_representable(*count, dtype) ? nullptr : "randperm: dtype";
}

const char* refuse_new(const c10::SymInt& n, const FactoryOptions& options) {
  if (const char* reason = options.refuse(at::kLong)) return reason;
  return refuse_count(n, options.dtype.value_or(at::kLong));
}

Tensor make(const c10::SymInt& n, const OptionalGenerator& generator,
            const FactoryOptions& options) {
  NewTensor result({n.expect_int()}, options, at::kLong);
  write_permutation(*result, generator);
  return *result;
}

struct Randperm : PlainOp {
  static const char* refuse(const c10::SymInt& n, Dtype dtype, Layout layout, Device device,
                            Flag pin_memory) {
    return refuse_new(n, {dtype, layout, device, pin_memory});
  }
  static Tensor call(c10::SymInt n, Dtype dtype, Layout layout, Device device, Flag pin_memory) {
    return make(n, std::nullopt, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(Randperm, "randperm");

struct RandpermGenerator : PlainOp {
  static const char* refuse(const c10::SymInt& n, const OptionalGenerator&, Dtype dtype,
                            Layout layout, Device device, Flag pin_memory) {
    return refuse_new(n, {dtype, layout, device, pin_memory});
  }
  static Tensor call(c10::SymInt n, OptionalGenerator generator, Dtype dtype, Layout layout,
                     Device device, Flag pin_memory) {
    return make(n, generator, {dtype, layout, device, pin_memory});
  }
};
TILEWISE_OPERATOR(RandpermGenerator, "randperm.generator");

struct RandpermOut : PlainOp {
  static const char* refuse(const c10::SymInt& n, const OptionalGenerator&, const Tensor& out) {
    if (const char* reason = refuse_count(n, out.scalar_type())) return reason;
    if (out.numel() != 0 && (out.dim() != 1 || out.numel() != n.expect_int()))
      return "out= is resized with a warning";
    return nullptr;
  }
  static Tensor& call(c10::SymInt n, OptionalGenerator generator, Tensor& out) {
    at::native::resize_output(out, {n.expect_int()});
    write_permutation(out, generator);
    return out;
  }
};
TILEWISE_OPERATOR(RandpermOut, "randperm.generator_out");

}  // namespace
}  // namespace tilewise::ops
