// SPDX-License-Identifier: Apache-2.0
// Kernels that work on whole rows of several tensors of one shape, along any dimension: a Triton
// function of kernels/ and code generated around it (codegen/row_source.h).
//
//   static RowKernel tile("normalization/softmax", "forward_tile");
//   const Rows rows({&self, &out}, dim);
//   tile.launch({{&self}, {&out, true}}, rows, choose_tile(rows), ", tl.float32, False, False");
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>

#include "codegen/row_source.h"
#include "ops/framework/generated_kernels.h"
#include "ops/reduction/accumulator.h"

namespace tilewise::ops {

// Tensors of one shape as rows along `dim`. The first tensor decides about the order.
struct Rows {
  Rows(std::initializer_list<const at::Tensor*> tensors, int64_t dim);

  DimensionList kept;
  int64_t length = 1;
  ViewStrides strides{1, 1, 1, 1, 1, 1};  // along a row, one per tensor
};

struct RowTile {
  bool lanes_are_last = true;
  int64_t kept = 1;
  int64_t lanes = 1;
  LaunchOptions options;
};

struct RowOperand {
  const at::Tensor* tensor;
  bool is_written = false;
};

// Static; lives for the process.
class RowKernel {
 public:
  RowKernel(const char* module, const char* function) : module_(module), function_(function) {}

  // The operands in the order of `rows`; `literals` follow LANES in the call of the function.
  void launch(std::initializer_list<RowOperand> operands, const Rows& rows, const RowTile& tile,
              const char* literals, std::initializer_list<int64_t> scalars = {});

 private:
  const char* module_;
  const char* function_;
  GeneratedKernels<codegen::RowVariant> kernels_;
};

}  // namespace tilewise::ops
