// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/eligibility.h"

#include "ops/framework/element_type.h"

namespace tilewise::ops {

bool has_kernel_dtype(at::ScalarType dtype) { return element_type(dtype).has_value(); }

void fall_back(dispatch::OverloadEntry& entry, const dispatch::Scope& scope, const char* reason) {
  TORCH_CHECK_NOT_IMPLEMENTED(!scope.strict, "tilewise (strict): aten::", entry.name,
                              " is not served here: ", reason);
  entry.count_fallback(reason);
}

}  // namespace tilewise::ops
