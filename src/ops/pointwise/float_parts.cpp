// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/copysign_meta.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/frac_meta.h>
#include <ATen/ops/nextafter_meta.h>
#include <ATen/ops/signbit_meta.h>

#include <limits>

#include "ops/framework/plain_op.h"
#include "ops/framework/pointwise.h"
#include "ops/framework/pointwise_presets.h"

namespace tilewise::ops {
namespace {

double largest(at::ScalarType dtype) {
  switch (dtype) {
    case at::kHalf:
      return std::numeric_limits<at::Half>::max();
    case at::kBFloat16:
      return std::numeric_limits<at::BFloat16>::max();
    case at::kFloat:
      return std::numeric_limits<float>::max();
    default:
      return std::numeric_limits<double>::max();
  }
}

using OptionalNumber = std::optional<double>;

// Integers have neither NaN nor infinities.
struct NanToNum : PointwiseOp<NanToNum, UnaryWith<OptionalNumber, OptionalNumber, OptionalNumber>> {
  static const char* refuse(const Tensor& self, OptionalNumber, OptionalNumber, OptionalNumber,
                            const Tensor& out) {
    return self.scalar_type() == out.scalar_type() ? nullptr : "out= of another dtype";
  }
  void impl(const Tensor& self, OptionalNumber nan, OptionalNumber positive,
            OptionalNumber negative, const Tensor&) {
    static PointwiseFunction replace("float_parts:replace_nonfinite", kFloating);
    static PointwiseFunction copy("arithmetic:copy", kAll | kUnsigned);
    PointwiseArguments arguments;
    if (!at::isFloatingType(self.scalar_type())) return copy.run(*this, common_dtype(), arguments);
    const double limit = largest(self.scalar_type());
    arguments.add(nan.value_or(0.0));
    arguments.add(positive.value_or(limit));
    arguments.add(negative.value_or(-limit));
    replace.run(*this, common_dtype(), arguments);
  }
};
TILEWISE_STRUCTURED(NanToNum, "nan_to_num");

void split(const Tensor& self, const Tensor& mantissa, const Tensor& exponent) {
  static PointwiseFunction function("float_parts:fraction_and_exponent", kFloating);
  auto iter = at::TensorIteratorConfig()
                  .check_all_same_dtype(false)
                  .add_output(mantissa)
                  .add_output(exponent)
                  .add_const_input(self)
                  .build();
  function.run(iter, self.scalar_type(), {});
}

struct Frexp : PlainOp {
  static const char* refuse(const Tensor& self) {
    return at::isFloatingType(self.scalar_type()) ? nullptr : "frexp: not a float";
  }
  static std::tuple<Tensor, Tensor> call(const Tensor& self) {
    Tensor mantissa = at::empty_like(self);
    Tensor exponent = at::empty_like(self, self.options().dtype(at::kInt));
    split(self, mantissa, exponent);
    return {mantissa, exponent};
  }
};
TILEWISE_OPERATOR(Frexp, "frexp.Tensor");

struct FrexpOut : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& mantissa, const Tensor& exponent) {
    const bool matches =
        mantissa.scalar_type() == self.scalar_type() && exponent.scalar_type() == at::kInt;
    return matches ? Frexp::refuse(self) : "out= of another dtype";
  }
  static std::tuple<Tensor&, Tensor&> call(const Tensor& self, Tensor& mantissa, Tensor& exponent) {
    split(self, mantissa, exponent);
    return {mantissa, exponent};
  }
};
TILEWISE_OPERATOR(FrexpOut, "frexp.Tensor_out");

// clang-format off: one operator a line
TILEWISE_POINTWISE("copysign.Tensor", at::meta::structured_copysign_Tensor, "float_parts:copysign", kFloating | kAsStored);
TILEWISE_POINTWISE("frac", at::meta::structured_frac, "arithmetic:fraction", kFloating);
TILEWISE_POINTWISE("nextafter", at::meta::structured_nextafter, "float_parts:next_after", kFloating | kAsStored);
TILEWISE_POINTWISE("signbit", at::meta::structured_signbit, "float_parts:sign_bit", kAll | kUnsigned);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
