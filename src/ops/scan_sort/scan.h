// SPDX-License-Identifier: Apache-2.0
// The scan engine. An operator declares what is combined, in scalar functions of one file under
// kernels/; layout, tiles and splits are the engine's:
//
//   static Scan cumsum{{.module = "scan_sort/cumulative", .combine = "add",
//                       .accumulators = {{{Accumulator::compute, "0"}}}}};
//   cumsum.run(self, dim, {&out}, at::kFloat);
//
// One launch, on a CPU two for few long rows, which are split (on a GPU for few long columns). An
// output may be the input itself.
#pragma once

#include <ATen/core/Tensor.h>

#include <initializer_list>

#include "codegen/scan_source.h"
#include "ops/framework/generated_kernels.h"
#include "ops/reduction/accumulator.h"

namespace tilewise::ops {

struct ScanDeclaration {
  const char* module;
  const char* combine;
  const char* prepare = "";
  const char* finish = "";
  const char* merge = "";
  std::array<Accumulator, codegen::kMaxReductionOperands> accumulators{};
  bool is_indexed = false;
};

// Static; lives for the process.
class Scan {
 public:
  explicit Scan(const ScanDeclaration& declaration);

  // Scans `self`, not empty, along `dim` into the outputs of the same shape. Elements are
  // converted to `compute` (16-bit floats to 32 bits). Throws dispatch::Refusal.
  void run(const at::Tensor& self, int64_t dim, std::initializer_list<const at::Tensor*> outputs,
           at::ScalarType compute);

 private:
  codegen::ScanFunctions functions_;
  ScanDeclaration declaration_;
  uint8_t accumulators_ = 0;
  GeneratedKernels<codegen::ScanVariant> kernels_;
};

}  // namespace tilewise::ops
