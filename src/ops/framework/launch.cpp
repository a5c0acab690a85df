// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/launch.h"

#include "dispatch/refusal.h"
#include "ops/framework/gpu_symbols.h"
#include "runtime/launcher.h"

namespace tilewise::ops {

void launch_packed(const Kernel& kernel, const runtime::ArgumentPack& arguments,
                   const LaunchOptions& options, Grid grid, c10::Device device) {
  bool launched;
  if (device.is_cpu()) {
    launched =
        runtime::launch(kernel, arguments, options, grid, runtime::DeviceKind::cpu, 0, nullptr);
  } else {
    launched = runtime::launch(kernel, arguments, options, grid, runtime::DeviceKind::cuda,
                               device.index(), current_gpu_stream(device.index()));
  }
  if (!launched) throw dispatch::Refusal{runtime::last_refusal().data()};
}

}  // namespace tilewise::ops
