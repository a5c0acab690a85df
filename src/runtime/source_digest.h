// SPDX-License-Identifier: Apache-2.0
// SHA-256 of a kernel's source and of every kernel file that it imports, directly or not. Computed
// once per process and kernel module.
#pragma once

#include <string>

#include "runtime/kernel.h"

namespace tilewise::runtime {

// Throws std::runtime_error with a sentence that names the file that cannot be read.
std::string source_digest(const KernelIdentity& kernel);

// The same for a folder given explicitly, not remembered.
std::string source_digest(const KernelIdentity& kernel, const std::string& kernels_dir);

}  // namespace tilewise::runtime
