// SPDX-License-Identifier: Apache-2.0
// The conversions of 16-bit floats that LLVM calls where the machine has no instruction for them:
// fptrunc and fpext of half and bfloat. A program has them only if its compiler was new enough
// (those of bfloat: GCC 13), so that loaded objects get them from here.
#pragma once

#include <string_view>

namespace tilewise::backends {

// "__truncsfhf2", "__truncdfhf2", "__truncsfbf2", "__truncdfbf2", "__extendhfsf2"; else nullptr.
void* find_runtime_function(std::string_view name);

}  // namespace tilewise::backends
