// SPDX-License-Identifier: Apache-2.0
#include "ops/framework/gpu_symbols.h"

#include <c10/util/Exception.h>
#include <dlfcn.h>

#include <cstdint>

namespace tilewise::ops {

// Python loads PyTorch's libraries with local symbols, so each is asked by its name; RTLD_NOLOAD
// finds only what is loaded already.
void* find_gpu_symbol(const char* name) {
  for (const char* library : {"libtorch_cuda.so", "libtorch_hip.so"})
    if (void* handle = dlopen(library, RTLD_LAZY | RTLD_NOLOAD))
      if (void* symbol = dlsym(handle, name)) return symbol;
  return nullptr;
}

void* current_gpu_stream(c10::DeviceIndex device) {
  // Part of libtorch_cuda's stable C ABI.
  using GetStream = int32_t (*)(int32_t, void**);
  static const auto get_stream =
      reinterpret_cast<GetStream>(find_gpu_symbol("aoti_torch_get_current_cuda_stream"));
  TORCH_INTERNAL_ASSERT(get_stream != nullptr, "tilewise: libtorch_cuda is not loaded");
  void* stream = nullptr;
  TORCH_INTERNAL_ASSERT(get_stream(device, &stream) == 0, "tilewise: no current stream");
  return stream;
}

}  // namespace tilewise::ops
