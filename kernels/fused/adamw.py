# SPDX-License-Identifier: Apache-2.0
"""One step of AdamW (Loshchilov & Hutter 2019) for one element; floats.

Reads four tensors and writes three, in place. Operations and their order are those of
torch.optim.AdamW without amsgrad; `decay` is 1 - lr * weight_decay, `step_size` lr / (1 - beta1^t),
`correction` sqrt(1 - beta2^t).
"""

import triton

from fused.primitives import divide, sqrt


@triton.jit
def adamw_step(
    param, grad, exp_avg, exp_avg_sq, decay, beta1, beta2, step_size, correction, eps
):  # fmt: skip
    exp_avg = exp_avg + (1 - beta1) * (grad - exp_avg)
    exp_avg_sq = beta2 * exp_avg_sq + (1 - beta2) * grad * grad
    denominator = divide(sqrt(exp_avg_sq), correction) + eps
    return param * decay - step_size * divide(exp_avg, denominator), exp_avg, exp_avg_sq
