// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/pow_meta.h>

#include "ops/framework/pointwise.h"

namespace tilewise::ops {
namespace {

// The exponents that models use have exact and far cheaper functions of their own; ATen takes the
// same shortcuts.
struct PowerByScalar : StructuredOp<at::meta::structured_pow_Tensor_Scalar> {
  void impl(const Tensor&, const at::Scalar& exponent, const Tensor&) {
    static PointwiseFunction square("arithmetic:square", kNumeric);
    static PointwiseFunction cube("arithmetic:cube", kNumeric);
    static PointwiseFunction square_root("arithmetic:square_root", kFloating);
    static PointwiseFunction power("arithmetic:power", kNumeric);
    const double value = exponent.isComplex() ? 0 : exponent.toDouble();
    PointwiseArguments arguments;
    PointwiseFunction* function = value == 2     ? &square
                                  : value == 3   ? &cube
                                  : value == 0.5 ? &square_root
                                                 : &power;
    if (function == &power) arguments.add(exponent);
    function->run(*this, common_dtype(), arguments);
  }
};
TILEWISE_STRUCTURED(PowerByScalar, "pow.Tensor_Scalar");

// clang-format off: one operator a line
TILEWISE_POINTWISE("pow.Tensor_Tensor", at::meta::structured_pow_Tensor_Tensor, "arithmetic:power", kNumeric);
// clang-format on

}  // namespace
}  // namespace tilewise::ops
