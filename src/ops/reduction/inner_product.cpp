// SPDX-License-Identifier: Apache-2.0
// dot, vdot and trace.
#include <algorithm>

#include "ops/framework/structured_op.h"
#include "ops/reduction/reduction.h"
#include "ops/reduction/reduction_presets.h"

namespace tilewise::ops {
namespace {

constexpr std::array kZero{Accumulator{Accumulator::compute, "0"}, Accumulator{}, Accumulator{}};

struct DotPreset : ReductionPreset {
  void meta(const Tensor& self, const Tensor&) {
    set_result(0, self, std::nullopt, /*keepdim=*/false, self.scalar_type());
  }
};

// PyTorch's own kernel has the errors for everything that this refuses.
struct Dot : StructuredOp<DotPreset> {
  static const char* refuse(const Tensor& self, const Tensor& tensor, const auto&...) {
    if (self.dim() != 1 || tensor.dim() != 1 || self.numel() != tensor.numel() ||
        self.scalar_type() != tensor.scalar_type())
      return "dot of tensors of several dtypes or shapes";
    // GPUs have no products of integers.
    const bool is_served =
        self.is_floating_point() ||
        (self.is_cpu() && self.scalar_type() != at::kBool && !is_barebones(self));
    return is_served ? nullptr : "dot of this dtype";
  }
  void impl(const Tensor& self, const Tensor& tensor, const Tensor& out) {
    static Reduction reduction{{.module = "reduction/sum",
                                .combine = "add",
                                .prepare = "multiply",
                                .accumulators = kZero}};
    if (self.numel() == 0) {
      out.zero_();
      return;
    }
    reduction.run({&self, &tensor}, DimensionSet().set(), {&out}, sum_dtype(out.scalar_type()));
  }
};
struct Vdot : Dot {};  // the numbers are real
TILEWISE_STRUCTURED(Dot, "dot");
TILEWISE_STRUCTURED(Vdot, "vdot");

struct TracePreset : ReductionPreset {
  void meta(const Tensor& self) {
    const bool is_integral = at::isIntegralType(self.scalar_type(), /*includeBool=*/true);
    set_output_raw_strided(0, {}, {},
                           self.options().dtype(is_integral ? at::kLong : self.scalar_type()));
  }
};
struct Trace : StructuredOp<TracePreset> {
  static const char* refuse(const Tensor& self, const auto&...) {
    if (self.dim() != 2) return "trace of other than a matrix";
    const bool is_served =
        !is_barebones(self) && !(self.is_cpu() && self.scalar_type() == at::kBool);
    return is_served ? nullptr : "trace of this dtype";
  }
  void impl(const Tensor& self, const Tensor& out) {
    static const Kernel kernel("reduction/trace", "trace");
    if (self.numel() == 0) {
      out.zero_();
      return;
    }
    const auto acc = accumulate_type(element_type(sum_dtype(out.scalar_type())).value());
    launch(kernel, {}, grid_1d(1), self, self, written(out), std::min(self.size(0), self.size(1)),
           stride(self.stride(0) + self.stride(1)), constant(acc),
           constant(self.is_cpu() ? 64 : 512));
  }
};
TILEWISE_STRUCTURED(Trace, "trace");

}  // namespace
}  // namespace tilewise::ops
