// SPDX-License-Identifier: Apache-2.0
// How a reduction is spread over programs and lanes. A function of the shape and the element type
// alone, never of the number of threads or multiprocessors: the order of the additions, hence every
// bit of a float sum, is the same on every machine with the same kind of device.
#pragma once

#include "codegen/reduction_source.h"
#include "ops/framework/dimensions.h"
#include "runtime/launch_options.h"

namespace tilewise::ops {

struct ReductionShape {
  const c10::SmallVector<Dimension, 8>& kept;     // outermost first
  const c10::SmallVector<Dimension, 8>& reduced;  // outermost first
  int64_t element_bytes;
  int accumulators;           // of one lane
  int64_t accumulator_bytes;  // of all of them
  bool is_exact;
  bool on_cpu;
  bool may_split;
};

struct ReductionTile {
  bool lanes_are_last;
  bool is_packed = false;
  int64_t kept = 1;  // results of a program
  int64_t lanes;
  int64_t inner = 1;  // of the lanes: along the innermost reduced dimension, if packed
  int unroll = 1;
  codegen::Split split = codegen::Split::none;
  int64_t split_length = 0;
  int64_t splits = 1;
  runtime::Grid grid;
  runtime::LaunchOptions options;
};

ReductionTile choose_reduction_tile(const ReductionShape& shape);

}  // namespace tilewise::ops
