// SPDX-License-Identifier: Apache-2.0
#include "ops/foreach/foreach_op.h"
#include "ops/foreach/tensor_lists.h"
#include "ops/foreach/tensor_table.h"

namespace tilewise::ops {
namespace {

struct ForeachCopy : PlainOp {
  static const char* refuse(TensorList self, TensorList src, bool) {
    // Each list must be dense and of the dtypes that kernels have, the pairs of one layout.
    constexpr uint8_t kAnyDtype = kNumeric | kBool;
    for (const TensorList& list : {self, src}) {
      if (const char* reason = refuse_lists(list, kAnyDtype)) return reason;
      if (!is_of_one_dtype(list)) return "foreach copy of several dtypes";
    }
    if (self.size() != src.size()) return "foreach lists of different lengths";
    for (size_t i = 0; i < self.size(); ++i)
      if (!have_same_layout(self[i], src[i])) return "foreach tensors of different layouts";
    return self[0].is_cpu() ? refuse_overlap(self, src) : nullptr;
  }

  static void call(TensorList self, TensorList src, bool) {
    static const Kernel copy("foreach/copy", "copy");
    const TensorTable table({self, src}, {});
    if (table.chunks() == 0) return;
    const Tensor& first = self[0];
    runtime::ArgumentPack pack;
    table.add_to(pack);
    pack.constant_dtype(element_type(first));
    pack.constant_dtype(element_type(src[0]));
    pack.constant_bool(table.is_aligned());
    pack.constant(first.is_cpu() ? 64 : 1024);
    LaunchOptions options;
    options.num_stages = 1;
    options.grain = table.grain();
    launch_packed(copy, pack, options, grid_1d(table.chunks()), first.device());
  }
};
TILEWISE_OPERATOR(ForeachCopy, "_foreach_copy_");

struct CopyRow {
  static constexpr const char* kFunction = "arithmetic:copy";
  static constexpr const char* kLiterals = "";
};

struct ForeachClone : detail::Foreach<CopyRow, TensorList> {
  static const char* refuse(TensorList self, std::optional<at::MemoryFormat> memory_format) {
    if (memory_format.value_or(at::MemoryFormat::Preserve) != at::MemoryFormat::Preserve)
      return "foreach clone into a memory format";
    return ForeachCall(self).refuse(kNumeric, false);
  }
  static std::vector<Tensor> call(TensorList self, std::optional<at::MemoryFormat>) {
    const ForeachCall call(self);
    std::vector<Tensor> out = call.allocate();
    call.run(kernel(), out);
    return out;
  }
};
#if TILEWISE_HAS_FOREACH_CLONE
TILEWISE_OPERATOR(ForeachClone, "_foreach_clone");
#endif

}  // namespace
}  // namespace tilewise::ops
