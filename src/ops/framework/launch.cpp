// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/launch.h"

#include <dlfcn.h>

#include "dispatch/refusal.h"
#include "runtime/launcher.h"

namespace tilewise::ops {
namespace {

using GetStream = int32_t (*)(int32_t, void**);

// Python loads PyTorch's libraries with local symbols, so each is asked by its name; RTLD_NOLOAD
// finds only what is loaded already.
GetStream find_get_stream() {
  for (const char* library : {"libtorch_cuda.so", "libtorch_hip.so"}) {
    if (void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD)) {
      if (void* symbol = dlsym(handle, "aoti_torch_get_current_cuda_stream"))
        return reinterpret_cast<GetStream>(symbol);
    }
  }
  return nullptr;
}

// PyTorch's current stream on a GPU. The function is part of libtorch_cuda's stable C ABI; it is
// looked up because Tilewise does not link CUDA.
void* current_gpu_stream(c10::DeviceIndex device) {
  static const GetStream get_stream = find_get_stream();
  TORCH_INTERNAL_ASSERT(get_stream != nullptr, "tilewise: libtorch_cuda is not loaded");
  void* stream = nullptr;
  TORCH_INTERNAL_ASSERT(get_stream(device, &stream) == 0, "tilewise: no current stream");
  return stream;
}

}  // namespace

void launch_packed(const Kernel& kernel, const runtime::ArgumentPack& arguments,
                   const LaunchOptions& options, Grid grid, c10::Device device) {
  bool launched;
  if (device.is_cpu()) {
    launched = runtime::launch(kernel, arguments, options, grid, runtime::DeviceKind::cpu, 0, nullptr);
  } else {
    launched = runtime::launch(kernel, arguments, options, grid, runtime::DeviceKind::cuda,
                               device.index(), current_gpu_stream(device.index()));
  }
  if (!launched) throw dispatch::Refusal{runtime::last_refusal().data()};
}

}  // namespace tilewise::ops
