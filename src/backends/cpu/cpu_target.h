// SPDX-License-Identifier: Apache-2.0
// The target that CPU kernels of this process are compiled for: TILEWISE_CPU_TARGET, else the
// running chip's (compiler/target.h).
#pragma once

#include <string>

namespace tilewise::backends {

// Throws compiler::UnknownTarget, at every call, if the setting names a target that does not exist
// or that this machine does not run.
const std::string& cpu_target();

}  // namespace tilewise::backends
