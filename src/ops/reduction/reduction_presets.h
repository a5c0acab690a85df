// SPDX-License-Identifier: Apache-2.0
// Stand-ins for the meta functions of reductions that PyTorch does not declare structured: the
// shape of the result, computed by ATen's own helper; and the types in which reductions compute.
#pragma once

#include <ATen/TensorMeta.h>
#include <ATen/WrapDimUtilsMulti.h>
#include <ATen/core/Tensor.h>
#include <ATen/native/ReduceOpsUtils.h>

#include "ops/framework/launch.h"

namespace tilewise::ops {

struct ReductionPreset : at::impl::MetaBase {
  void set_result(int64_t output, const at::Tensor& self, at::OptionalIntArrayRef dim, bool keepdim,
                  at::ScalarType dtype) {
    at::DimVector dims = at::native::make_dim_vector(dim, self.dim());
    const auto sizes = at::meta::get_reduction_shape(self, dims, keepdim);
    set_output_raw_strided(output, sizes, {}, self.options().dtype(dtype));
  }
};

// Sums and products: integers and bool in 64 bits, whatever the type of the result; floats in the
// result's own, 16-bit ones in 32 bits.
inline at::ScalarType sum_dtype(at::ScalarType result) {
  if (!at::isFloatingType(result)) return at::kLong;
  return result == at::kDouble ? at::kDouble : at::kFloat;
}

// Comparisons: the narrowest type that holds all values, 32 bits at least.
inline at::ScalarType comparison_dtype(at::ScalarType dtype) {
  if (at::isFloatingType(dtype)) return dtype == at::kDouble ? at::kDouble : at::kFloat;
  return dtype == at::kLong ? at::kLong : at::kInt;
}

// uint16, uint32 and uint64, for which ATen has no reductions.
inline bool is_barebones(const at::Tensor& self) {
  return c10::isBarebonesUnsignedType(self.scalar_type());
}

}  // namespace tilewise::ops
