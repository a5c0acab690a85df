# SPDX-License-Identifier: Apache-2.0
"""Adam and AdamW (decoupled weight decay): Kingma & Ba 2015, Loshchilov & Hutter 2019; AMSGrad:
Reddi et al. 2018.

Table: common/tensor_table.py, Note [Tensor table]; columns parameter, gradient, first and second
moment, with AMSGRAD the largest second moment, and the step count, an fp32 number of its own for
each tensor that is at least 1. Traffic of fp32: 16 bytes read and 12 written per element.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.tensor_table import address, find_chunk
from foreach.optimizer_step import end_of_chunk, load_block, load_gradient, store_block
from pointwise.arithmetic import maximum, quotient, square_root


@triton.jit
def _update(
    param_ptr, grad_ptr, first_ptr, second_ptr, largest_ptr, index, last, step_size, kept_weight,
    weight_decay, eps, complement1, beta2, complement2, inverse_root2, grad_scale_ptr,
    ACC: tl.constexpr, DECOUPLED: tl.constexpr, DECAYS: tl.constexpr, AMSGRAD: tl.constexpr,
    MAXIMIZE: tl.constexpr, MASKED: tl.constexpr,
):  # fmt: skip
    param = load_block(param_ptr, index, last, ACC, MASKED)
    first = load_block(first_ptr, index, last, ACC, MASKED)
    second = load_block(second_ptr, index, last, ACC, MASKED)
    grad = load_gradient(grad_ptr, index, last, grad_scale_ptr, ACC, MASKED)
    if MAXIMIZE:
        grad = -grad
    if DECAYS:
        if DECOUPLED:
            param = param * kept_weight
        else:
            grad += param * weight_decay
    first += (grad - first) * complement1
    second = second * beta2 + complement2 * grad * grad
    store_block(first_ptr, index, last, first, MASKED)
    store_block(second_ptr, index, last, second, MASKED)
    if AMSGRAD:
        second = maximum(load_block(largest_ptr, index, last, ACC, MASKED), second)
        store_block(largest_ptr, index, last, second, MASKED)
    param -= quotient(step_size * first, square_root(second) * inverse_root2 + eps)
    store_block(param_ptr, index, last, param, MASKED)


@triton.jit
def adam(
    table_ptr, chunk_map_ptr, chunk, lr, lr_ptr, weight_decay, eps, complement1, beta2, complement2,
    log_beta1, log_beta2, grad_scale_ptr, found_inf_ptr, DTYPE: tl.constexpr, ACC: tl.constexpr,
    ALIGNED: tl.constexpr, BLOCK: tl.constexpr, DECOUPLED: tl.constexpr, DECAYS: tl.constexpr,
    AMSGRAD: tl.constexpr, MAXIMIZE: tl.constexpr,
):  # fmt: skip
    """Grid number of chunks. lr_ptr: an fp32 learning rate in memory, else None. complement1 is
    1 - beta1, which the host subtracts in fp64: in fp32, 1 - 0.999 is off by 5e-5 of itself.
    """
    columns: tl.constexpr = 9 if AMSGRAD else 8
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, chunk, columns)
    last = end_of_chunk(first, last, found_inf_ptr)
    if lr_ptr is not None:
        lr = tl.load(lr_ptr).to(ACC)
    step = tl.load(address(row_ptr, columns - 1, tl.float32, False)).to(ACC)
    # 1 - beta^step without the cancellation
    step_size = quotient(lr, -libdevice.expm1(step * log_beta1))
    correction2 = -libdevice.expm1(step * log_beta2)
    inverse_root2 = quotient(correction2 * 0 + 1, square_root(correction2))
    kept_weight = 1 - lr * weight_decay
    param_ptr = address(row_ptr, 3, DTYPE, ALIGNED)
    grad_ptr = address(row_ptr, 4, DTYPE, ALIGNED)
    first_ptr = address(row_ptr, 5, DTYPE, ALIGNED)
    second_ptr = address(row_ptr, 6, DTYPE, ALIGNED)
    largest_ptr = address(row_ptr, 7, DTYPE, ALIGNED)
    # Full blocks need no mask, whatever the sizes of the tensors.
    full = first + (last - first) // BLOCK * BLOCK
    for start in range(first, full, BLOCK):
        _update(
            param_ptr, grad_ptr, first_ptr, second_ptr, largest_ptr, start + tl.arange(0, BLOCK),
            last, step_size, kept_weight, weight_decay, eps, complement1, beta2, complement2,
            inverse_root2, grad_scale_ptr, ACC, DECOUPLED, DECAYS, AMSGRAD, MAXIMIZE, False,
        )  # fmt: skip
    for start in range(full, last, BLOCK):
        _update(
            param_ptr, grad_ptr, first_ptr, second_ptr, largest_ptr, start + tl.arange(0, BLOCK),
            last, step_size, kept_weight, weight_decay, eps, complement1, beta2, complement2,
            inverse_root2, grad_scale_ptr, ACC, DECOUPLED, DECAYS, AMSGRAD, MAXIMIZE, True,
        )  # fmt: skip
