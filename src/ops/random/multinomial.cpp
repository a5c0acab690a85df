// SPDX-License-Identifier: Apache-2.0
// multinomial. PyTorch looks at the probabilities before it draws, on a GPU by waiting for it; what
// it would raise for is left to it.
#include <ATen/native/Resize.h>
#include <ATen/ops/amin.h>
#include <ATen/ops/cumsum.h>
#include <ATen/ops/max.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>

#include "ops/framework/launch.h"
#include "ops/framework/output.h"
#include "ops/framework/plain_op.h"
#include "ops/random/distribution.h"
#include "ops/random/philox_state.h"

namespace tilewise::ops {
namespace {

// Tensors of probabilities [rows, categories] or [categories].
const char* refuse_draws(const Tensor& self, const c10::SymInt& num_samples, bool replacement) {
  const auto samples = num_samples.maybe_as_int();
  if (!samples.has_value()) return "sizes are symbols";
  if (self.dim() < 1 || self.dim() > 2 || !self.is_floating_point())
    return "multinomial: shape or dtype of the probabilities";
  if (*samples <= 0 || self.numel() == 0 || self.size(-1) > (int64_t{1} << 24))
    return "multinomial: number of samples or categories";
  if (!replacement && *samples > self.size(-1)) return "multinomial: more samples than categories";
  return nullptr;
}

// Throws a Refusal if a row has no largest score: a probability is no number, or all are zero.
void check_largest(const Tensor& largest) {
  const double least = at::amin(largest).item<double>();
  if (!(least > 0)) throw dispatch::Refusal{"multinomial: no probabilities"};
}

Tensor draw_without_replacement(const Tensor& p, int64_t samples,
                                const OptionalGenerator& generator) {
  static const Kernel scores("random/multinomial", "scores");
  const Tensor score = allocate_output(
      p.sizes(), {}, p.options().dtype(p.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
  draw_for_each(scores, score, p, generator);
  if (samples == 1) {
    auto [largest, categories] = at::max(score, -1, /*keepdim=*/true);
    check_largest(largest);
    return categories;
  }
  auto [largest, categories] = at::topk(score, samples, -1);
  check_largest(largest.select(-1, 0));
  return categories;
}

// A GPU's numbers stay unseen, as with PyTorch, whose kernel asserts.
bool are_probabilities(const Tensor& p) {
  if (!p.is_cpu()) return true;
  const Tensor values = p.to(at::kFloat);
  const auto* value = values.const_data_ptr<float>();
  const int64_t categories = p.size(-1);
  for (int64_t row = 0; row < p.numel() / categories; ++row, value += categories) {
    float largest = 0;
    bool valid = true;
    for (int64_t i = 0; i < categories; ++i) {
      valid &= value[i] >= 0 && value[i] < std::numeric_limits<float>::infinity();
      largest = std::max(largest, value[i]);
    }
    if (!valid || largest == 0) return false;
  }
  return true;
}

Tensor draw_with_replacement(const Tensor& p, int64_t samples, const OptionalGenerator& generator) {
  static const Kernel search("random/multinomial", "search");
  if (!are_probabilities(p)) throw dispatch::Refusal{"multinomial: no probabilities"};
  const Tensor cumulated =
      at::cumsum(p, -1, p.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
  at::DimVector sizes(p.sizes());
  sizes.back() = samples;
  Tensor out = allocate_output(sizes, {}, p.options().dtype(at::kLong));
  const int64_t count = out.numel();
  const int64_t categories = p.size(-1);
  const PhiloxState random = take_random_numbers(generator, p.device(), count);
  runtime::ArgumentPack pack;
  detail::add(pack, written(out));
  detail::add(pack, p);
  detail::add(pack, cumulated);
  for (const int64_t n : {count, samples, categories}) pack.typed_integer(n, DType::i64);
  pack.integer(static_cast<int64_t>(std::ceil(std::log2(static_cast<double>(categories)))) + 1);
  random.add_to(pack);
  pack.constant(1);
  LaunchOptions options;
  options.num_stages = 1;
  options.grain = 8;
  launch_packed(search, pack, options, grid_1d(ceil_div(count, 1024)), p.device());
  return out;
}

Tensor draw(const Tensor& self, int64_t samples, bool replacement,
            const OptionalGenerator& generator) {
  const Tensor p = self.contiguous();  // the numbers belong to places in the row
  return !replacement || samples == 1 ? draw_without_replacement(p, samples, generator)
                                      : draw_with_replacement(p, samples, generator);
}

struct Multinomial : PlainOp {
  static const char* refuse(const Tensor& self, const c10::SymInt& num_samples, bool replacement,
                            const OptionalGenerator&) {
    return refuse_draws(self, num_samples, replacement);
  }
  static Tensor call(const Tensor& self, c10::SymInt num_samples, bool replacement,
                     OptionalGenerator generator) {
    return draw(self, num_samples.expect_int(), replacement, generator);
  }
};
TILEWISE_OPERATOR(Multinomial, "multinomial");

struct MultinomialOut : PlainOp {
  static const char* refuse(const Tensor& self, const c10::SymInt& num_samples, bool replacement,
                            const OptionalGenerator&, const Tensor& out) {
    if (const char* reason = refuse_draws(self, num_samples, replacement)) return reason;
    if (out.scalar_type() != at::kLong) return "multinomial: out= is no int64";
    at::DimVector sizes(self.sizes());
    sizes.back() = num_samples.expect_int();
    return out.numel() == 0 || out.sizes() == at::IntArrayRef(sizes)
               ? nullptr
               : "out= is resized with a warning";
  }
  static Tensor& call(const Tensor& self, c10::SymInt num_samples, bool replacement,
                      OptionalGenerator generator, Tensor& out) {
    const Tensor result = draw(self, num_samples.expect_int(), replacement, generator);
    at::native::resize_output(out, result.sizes());
    return out.copy_(result);
  }
};
TILEWISE_OPERATOR(MultinomialOut, "multinomial.out");

}  // namespace
}  // namespace tilewise::ops
