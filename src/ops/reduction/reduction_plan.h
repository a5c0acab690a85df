// SPDX-License-Identifier: Apache-2.0
// How a reduction runs: which kernel of a pair, over which dimensions, with which tile and in how
// many splits. Every reduction kernel has the entry points described in kernels/reduction/sum.py.
//
//   reduce(self, dim, out, at::kFloat, [&](const ReductionPass& pass) {
//     pass.launch(sum_inner, sum_outer, int64_t{1}, constant(DType::fp32), constant(false));
//   });
//
// calls the function once, or, for few long reductions, twice: from the input to partial results,
// and from these to the output.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/FunctionRef.h>
#include <c10/util/OptionalArrayRef.h>

#include "ops/framework/dimensions.h"
#include "ops/framework/launch.h"

namespace tilewise::ops {

struct ReductionPlan {
  DimensionPair kept;     // views: 0 the input, 1 the output
  DimensionPair reduced;  // view: 0 the input
  bool along_reduced;     // lanes run along the innermost reduced dimension, else the kept one
  int64_t splits;
  int64_t split_length;
  int64_t rows;
  int64_t block;
  Grid grid;
  LaunchOptions options;
};

// One of the launches of a reduction.
struct ReductionPass {
  const ReductionPlan& plan;
  const at::Tensor& input;
  const at::Tensor& output;
  int64_t stride_output_split;
  bool is_first;
  bool is_last;

  // `extra`: the kernel's parameters between the strides and ROWS.
  template <class... Extra>
  void launch(const Kernel& inner, const Kernel& outer, const Extra&... extra) const {
    const DimensionPair& kept = plan.kept;
    const DimensionPair& reduced = plan.reduced;
    ops::launch(plan.along_reduced ? inner : outer, plan.options, plan.grid, input, input,
                written(output), plan.along_reduced ? kept.numel() : kept.outer, stride(kept.inner),
                stride(reduced.outer), stride(reduced.inner), stride(plan.split_length),
                stride(kept.outer_stride[0]), stride(kept.inner_stride[0]),
                stride(reduced.outer_stride[0]), stride(reduced.inner_stride[0]),
                stride(kept.outer_stride[1]), stride(kept.inner_stride[1]),
                stride(stride_output_split), extra..., constant(plan.rows), constant(plan.block));
  }
};

// `dim` empty or absent means all dimensions; `out` has the meta function's shape, with or without
// the reduced dimensions. `partial_dtype` holds results between two passes. Throws a Refusal if
// the kept or the reduced dimensions do not collapse to two. Neither may be empty.
void reduce(const at::Tensor& self, at::OptionalIntArrayRef dim, const at::Tensor& out,
            at::ScalarType partial_dtype, c10::function_ref<void(const ReductionPass&)> run);

}  // namespace tilewise::ops
