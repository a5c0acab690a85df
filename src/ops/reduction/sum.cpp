// SPDX-License-Identifier: Apache-2.0
// Sums, means, products and counts.
#include <ATen/ops/mean_meta.h>
#include <ATen/ops/prod_meta.h>
#include <ATen/ops/sum_meta.h>

#include <limits>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

constexpr std::array kZero{Accumulator{Accumulator::compute, "0"}, Accumulator{}, Accumulator{}};

void sum(const Tensor& self, at::OptionalIntArrayRef dim, const Tensor& out) {
  static Reduction reduction{{.module = "reduction/sum", .combine = "add", .accumulators = kZero}};
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(0);
    return;
  }
  reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&out}, sum_dtype(out.scalar_type()));
}

void mean(const Tensor& self, at::OptionalIntArrayRef dim, const Tensor& out) {
  static Reduction reduction{{.module = "reduction/sum",
                              .combine = "add",
                              .finish = "mean",
                              .accumulators = kZero,
                              .finish_scalars = 1}};
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(std::numeric_limits<double>::quiet_NaN());
    return;
  }
  reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&out}, sum_dtype(out.scalar_type()),
                {self.numel() / out.numel()});
}

constexpr const char* kBarebones = "sum of a dtype ATen refuses";

struct Sum : StructuredOp<at::meta::structured_sum_dim_IntList> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return is_barebones(self) ? kBarebones : nullptr;
  }
  void impl(const Tensor& self, at::OptionalIntArrayRef dim, bool, std::optional<at::ScalarType>,
            const Tensor& out) {
    sum(self, dim, out);
  }
};
TILEWISE_STRUCTURED(Sum, "sum.dim_IntList");

struct Mean : StructuredOp<at::meta::structured_mean_dim> {
  void impl(const Tensor& self, at::OptionalIntArrayRef dim, bool, std::optional<at::ScalarType>,
            const Tensor& out) {
    // ATen's own error names the type of out=.
    if (!out.is_floating_point()) throw dispatch::Refusal{"mean into a dtype that is not floating"};
    mean(self, dim, out);
  }
};
TILEWISE_STRUCTURED(Mean, "mean.dim");

// The type of a sum or product where none is named.
at::ScalarType promoted(const Tensor& self, std::optional<at::ScalarType> dtype) {
  if (dtype.has_value()) return *dtype;
  return at::isIntegralType(self.scalar_type(), /*includeBool=*/true) ? at::kLong
                                                                      : self.scalar_type();
}

// The overloads without dimensions, which PyTorch would pass on to those above.
struct OfAllPreset : ReductionPreset {
  void meta(const Tensor& self, std::optional<at::ScalarType> dtype) {
    set_result(0, self, std::nullopt, /*keepdim=*/false, promoted(self, dtype));
  }
};
struct SumOfAll : StructuredOp<OfAllPreset> {
  static const char* refuse(const Tensor& self, std::optional<at::ScalarType> dtype,
                            const auto&...) {
    if (is_barebones(self)) return kBarebones;
    return has_kernel_dtype(promoted(self, dtype)) ? nullptr : "sum into a complex dtype";
  }
  void impl(const Tensor& self, std::optional<at::ScalarType>, const Tensor& out) {
    sum(self, std::nullopt, out);
  }
};
TILEWISE_STRUCTURED(SumOfAll, "sum");

struct MeanOfAll : StructuredOp<OfAllPreset> {
  static const char* refuse(const Tensor& self, std::optional<at::ScalarType> dtype,
                            const auto&...) {
    return at::isFloatingType(dtype.value_or(self.scalar_type()))
               ? nullptr
               : "mean into a dtype that is not floating";
  }
  void impl(const Tensor& self, std::optional<at::ScalarType>, const Tensor& out) {
    mean(self, std::nullopt, out);
  }
};
TILEWISE_STRUCTURED(MeanOfAll, "mean");

