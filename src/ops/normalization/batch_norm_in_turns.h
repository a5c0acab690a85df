// SPDX-License-Identifier: Apache-2.0
// Batch norm in training that reads memory once: kernels/normalization/batch_norm_in_turns.py.
#pragma once

#include "ops/normalization/channel_norm.h"

namespace tilewise::ops::channel_norm {

// Strides of a tensor [images, channels, pixels].
struct View {
  int64_t image, channel, pixel;
};

// Where channels are neighbors, images and pixels are rows: images, of one pixel each.
struct Extent {
  int64_t images, channels, pixels;
};

// False if it was no case for it: CPUs, small tensors, channels of too many elements, or neither
// channels nor pixels that are neighbors.
bool normalize_in_turns(const Tensor& x, const Extent& extent, const View& x_view,
                        const Parameters& parameters, const Tensor& out, const View& out_view,
                        const Tensor& save_mean, const Tensor& save_rstd);

// All gradients that are defined; the input's is. `mean` and `rstd` were saved.
bool gradients_in_turns(const Tensor& grad, const View& grad_view, const Tensor& x,
                        const Extent& extent, const View& x_view, const Tensor& weight,
                        const Tensor& mean, const Tensor& rstd, const Gradients& gradients,
                        const View& out_view);

}  // namespace tilewise::ops::channel_norm
