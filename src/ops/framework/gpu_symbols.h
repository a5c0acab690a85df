// SPDX-License-Identifier: Apache-2.0
// What Tilewise needs of PyTorch's GPU libraries, which it does not link.
#pragma once

#include <c10/core/Device.h>

namespace tilewise::ops {

// A symbol of libtorch_cuda (libtorch_hip) or of a library that it links; nullptr if there is none.
void* find_gpu_symbol(const char* name);

// PyTorch's current stream on a GPU.
void* current_gpu_stream(c10::DeviceIndex device);

}  // namespace tilewise::ops
