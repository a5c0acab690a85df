// SPDX-License-Identifier: Apache-2.0
#include <ATen/ops/eq.h>

#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

// Two kernels, as PyTorch's on GPUs: the comparison, and whether it holds everywhere.
struct Equal : PlainOp {
  static const char* refuse(const Tensor& self, const Tensor& other) {
    return self.device() == other.device() ? nullptr : "equal: tensors on two devices";
  }
  static bool call(const Tensor& self, const Tensor& other) {
    if (self.sizes() != other.sizes()) return false;
    return self.numel() == 0 || at::eq(self, other).all().item<bool>();
  }
};
TILEWISE_OPERATOR(Equal, "equal");

}  // namespace
}  // namespace tilewise::ops
