// SPDX-License-Identifier: Apache-2.0
// Tile shapes of generated pointwise kernels, by device and layout.
#pragma once

#include <ATen/TensorIterator.h>

#include "codegen/pointwise_source.h"
#include "runtime/launch_options.h"

namespace tilewise::ops {

struct PointwiseTile {
  int64_t block_x;
  int64_t block_y;
  int64_t programs;
  runtime::LaunchOptions options;
};

// Whether the outputs go past the cache: on a CPU, if they would not stay in it anyway. An ordinary
// store of a line that is not in the cache reads it first.
bool streams_outputs(const at::TensorIteratorBase& iter);

// `iterates`: kIterates of pointwise.h.
PointwiseTile choose_tile(const at::TensorIteratorBase& iter,
                          const codegen::PointwiseVariant& variant, bool iterates);

}  // namespace tilewise::ops
