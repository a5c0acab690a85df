// SPDX-License-Identifier: Apache-2.0
// What Python calls to define fused functions, through ctypes.
#include <c10/util/Exception.h>

#include "base/c_string.h"
#include "ops/fusion/fused_function.h"

#define TILEWISE_EXPORT extern "C" __attribute__((visibility("default")))

// `definition`: the text described in fused_function.h. Not 0: `*error` says why.
TILEWISE_EXPORT int tilewise_define_pointwise(const char* definition, char** error) {
  try {
    tilewise::ops::define_fused_function(tilewise::ops::parse_definition(definition));
    return 0;
  } catch (const c10::Error& e) {
    *error = tilewise::to_c_string(e.what_without_backtrace());
    return 1;
  }
}

TILEWISE_EXPORT void tilewise_set_pointwise_resolver(tilewise::ops::FusedResolver resolver) {
  tilewise::ops::set_fused_resolver(resolver);
}

TILEWISE_EXPORT void tilewise_pointwise_fail(std::string* failure, const char* reason) {
  *failure = reason;
}
