# SPDX-License-Identifier: Apache-2.0
"""dropout(gelu(x + y)) and its derivative by x + y, over dense tensors.

Element i is kept where its uniform draw is < keep_probability; counters as in common/philox.py,
Note [Random number layout], with i the element's position in memory. So the mask is drawn again in
backward instead of being stored: forward reads x and y and writes out, backward reads grad, x and y
and writes one gradient. y has `period` elements, which repeat over x (a bias: the last dimension),
is of x's size (period None: a residual), or is None.
"""

import triton
import triton.language as tl

from common.philox import CHUNK, GROUPS, draw, to_uniform
from pointwise.activation import gelu, gelu_backward


@triton.jit
def _sum(x_ptr, y_ptr, start, index, inside, period, WRAPS_ONCE: tl.constexpr, ACC: tl.constexpr):
    x = tl.load(x_ptr + index, mask=inside, other=0.0).to(ACC)
    if y_ptr is None:
        return x
    if period is None:
        position = index
    else:
        # One division a group, not one an element: a group of neighbors passes the end of y at
        # most once unless y is shorter than a group.
        position = ((start % period)[:, None] + tl.arange(0, GROUPS)[None, :]).to(tl.int32)
        if WRAPS_ONCE:
            position = tl.where(position >= period, position - period, position)
        else:
            position = position % period
    return x + tl.load(y_ptr + position, mask=inside, other=0.0).to(ACC)


@triton.jit
def _gelu(x, TANH: tl.constexpr):
    if TANH:
        return gelu(x, "tanh")
    else:
        return gelu(x, "none")


@triton.jit
def _gelu_backward(grad, x, TANH: tl.constexpr):
    if TANH:
        return gelu_backward(grad, x, "tanh")
    else:
        return gelu_backward(grad, x, "none")


@triton.jit
def _forward_lane(
    x_ptr, y_ptr, out_ptr, start, count, period, keep_probability, scale, bits,
    TANH: tl.constexpr, WRAPS_ONCE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    inside = index < count
    value = _gelu(_sum(x_ptr, y_ptr, start, index, inside, period, WRAPS_ONCE, ACC), TANH)
    out = tl.where(to_uniform(bits) < keep_probability, value * scale, 0.0)
    tl.store(out_ptr + index, out.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _backward_lane(
    grad_ptr, x_ptr, y_ptr, out_ptr, start, count, period, keep_probability, scale, bits,
    TANH: tl.constexpr, WRAPS_ONCE: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    inside = index < count
    grad = tl.load(grad_ptr + index, mask=inside, other=0.0).to(ACC)
    x = _sum(x_ptr, y_ptr, start, index, inside, period, WRAPS_ONCE, ACC)
    value = _gelu_backward(grad * scale, x, TANH)
    out = tl.where(to_uniform(bits) < keep_probability, value, 0.0)
    tl.store(out_ptr + index, out.to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def gelu_dropout(
    x_ptr, y_ptr, out_ptr, count, period, keep_probability, scale, seed, offset,
    offset_in_graph, TANH: tl.constexpr, WRAPS_ONCE: tl.constexpr, ACC: tl.constexpr,
    CHUNKS: tl.constexpr,
):  # fmt: skip
    """out [count]; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits = draw(seed, offset, offset_in_graph, chunk)
    for lane in tl.static_range(4):
        _forward_lane(
            x_ptr, y_ptr, out_ptr, chunk * CHUNK + lane * GROUPS, count, period,
            keep_probability, scale, bits[lane], TANH, WRAPS_ONCE, ACC,
        )  # fmt: skip


@triton.jit
def gelu_dropout_backward(
    grad_ptr, x_ptr, y_ptr, out_ptr, count, period, keep_probability, scale, seed, offset,
    offset_in_graph, TANH: tl.constexpr, WRAPS_ONCE: tl.constexpr, ACC: tl.constexpr,
    CHUNKS: tl.constexpr,
):  # fmt: skip
    """out [count], the gradient of x + y; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits = draw(seed, offset, offset_in_graph, chunk)
    for lane in tl.static_range(4):
        _backward_lane(
            grad_ptr, x_ptr, y_ptr, out_ptr, chunk * CHUNK + lane * GROUPS, count, period,
            keep_probability, scale, bits[lane], TANH, WRAPS_ONCE, ACC,
        )  # fmt: skip
