// SPDX-License-Identifier: Apache-2.0
// From a kernel's id to its identity, for reports.
#pragma once

#include <vector>

#include "runtime/kernel.h"

namespace tilewise::runtime {

const KernelIdentity& kernel_identity(uint32_t id);

}  // namespace tilewise::runtime