struct NanSumPreset : ReductionPreset {
  void meta(const Tensor& self, at::OptionalIntArrayRef dim, bool keepdim,
            std::optional<at::ScalarType> dtype) {
    set_result(0, self, dim, keepdim, promoted(self, dtype));
  }
};
struct NanSum : StructuredOp<NanSumPreset> {
  static const char* refuse(const Tensor& self, at::OptionalIntArrayRef, bool,
                            std::optional<at::ScalarType> dtype, const auto&...) {
    if (is_barebones(self)) return kBarebones;
    return has_kernel_dtype(promoted(self, dtype)) ? nullptr : "nansum into a complex dtype";
  }
  void impl(const Tensor& self, at::OptionalIntArrayRef dim, bool, std::optional<at::ScalarType>,
            const Tensor& out) {
    static Reduction reduction{{.module = "reduction/sum",
                                .combine = "add",
                                .prepare = "without_nan",
                                .accumulators = kZero}};
    if (!self.is_floating_point() || self.numel() == 0 || out.numel() == 0)
      return sum(self, dim, out);
    if (!out.is_floating_point()) throw dispatch::Refusal{"nansum of floats into integers"};
    reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&out},
                  sum_dtype(out.scalar_type()));
  }
};
TILEWISE_STRUCTURED(NanSum, "nansum");

struct CountPreset : ReductionPreset {
  void meta(const Tensor& self, at::IntArrayRef dim) {
    set_result(0, self, dim, /*keepdim=*/false, at::kLong);
  }
};
void count_nonzero(const Tensor& self, at::OptionalIntArrayRef dim, const Tensor& out) {
  static Reduction reduction{{.module = "reduction/sum",
                              .combine = "add",
                              .prepare = "is_nonzero",
                              .accumulators = {{{Accumulator::index, "0"}}}}};
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(0);
    return;
  }
  reduction.run({&self}, reduced_dimensions(dim, self.dim()), {&out},
                comparison_dtype(self.scalar_type()));
}

const char* refuse_count(const Tensor& self) {
  return is_barebones(self) ? "count of a dtype ATen refuses" : nullptr;
}

struct CountNonzero : StructuredOp<CountPreset> {
  static const char* refuse(const Tensor& self, const auto&...) { return refuse_count(self); }
  void impl(const Tensor& self, at::IntArrayRef dim, const Tensor& out) {
    count_nonzero(self, dim, out);
  }
};
TILEWISE_STRUCTURED(CountNonzero, "count_nonzero.dim_IntList");

// Of one dimension or all, which PyTorch would pass on to the former.
struct CountOfOnePreset : ReductionPreset {
  void meta(const Tensor& self, std::optional<int64_t> dim) {
    set_result(0, self, dim.has_value() ? at::OptionalIntArrayRef(*dim) : std::nullopt,
               /*keepdim=*/false, at::kLong);
  }
};
struct CountNonzeroOfOne : StructuredOp<CountOfOnePreset> {
  static const char* refuse(const Tensor& self, const auto&...) { return refuse_count(self); }
  void impl(const Tensor& self, std::optional<int64_t> dim, const Tensor& out) {
    count_nonzero(self, dim.has_value() ? at::OptionalIntArrayRef(*dim) : std::nullopt, out);
  }
};
TILEWISE_STRUCTURED(CountNonzeroOfOne, "count_nonzero");

void product(const Tensor& self, DimensionSet dims, const Tensor& out) {
  static Reduction reduction{{.module = "reduction/sum",
                              .combine = "multiply",
                              .accumulators = {{{Accumulator::compute, "1"}}}}};
  if (out.numel() == 0) return;
  if (self.numel() == 0) {
    out.fill_(1);
    return;
  }
  reduction.run({&self}, dims, {&out}, sum_dtype(out.scalar_type()));
}

constexpr const char* kComplexProduct = "product into a complex dtype";

struct ProdDim : StructuredOp<at::meta::structured_prod_dim_int> {
  static const char* refuse(const Tensor& self, const auto&...) {
    return is_barebones(self) ? kBarebones : nullptr;
  }
  void impl(const Tensor& self, int64_t dim, bool, std::optional<at::ScalarType>,
            const Tensor& out) {
    if (!has_kernel_dtype(out.scalar_type())) throw dispatch::Refusal{kComplexProduct};
    product(self, reduced_dimensions(dim, self.dim()), out);
  }
};
TILEWISE_STRUCTURED(ProdDim, "prod.dim_int");

struct Prod : StructuredOp<OfAllPreset> {
  static const char* refuse(const Tensor& self, std::optional<at::ScalarType> dtype,
                            const auto&...) {
    if (is_barebones(self)) return kBarebones;
    return has_kernel_dtype(promoted(self, dtype)) ? nullptr : kComplexProduct;
  }
  void impl(const Tensor& self, std::optional<at::ScalarType>, const Tensor& out) {
    product(self, DimensionSet().set(), out);
  }
};
TILEWISE_STRUCTURED(Prod, "prod");

}  // namespace
}  // namespace tilewise::ops
