// SPDX-License-Identifier: Apache-2.0
// Strings that cross the C interface: allocated with malloc, freed by tilewise_free().
#pragma once

#include <string>

namespace tilewise {

// A copy that the caller of the C interface frees.
char* to_c_string(const std::string& text);

}  // namespace tilewise

extern "C" __attribute__((visibility("default"))) void tilewise_free(void* memory);
