// SPDX-License-Identifier: Apache-2.0
#include "runtime/backend.h"

#include <atomic>

namespace tilewise::runtime {
namespace {

// Constant-initialized, so that backends may register themselves before main().
std::atomic<Backend*> backends[kDeviceKinds];

}  // namespace

void register_backend(DeviceKind kind, Backend* backend) {
  backends[static_cast<int>(kind)].store(backend, std::memory_order_release);
}

Backend* find_backend(DeviceKind kind) {
  return backends[static_cast<int>(kind)].load(std::memory_order_acquire);
}

}  // namespace tilewise::runtime
