// SPDX-License-Identifier: Apache-2.0
#include "backends/cuda/driver_api.h"
#include "backends/gpu_common/gpu_backend.h"

namespace tilewise::backends {
namespace {

[[maybe_unused]] const bool kRegistered = [] {
  runtime::register_backend(runtime::DeviceKind::cuda, new GpuBackend<CudaApi>);
  return true;
}();

}  // namespace
}  // namespace tilewise::backends
