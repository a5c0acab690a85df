// SPDX-License-Identifier: Apache-2.0
// The target that CPU kernels of this process are compiled for: TILEWISE_CPU_TARGET, else the
// running chip's (compiler/target.h).
#pragma once

#include <string>

namespace tilewise::backends {

const std::string& cpu_target();

}  // namespace tilewise::backends
