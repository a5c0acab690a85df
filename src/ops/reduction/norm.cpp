// SPDX-License-Identifier: Apache-2.0
// Vector norms of any order, and dist: the norm of a difference.
#include <ATen/ExpandUtils.h>
#include <ATen/ops/_euclidean_dist.h>
#include <ATen/ops/linalg_vector_norm_meta.h>
#include <ATen/ops/norm_meta.h>

#include <cmath>
#include <limits>
#include <vector>

#include "ops/framework/plain_op.h"
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
  static Reduction three{make("add", "cube", "difference_cube", "cube_root", "0", 0)};
  static Reduction largest{make("maximum", "magnitude", "difference_magnitude", "", "0", 0)};
  static Reduction smallest{
      make("minimum", "magnitude", "difference_magnitude", "", "float('inf')", 0)};
  static Reduction other{make("add", "power", "difference_power", "inverse_power", "0", 1)};
  if (order == 2)
    two.run(inputs, dims, {&out}, compute);
  else if (order == 3)
    three.run(inputs, dims, {&out}, compute);
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

// The norm of all elements, which PyTorch composes of the former.
struct NormOfAllPreset : ReductionPreset {
  void meta(const Tensor& self, const at::Scalar&) {
    set_result(0, self, std::nullopt, /*keepdim=*/false, self.scalar_type());
  }
};
struct NormOfAll : StructuredOp<NormOfAllPreset> {
  static const char* refuse(const Tensor& self, const at::Scalar& p, const auto&...) {
    return refuse_norm(self, p, std::nullopt);
  }
  void impl(const Tensor& self, const at::Scalar& p, const Tensor& out) {
    vector_norm(self, p, std::nullopt, std::nullopt, out);
  }
};
TILEWISE_STRUCTURED(NormOfAll, "norm.Scalar");

const char* refuse_distance(const Tensor& first, const Tensor& second) {
  if (first.scalar_type() != second.scalar_type()) return "distance of two dtypes";
  return first.is_floating_point() ? nullptr : "distance of a dtype that is not floating";
}

// The norm of the difference of two tensors that broadcast.
struct DistPreset : ReductionPreset {
  void meta(const Tensor& self, const Tensor&, const at::Scalar&) {
    set_result(0, self, std::nullopt, /*keepdim=*/false, self.scalar_type());
  }
};
struct Dist : StructuredOp<DistPreset> {
  static const char* refuse(const Tensor& self, const Tensor& other, const at::Scalar& p,
                            const auto&...) {
    if (p.isComplex()) return "norm of a complex order";
    if (self.numel() == 0 || other.numel() == 0) return "distance of no elements";
    return refuse_distance(self, other);
  }
  void impl(const Tensor& self, const Tensor& other, const at::Scalar& p, const Tensor& out) {
    const auto [first, second] = at::expand_outplace(self, other);
    norm<true>({&*first, &*second}, p.toDouble(), DimensionSet().set(), out,
               sum_dtype(self.scalar_type()));
  }
};
TILEWISE_STRUCTURED(Dist, "dist");

// (..., p, m) and (..., r, m) to (..., p, r). Many Euclidean distances are a matrix product, as
// ATen chooses it (compute_mode).
struct Cdist : PlainOp {
  static const char* refuse(const Tensor& x1, const Tensor& x2, double p, std::optional<int64_t>) {
    if (x1.dim() != x2.dim() || x1.dim() < 2 || x1.sizes().back() != x2.sizes().back())
      return "distances of other than two lists of vectors of a size";
    return p < 0 ? "distances of a negative order" : refuse_distance(x1, x2);
  }
  static Tensor call(const Tensor& x1, const Tensor& x2, double p,
                     std::optional<int64_t> compute_mode) {
    const int64_t rank = x1.dim();
    const auto batch = [](const Tensor& t) { return t.sizes().slice(0, t.sizes().size() - 2); };
    at::DimVector sizes(at::infer_size_dimvector(batch(x1), batch(x2)));
    sizes.push_back(x1.size(-2));
    sizes.push_back(x2.size(-2));
    const auto options = x1.options();
    if (c10::multiply_integers(sizes) == 0) return allocate_output(sizes, {}, options);
    if (x1.size(-1) == 0) return allocate_output(sizes, {}, options).zero_();
    const int64_t mode = compute_mode.value_or(0);
    const bool is_large = x1.size(-2) > 25 || x2.size(-2) > 25;
    if (p == 2 && (mode == 1 || (mode == 0 && is_large))) {
      const auto whole = [&sizes](const Tensor& tensor) {
        std::vector<int64_t> all(sizes.begin(), sizes.end());
        all[all.size() - 2] = tensor.size(-2);
        all.back() = tensor.size(-1);
        return tensor.sizes() == all ? tensor : tensor.expand(all);
      };
      return at::_euclidean_dist(whole(x1), whole(x2));
    }
    const Tensor out = allocate_output(sizes, {}, options);
    sizes.push_back(x1.size(-1));
    const Tensor first = x1.unsqueeze(rank - 1).expand(sizes);
    const Tensor second = x2.unsqueeze(rank - 2).expand(sizes);
    norm<true>({&first, &second}, p, reduced_dimensions(rank, rank + 1), out,
               sum_dtype(x1.scalar_type()));
    return out;
  }
};
TILEWISE_OPERATOR(Cdist, "_cdist_forward");

}  // namespace
}  // namespace tilewise::ops
