// SPDX-License-Identifier: Apache-2.0
// The kernel that served an operator before Tilewise took it over, callable unboxed.
#pragma once

#include <ATen/core/boxing/KernelFunction.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace tilewise::dispatch {

// A copy of the kernel that the dispatcher calls now for `op` at `key`. Take it before registering
// over it. The public getComputedKernelForDispatchKey gives a kernel that can only be called boxed,
// which costs 0.6 us more a call.
c10::KernelFunction computed_kernel(const c10::OperatorHandle& op, c10::DispatchKey key);

}  // namespace tilewise::dispatch
