// SPDX-License-Identifier: Apache-2.0
// Launches a kernel, compiling it first where that is needed and allowed.
//
//   if (!launch(softmax, arguments, {.num_warps = 4}, {rows}, DeviceKind::cuda, 0, stream))
//     return fallback(last_refusal());
//
// A launch whose binary is loaded ("hit") builds the key on the stack, probes one table and calls
// the backend: no allocation, no lock, no string, no Python.
#pragma once

#include <string_view>

#include "runtime/argument_pack.h"
#include "runtime/kernel.h"
#include "runtime/launch_options.h"

namespace tilewise::runtime {

// False: nothing was launched, and last_refusal() says why (mode `cached` and no binary in the
// store, or the kernel does not compile or load here). Throws DeviceError (backend.h) if the driver
// refuses the launch itself. A grid without programs is a success.
bool launch(const Kernel& kernel, const ArgumentPack& arguments, const LaunchOptions& options,
            Grid grid, DeviceKind device, int device_index, void* stream);

// Compiles and loads as launch() would, without running anything: `warm`, and tests.
bool prepare(const Kernel& kernel, const ArgumentPack& arguments, const LaunchOptions& options,
             DeviceKind device, int device_index);

// Why this thread's latest launch() or prepare() returned false. Valid for the process.
std::string_view last_refusal();

}  // namespace tilewise::runtime
