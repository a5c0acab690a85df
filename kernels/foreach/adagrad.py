# SPDX-License-Identifier: Apache-2.0
"""Adagrad (Duchi et al. 2011), as torch.optim.Adagrad has it.

Table: common/tensor_table.py, Note [Tensor table]; columns parameter, gradient, sum of squares and
the step count, an fp32 number of its own for each tensor.
"""

import triton
import triton.language as tl

from common.tensor_table import address, find_chunk
from foreach.optimizer_step import end_of_chunk, load_block, load_gradient, store_block
from pointwise.arithmetic import quotient, square_root


@triton.jit
def _update(
    param_ptr, grad_ptr, sum_ptr, index, last, step_size, weight_decay, eps, grad_scale_ptr,
    ACC: tl.constexpr, DECAYS: tl.constexpr, MAXIMIZE: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    param = load_block(param_ptr, index, last, ACC, MASKED)
    total = load_block(sum_ptr, index, last, ACC, MASKED)
    grad = load_gradient(grad_ptr, index, last, grad_scale_ptr, ACC, MASKED)
    if MAXIMIZE:
        grad = -grad
    if DECAYS:
        grad += param * weight_decay
    total += grad * grad
    store_block(sum_ptr, index, last, total, MASKED)
    param -= quotient(step_size * grad, square_root(total) + eps)
    store_block(param_ptr, index, last, param, MASKED)


@triton.jit
def adagrad(
    table_ptr, chunk_map_ptr, chunk, lr, lr_ptr, lr_decay, weight_decay, eps, grad_scale_ptr,
    found_inf_ptr, DTYPE: tl.constexpr, ACC: tl.constexpr, ALIGNED: tl.constexpr,
    BLOCK: tl.constexpr, DECAYS: tl.constexpr, MAXIMIZE: tl.constexpr,
):  # fmt: skip
    """Grid number of chunks; lr_ptr: an fp32 learning rate in memory, else None."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, chunk, 7)
    last = end_of_chunk(first, last, found_inf_ptr)
    if lr_ptr is not None:
        lr = tl.load(lr_ptr).to(ACC)
    step = tl.load(address(row_ptr, 6, tl.float32, False)).to(ACC)
    step_size = quotient(lr, 1 + (step - 1) * lr_decay)
    param_ptr = address(row_ptr, 3, DTYPE, ALIGNED)
    grad_ptr = address(row_ptr, 4, DTYPE, ALIGNED)
    sum_ptr = address(row_ptr, 5, DTYPE, ALIGNED)
    full = first + (last - first) // BLOCK * BLOCK
    for start in range(first, full, BLOCK):
        _update(
            param_ptr, grad_ptr, sum_ptr, start + tl.arange(0, BLOCK), last, step_size,
            weight_decay, eps, grad_scale_ptr, ACC, DECAYS, MAXIMIZE, False,
        )  # fmt: skip
    for start in range(full, last, BLOCK):
        _update(
            param_ptr, grad_ptr, sum_ptr, start + tl.arange(0, BLOCK), last, step_size,
            weight_decay, eps, grad_scale_ptr, ACC, DECAYS, MAXIMIZE, True,
        )  # fmt: skip
