// SPDX-License-Identifier: Apache-2.0
// The reduction engine. An operator declares what is reduced, in scalar functions of one file under
// kernels/; layout, tiles, splits and the second pass are the engine's:
//
//   static Reduction mean{{.module = "reduction/sum", .combine = "add", .finish = "mean",
//                          .accumulators = {{Accumulator::compute, "0"}}, .finish_scalars = 1}};
//   mean.run({&self}, dims, {&out}, at::kFloat, {count});
//
// Any set of dimensions of strided tensors is reduced without a copy, in one launch, or two where
// results are few and long; deterministic. See codegen/reduction_source.h for the functions.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/Scalar.h>
#include <c10/util/OptionalArrayRef.h>

#include <bitset>
#include <initializer_list>

#include "codegen/reduction_source.h"
#include "ops/framework/generated_kernels.h"
#include "ops/framework/launch.h"
#include "ops/reduction/accumulator.h"
#include "ops/reduction/reduction_tiles.h"

namespace tilewise::ops {

struct ReductionDeclaration {
  const char* module;
  const char* combine;
  const char* prepare = "";
  const char* update = "";
  const char* finish = "";
  codegen::ShiftedFunctions shifted{};  // Note [Shifted passes]
  std::array<Accumulator, codegen::kMaxReductionOperands> accumulators{};
  bool is_indexed = false;
  bool is_exact = false;  // Combining rounds nothing: any order gives the same bits.
  uint8_t prepare_scalars = 0;
  uint8_t finish_scalars = 0;
};

using DimensionSet = std::bitset<64>;

// The dimensions that `dim` names; all if it is absent or empty.
DimensionSet reduced_dimensions(at::OptionalIntArrayRef dim, int64_t rank);
DimensionSet reduced_dimensions(int64_t dim, int64_t rank);

// Static; lives for the process.
class Reduction {
 public:
  explicit Reduction(const ReductionDeclaration& declaration);

  // Reduces `dims` of the inputs (all of one shape, not empty) into the outputs, which have the
  // shape that keepdim or its absence gives them. Elements are converted to `compute` (16-bit
  // floats to 32 bits). Throws dispatch::Refusal.
  void run(std::initializer_list<const at::Tensor*> inputs, DimensionSet dims,
           std::initializer_list<const at::Tensor*> outputs, at::ScalarType compute,
           std::initializer_list<at::Scalar> scalars = {});

 private:
  struct Call;

  void launch_pass(const Call& call, codegen::ReductionVariant& variant,
                   const c10::SmallVector<Dimension, 8>& kept,
                   const c10::SmallVector<Dimension, 8>& reduced, const ReductionTile& tile,
                   const void* const* inputs, const DType* input_types, void* const* outputs,
                   const DType* output_types);

  codegen::ReductionFunctions functions_;
  ReductionDeclaration declaration_;
  uint8_t accumulators_ = 0;
  GeneratedKernels<codegen::ReductionVariant> kernels_;
};

}  // namespace tilewise::ops
