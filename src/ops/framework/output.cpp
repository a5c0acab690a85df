// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/output.h"

#include <ATen/Context.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_strided.h>

#include "dispatch/refusal.h"
#include "ops/framework/large_blocks.h"

namespace tilewise::ops {
namespace {

constexpr c10::DispatchKeySet kCpuKeys(c10::DispatchKey::CPU);

// A tensor with the strides the operator demands, if the caller's has others; else undefined.
at::Tensor proxy_unless_strides_match(const at::Tensor& tensor, at::IntArrayRef sizes,
                                      at::IntArrayRef strides, const at::TensorOptions& options) {
  if (strides.empty() || tensor.strides() == strides || tensor.numel() == 0) return {};
  return at::empty_strided(sizes, strides, options);
}

}  // namespace

at::Tensor allocate_output(at::IntArrayRef sizes, at::IntArrayRef strides,
                           const at::TensorOptions& options) {
  // Straight to the allocator, as PyTorch's own generated wrappers do: at::empty would go through
  // the dispatcher, 0.5 us more a call. The device guard has made the right GPU current.
  if (options.device().is_cpu()) {
    const size_t element = options.dtype().itemsize();
    const size_t bytes = strides.empty()
                             ? at::detail::computeStorageNbytesContiguous(sizes, element)
                             : at::detail::computeStorageNbytes(sizes, strides, element);
    if (bytes < kLargeBlock || options.pinned_memory())
      return strides.empty() ? at::detail::empty_cpu(sizes, options)
                             : at::detail::empty_strided_cpu(sizes, strides, options);
    const at::ScalarType dtype = c10::typeMetaToScalarType(options.dtype());
    return strides.empty() ? at::detail::empty_generic(sizes, large_block_allocator(), kCpuKeys,
                                                       dtype, options.memory_format_opt())
                           : at::detail::empty_strided_generic(
                                 sizes, strides, large_block_allocator(), kCpuKeys, dtype);
  }
  const bool fill = at::globalContext().deterministicAlgorithms() &&
                    at::globalContext().deterministicFillUninitializedMemory();
  if (!options.device().is_cuda() || fill)
    return strides.empty() ? at::empty(sizes, options) : at::empty_strided(sizes, strides, options);
  static c10::Allocator* const allocator = at::detail::getCUDAHooks().getCUDADeviceAllocator();
  const c10::DispatchKeySet keys(c10::DispatchKey::CUDA);
  const at::ScalarType dtype = c10::typeMetaToScalarType(options.dtype());
  if (strides.empty())
    return at::detail::empty_generic(sizes, allocator, keys, dtype, options.memory_format_opt());
  return at::detail::empty_strided_generic(sizes, strides, allocator, keys, dtype);
}

at::Tensor proxy_of_inplace(const at::Tensor& self, at::IntArrayRef sizes, at::IntArrayRef strides,
                            const at::TensorOptions& options, bool exact_strides) {
  if (options.dtype() != self.dtype() || options.device() != self.device() || sizes != self.sizes())
    throw dispatch::Refusal{"in-place result does not fit self"};
  return exact_strides ? proxy_unless_strides_match(self, sizes, strides, options) : at::Tensor();
}

at::Tensor proxy_of_out(const at::Tensor& out, at::IntArrayRef sizes, at::IntArrayRef strides,
                        const at::TensorOptions& options, bool exact_strides) {
  fit_out(out, sizes, strides, options);
  return exact_strides ? proxy_unless_strides_match(out, sizes, strides, options) : at::Tensor();
}

void fit_out(const at::Tensor& out, at::IntArrayRef sizes, at::IntArrayRef strides,
             const at::TensorOptions& options) {
  if (options.dtype() != out.dtype() || options.device() != out.device())
    throw dispatch::Refusal{"out= has another dtype or device than the result"};
  if (!at::native::resize_output(out, sizes)) return;
  if (!strides.empty())
    out.as_strided_(sizes, strides);
  else if (options.memory_format_opt().has_value())
    out.unsafeGetTensorImpl()->empty_tensor_restride(*options.memory_format_opt());
}

bool exceeds_caches(const at::TensorBase& output) {
  return output.is_cpu() && output.nbytes() >= kLargeBlock;
}

}  // namespace tilewise::ops
