// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/digamma_meta.h>
#include <ATen/ops/erfinv_meta.h>
#include <ATen/ops/igamma_meta.h>
#include <ATen/ops/igammac_meta.h>
#include <ATen/ops/lgamma_meta.h>
#include <ATen/ops/polygamma_meta.h>
#include <ATen/ops/special_entr_meta.h>
#include <ATen/ops/special_erfcx_meta.h>
#include <ATen/ops/special_log_ndtr_meta.h>
#include <ATen/ops/special_ndtri_meta.h>
#include <ATen/ops/special_zeta_meta.h>

#include <cmath>

#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

// The order decides which function it is: digamma, trigamma, or the general formula.
template <class Meta>
struct PolygammaOf : StructuredOp<Meta> {
  void run(int64_t order) {
    static PointwiseFunction digamma("special_gamma:digamma", kFloating);
    static PointwiseFunction trigamma("special_gamma:trigamma", kFloating);
    static PointwiseFunction polygamma("special_gamma:polygamma", kFloating | kIterates);
    PointwiseArguments arguments;
    if (order > 1) {
      const auto n = static_cast<double>(order);
      arguments.add(n + 1);
      arguments.add((order % 2 == 1 ? 1.0 : -1.0) * std::exp(std::lgamma(n + 1)));
    }
    PointwiseFunction& function = order == 0 ? digamma : order == 1 ? trigamma : polygamma;
    function.run(*this, this->common_dtype(), arguments);
  }
};

struct Polygamma : PolygammaOf<at::meta::structured_polygamma> {
  void impl(int64_t order, const Tensor&, const Tensor&) { run(order); }
};
TILEWISE_STRUCTURED(Polygamma, "polygamma");

// The in-place form has its arguments in another order.
struct PolygammaSelfFirst : at::meta::structured_polygamma {
  void meta(const Tensor& self, int64_t order) {
    at::meta::structured_polygamma::meta(order, self);
  }
};

struct PolygammaInPlace : PolygammaOf<PolygammaSelfFirst> {
  void impl(const Tensor&, int64_t order, const Tensor&) { run(order); }
};
TILEWISE_STRUCTURED(PolygammaInPlace, "polygamma_");

// The dimension is compiled in; PyTorch's kernel serves the rare high ones, and integers, whose
// in-place and out= forms it casts in its own way.
struct Mvlgamma : StructuredOp<UnaryFloatWith<int64_t>> {
  static constexpr int64_t kLargest = 8;
  static const char* refuse(const Tensor& self, int64_t p, const auto&... out) {
    if (((out.scalar_type() != self.scalar_type()) || ...)) return "out= of another dtype";
    if (!at::isFloatingType(self.scalar_type())) return "mvlgamma: not a float";
    // The sum of PyTorch's composite has no input's strides.
    if (!self.is_contiguous()) return "mvlgamma: strided input";
    return p >= 1 && p <= kLargest ? nullptr : "mvlgamma: dimension";
  }
  void impl(const Tensor&, int64_t p, const Tensor&) {
    static PointwiseFunction function("special_gamma:mvlgamma", kFloating);
    PointwiseArguments arguments;
    arguments.add_constant(p);
    function.run(*this, common_dtype(), arguments);
  }
};
TILEWISE_STRUCTURED(Mvlgamma, "mvlgamma");

// clang-format off: one operator a line
TILEWISE_POINTWISE("digamma", at::meta::structured_digamma, "special_gamma:digamma", kFloating);
TILEWISE_POINTWISE("erfinv", at::meta::structured_erfinv, "special_error:erfinv", kFloating);
TILEWISE_POINTWISE("igamma", at::meta::structured_igamma, "special_incomplete_gamma:igamma", kFloating | kIterates);
TILEWISE_POINTWISE("igammac", at::meta::structured_igammac, "special_incomplete_gamma:igammac", kFloating | kIterates);
TILEWISE_POINTWISE("lgamma", at::meta::structured_lgamma, "special_gamma:lgamma", kFloating);
TILEWISE_POINTWISE("special_entr", at::meta::structured_special_entr, "special_error:entr", kFloating);
TILEWISE_POINTWISE("special_erfcx", at::meta::structured_special_erfcx, "special_error:erfcx", kSingle);
TILEWISE_POINTWISE("special_log_ndtr", at::meta::structured_special_log_ndtr, "special_error:log_ndtr", kSingle);
TILEWISE_POINTWISE("special_ndtri", at::meta::structured_special_ndtri, "special_error:ndtri", kSingle);
TILEWISE_POINTWISE("special_zeta", at::meta::structured_special_zeta, "special_gamma:zeta", kSingle | kIterates);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
