# SPDX-License-Identifier: Apache-2.0
"""What the fused optimizer kernels share: blocks of a chunk, gradient scaling, skipped steps.

Each optimizer step is one pass over its arrays: read parameter, gradient and state, write parameter
and state (and the gradient, if it was unscaled). `found_inf_ptr` and `grad_scale_ptr` are single
fp32 numbers in device memory, read here so that nobody waits for the device; None where absent.
"""

import triton
import triton.language as tl

from pointwise.arithmetic import quotient


@triton.jit
def end_of_chunk(first, last, found_inf_ptr):
    """`last`, or `first` where an infinite gradient was found: the step is skipped."""
    if found_inf_ptr is not None:
        last = tl.where(tl.load(found_inf_ptr) == 1, first, last)
    return last


@triton.jit
def load_block(ptr, index, last, ACC: tl.constexpr, MASKED: tl.constexpr):
    if MASKED:
        return tl.load(ptr + index, mask=index < last).to(ACC)
    else:
        return tl.load(ptr + index).to(ACC)


@triton.jit
def store_block(ptr, index, last, value, MASKED: tl.constexpr):
    value = value.to(ptr.dtype.element_ty)
    if MASKED:
        tl.store(ptr + index, value, mask=index < last)
    else:
        tl.store(ptr + index, value)


@triton.jit
def load_gradient(ptr, index, last, grad_scale_ptr, ACC: tl.constexpr, MASKED: tl.constexpr):
    """The gradient, unscaled also in memory if there is a scale."""
    gradient = load_block(ptr, index, last, ACC, MASKED)
    if grad_scale_ptr is not None:
        scale = tl.load(grad_scale_ptr).to(ACC)
        gradient = quotient(gradient, tl.zeros_like(gradient) + scale)
        store_block(ptr, index, last, gradient, MASKED)
    return gradient
