// SPDX-License-Identifier: Apache-2.0
// _assert_async and its relatives. On a CPU there is nothing to wait for: what holds is served, and
// of what does not, PyTorch's own kernel raises.
#include <ATen/ops/clone.h>
#include <ATen/ops/is_nonzero.h>

#include "ops/framework/launch.h"
#include "ops/framework/plain_op.h"

namespace tilewise::ops {
namespace {

const char* refuse_assertion(const Tensor& self) {
  if (self.numel() != 1) return "assertion of other than one number";
  return self.is_cpu() && !at::is_nonzero(self) ? "assertion that does not hold" : nullptr;
}

struct AssertAsync : PlainOp {
  static const char* refuse(const Tensor& self) { return refuse_assertion(self); }
  static void call(const Tensor& self) {
    static const Kernel kernel("reduction/assertion", "assert_nonzero");
    if (self.is_cpu()) return;
    LaunchOptions options;
    options.num_warps = 1;
    launch(kernel, options, grid_1d(1), self, self);
  }
};
TILEWISE_OPERATOR(AssertAsync, "_assert_async");

// On CPUs alone. (_assert_async.msg is PyTorch's: on a GPU a kernel's text is compiled in.)
struct FunctionalAssertAsync : PlainOp {
  static const char* refuse(const Tensor& self, c10::string_view, const Tensor&) {
    return refuse_assertion(self);
  }
  static Tensor call(const Tensor&, c10::string_view, const Tensor& dep_token) {
    return at::clone(dep_token);
  }
};
TILEWISE_OPERATOR(FunctionalAssertAsync, "_functional_assert_async.msg");

}  // namespace
}  // namespace tilewise::ops
