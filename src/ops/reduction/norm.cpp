// SPDX-License-Identifier: Apache-2.0
// Vector norms of any order, and dist: the norm of a difference.
#include <ATen/ExpandUtils.h>
#include <ATen/ops/linalg_vector_norm_meta.h>
#include <ATen/ops/norm_meta.h>

#include <cmath>
#include <limits>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

template <bool is_difference>
constexpr ReductionDeclaration declare(const char* combine, const char* element,
                                       const char* element_of_difference, const char* finish = "",
                                       const char* identity = "0", uint8_t scalars = 0) {
  return {.module = "reduction/norm",
          .combine = combine,
          .prepare = is_difference ? element_of_difference : element,
          .finish = finish,
          .accumulators = {{{Accumulator::compute, identity}}},
          .prepare_scalars = scalars,
          .finish_scalars = scalars};
}

// One input, or two whose difference counts.
template <bool is_difference>
void norm(std::initializer_list<const Tensor*> inputs, double order, DimensionSet dims,
          const Tensor& out, at::ScalarType compute) {
  constexpr auto make = declare<is_difference>;
  static Reduction zero{make("add", "is_nonzero", "difference_is_nonzero", "", "0", 0)};
  static Reduction one{make("add", "magnitude", "difference_magnitude", "", "0", 0)};
  static Reduction two{make("add", "square", "difference_square", "root", "0", 0)};
  static Reduction largest{make("maximum", "magnitude", "difference_magnitude", "", "0", 0)};
  static Reduction smallest{
      make("minimum", "magnitude", "difference_magnitude", "", "float('inf')", 0)};
  static Reduction other{make("add", "power", "difference_power", "inverse_power", "0", 1)};
  if (order == 2)
    two.run(inputs, dims, {&out}, compute);
  else if (order == 1)
    one.run(inputs, dims, {&out}, compute);
  else if (order == 0)
    zero.run(inputs, dims, {&out}, compute);
  else if (std::isinf(order))
    (order > 0 ? largest : smallest).run(inputs, dims, {&out}, compute);
  else
    other.run(inputs, dims, {&out}, compute, {order, 1 / order});
}

void vector_norm(const Tensor& self, const at::Scalar& ord, at::OptionalIntArrayRef dim,
                 std::optional<at::ScalarType> dtype, const Tensor& out) {
  const double order = ord.toDouble();
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(order < 0 ? std::numeric_limits<double>::infinity() : 0.0);
    return;
  }
  norm<false>({&self}, order, reduced_dimensions(dim, self.dim()), out,
              sum_dtype(dtype.value_or(self.scalar_type())));
}

const char* refuse_norm(const Tensor& self, const at::Scalar& ord,
                        std::optional<at::ScalarType> dtype) {
  if (ord.isComplex()) return "norm of a complex order";
  if (self.numel() == 0 && !(ord.toDouble() >= 0 && ord.toDouble() < INFINITY))
    return "norm without identity of no elements";
  if (dtype.has_value() && !has_kernel_dtype(*dtype)) return "norm in a complex dtype";
  return self.is_floating_point() ? nullptr : "norm of a dtype that is not floating";
}

struct VectorNorm : StructuredOp<at::meta::structured_linalg_vector_norm> {
  static const char* refuse(const Tensor& self, const at::Scalar& ord, at::OptionalIntArrayRef,
                            bool, std::optional<at::ScalarType> dtype, const auto&...) {
    return refuse_norm(self, ord, dtype);
  }
  void impl(const Tensor& self, const at::Scalar& ord, at::OptionalIntArrayRef dim, bool,
            std::optional<at::ScalarType> dtype, const Tensor& out) {
    vector_norm(self, ord, dim, dtype, out);
  }
};
TILEWISE_STRUCTURED(VectorNorm, "linalg_vector_norm");

at::Scalar order_of(at::OptionalScalarRef p) { return p.has_value() ? p.get() : at::Scalar(2); }

struct Norm : StructuredOp<at::meta::structured_norm_ScalarOpt_dim> {
  static const char* refuse(const Tensor& self, const std::optional<at::Scalar>& p,
                            const auto&...) {
    return refuse_norm(self, p.value_or(2), std::nullopt);
  }
  void impl(const Tensor& self, at::OptionalScalarRef p, at::IntArrayRef dim, bool,
            const Tensor& out) {
    vector_norm(self, order_of(p), dim, std::nullopt, out);
  }
};
TILEWISE_STRUCTURED(Norm, "norm.ScalarOpt_dim");

struct NormInDtype : StructuredOp<at::meta::structured_norm_ScalarOpt_dim_dtype> {
  static const char* refuse(const Tensor& self, const std::optional<at::Scalar>& p, at::IntArrayRef,
                            bool, at::ScalarType dtype, const auto&...) {
    return refuse_norm(self, p.value_or(2), dtype);
  }
  void impl(const Tensor& self, at::OptionalScalarRef p, at::IntArrayRef dim, bool,
            at::ScalarType dtype, const Tensor& out) {
    vector_norm(self, order_of(p), dim, dtype, out);
  }
};
TILEWISE_STRUCTURED(NormInDtype, "norm.ScalarOpt_dim_dtype");

}  // namespace
}  // namespace tilewise::ops
