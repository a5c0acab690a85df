// SPDX-License-Identifier: Apache-2.0
// Operators that make a tensor from sizes and options. Their schemas end in dtype, layout, device
// and pin_memory; what we serve is strided, not pinned, and of a dtype that kernels have.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/SymIntArrayRef.h>

#include <optional>

#include "ops/framework/plain_op.h"

namespace tilewise::ops {

struct FactoryOptions {
  std::optional<at::ScalarType> dtype;
  std::optional<at::Layout> layout;
  std::optional<at::Device> device;
  std::optional<bool> pin_memory;

  // Why no tensor can be made, or nullptr; `inferred`: the dtype if none was asked for.
  const char* refuse(at::ScalarType inferred) const;
  // The same for a tensor beside `self`, which must be dense to be copied in layout.
  const char* refuse_like(const at::Tensor& self) const;
};

at::ScalarType default_dtype();

// A new contiguous tensor, and its device current while this lives.
class NewTensor {
 public:
  NewTensor(at::IntArrayRef sizes, const FactoryOptions& options, at::ScalarType inferred);
  at::Tensor& operator*() { return tensor_; }

 private:
  c10::OptionalDeviceGuard guard_;
  at::Tensor tensor_;
};

// Sizes as numbers; none if one is a symbol.
inline std::optional<at::IntArrayRef> known_sizes(c10::SymIntArrayRef sizes) {
  return c10::asIntArrayRefSlowOpt(sizes);
}

}  // namespace tilewise::ops
