// SPDX-License-Identifier: Apache-2.0
#include "backends/gpu_common/gpu_backend.h"
#include "backends/hip/driver_api.h"

namespace tilewise::backends {
namespace {

[[maybe_unused]] const bool kRegistered = [] {
  runtime::register_backend(runtime::DeviceKind::hip, new GpuBackend<HipApi>);
  return true;
}();

}  // namespace
}  // namespace tilewise::backends
