# SPDX-License-Identifier: Apache-2.0
"""Stochastic gradient descent with momentum (Sutskever et al. 2013), as torch.optim.SGD has it.

Table: common/tensor_table.py, Note [Tensor table]; columns parameter, gradient, and the momentum
buffer if MOMENTUM, which the FIRST step fills.
"""

import triton
import triton.language as tl

from common.tensor_table import address, find_chunk
from foreach.optimizer_step import end_of_chunk, load_block, load_gradient, store_block


@triton.jit
def _update(
    param_ptr, grad_ptr, buffer_ptr, index, last, lr, weight_decay, momentum, kept_gradient,
    grad_scale_ptr, ACC: tl.constexpr, MOMENTUM: tl.constexpr, NESTEROV: tl.constexpr,
    FIRST: tl.constexpr, DECAYS: tl.constexpr, MAXIMIZE: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    param = load_block(param_ptr, index, last, ACC, MASKED)
    grad = load_gradient(grad_ptr, index, last, grad_scale_ptr, ACC, MASKED)
    if MAXIMIZE:
        grad = -grad
    if DECAYS:
        grad += param * weight_decay
    if MOMENTUM:
        buffer = grad
        if not FIRST:
            previous = load_block(buffer_ptr, index, last, ACC, MASKED)
            buffer = momentum * previous + kept_gradient * grad
        store_block(buffer_ptr, index, last, buffer, MASKED)
        if NESTEROV:
            grad += momentum * buffer
        else:
            grad = buffer
    store_block(param_ptr, index, last, param - lr * grad, MASKED)


@triton.jit
def sgd(
    table_ptr, chunk_map_ptr, chunk, lr, lr_ptr, weight_decay, momentum, kept_gradient,
    grad_scale_ptr, found_inf_ptr, DTYPE: tl.constexpr, ACC: tl.constexpr, ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr, MOMENTUM: tl.constexpr, NESTEROV: tl.constexpr, FIRST: tl.constexpr,
    DECAYS: tl.constexpr, MAXIMIZE: tl.constexpr,
):  # fmt: skip
    """Grid number of chunks; lr_ptr: an fp32 learning rate in memory, else None; kept_gradient:
    1 - dampening.
    """
    columns: tl.constexpr = 6 if MOMENTUM else 5
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, chunk, columns)
    last = end_of_chunk(first, last, found_inf_ptr)
    if lr_ptr is not None:
        lr = tl.load(lr_ptr).to(ACC)
    param_ptr = address(row_ptr, 3, DTYPE, ALIGNED)
    grad_ptr = address(row_ptr, 4, DTYPE, ALIGNED)
    buffer_ptr = address(row_ptr, 3 if not MOMENTUM else 5, DTYPE, ALIGNED)
    full = first + (last - first) // BLOCK * BLOCK
    for start in range(first, full, BLOCK):
        _update(
            param_ptr, grad_ptr, buffer_ptr, start + tl.arange(0, BLOCK), last, lr, weight_decay,
            momentum, kept_gradient, grad_scale_ptr, ACC, MOMENTUM, NESTEROV, FIRST, DECAYS,
            MAXIMIZE, False,
        )  # fmt: skip
    for start in range(full, last, BLOCK):
        _update(
            param_ptr, grad_ptr, buffer_ptr, start + tl.arange(0, BLOCK), last, lr, weight_decay,
            momentum, kept_gradient, grad_scale_ptr, ACC, MOMENTUM, NESTEROV, FIRST, DECAYS,
            MAXIMIZE, True,
        )  # fmt: skip
