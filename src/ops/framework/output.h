// SPDX-License-Identifier: Apache-2.0
// What becomes of the outputs that a meta function describes, in each form of an operator; and the
// device that the work runs on. Where PyTorch would raise (a wrong out= dtype, say), a Refusal
// hands the call to PyTorch's own kernel, which raises its own error.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/core/DeviceGuard.h>

#include "ops/framework/signature.h"

namespace tilewise::ops {

// A new tensor; empty strides mean contiguous in the options' memory format.
at::Tensor allocate_output(at::IntArrayRef sizes, at::IntArrayRef strides,
                           const at::TensorOptions& options);

// What an in-place form writes: undefined for `self` itself, else a temporary, if the operator
// demands strides that `self` does not have. (Not `self`: a second reference to a tensor that
// Python holds takes Python's lock, 0.1 us.)
at::Tensor proxy_of_inplace(const at::Tensor& self, at::IntArrayRef sizes, at::IntArrayRef strides,
                            const at::TensorOptions& options, bool exact_strides);

// The same for out=, after fit_out.
at::Tensor proxy_of_out(const at::Tensor& out, at::IntArrayRef sizes, at::IntArrayRef strides,
                        const at::TensorOptions& options, bool exact_strides);

// Resizes out= as PyTorch does it.
void fit_out(const at::Tensor& out, at::IntArrayRef sizes, at::IntArrayRef strides,
             const at::TensorOptions& options);

// True of a CPU's tensor from 8 MiB on: it is stored past the cache, because an ordinary store of a
// line that is not in the cache reads it first.
bool exceeds_caches(const at::TensorBase& output);

// Makes the GPU of the first GPU tensor among the arguments current, as PyTorch's wrappers do.
class DeviceGuard {
 public:
  template <class... Args>
  explicit DeviceGuard(const Args&... args) {
    auto visit = [this](const at::Tensor& tensor) {
      if (tensor.is_cuda() && !guard_.current_device().has_value())
        guard_.reset_device(tensor.device());
    };
    (visit_tensors(visit, args), ...);
  }

 private:
  c10::OptionalDeviceGuard guard_;
};

}  // namespace tilewise::ops
