// SPDX-License-Identifier: Apache-2.0
// Batch norm in training that reads memory once: kernels/normalization/batch_norm_in_turns.py.
#pragma once

#include "ops/normalization/channel_norm.h"

namespace tilewise::ops::channel_norm {

// [rows, channels] whose channels are neighbors.
struct NeighboringChannels {
  const Tensor& tensor;
  int64_t rows;
  int64_t channels;
  int64_t stride;  // between rows
};

// False if it was no case for it: CPUs, small tensors, too many rows.
bool normalize_in_turns(const NeighboringChannels& x, const Parameters& parameters,
                        const Tensor& out, int64_t out_stride, const Tensor& save_mean,
                        const Tensor& save_rstd);

// All gradients that are defined; the input's is. `mean` and `rstd` were saved.
bool gradients_in_turns(const Tensor& grad, int64_t grad_stride, const NeighboringChannels& x,
                        const Tensor& weight, const Tensor& mean, const Tensor& rstd,
                        const Gradients& gradients, int64_t out_stride);

}  // namespace tilewise::ops::channel_norm
