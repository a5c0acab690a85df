# SPDX-License-Identifier: Apache-2.0
"""Fills a dense tensor with random numbers; counters as in common/philox.py, Note [Random number
layout].

`fill` draws 32 bits an element, `fill_wide` 64 for elements of 8 bytes and for wide ranges. What
DISTRIBUTION makes of them, with the parameters a and b (fp32; fp64 in `fill_wide`; int64 for
INTEGER):

    UNIFORM      [a, b)                              BERNOULLI  1 with probability a, else 0
    NORMAL       mean a, deviation b (Box-Muller)    GEOMETRIC  trials up to the first success;
    LOG_NORMAL   its exponential                                a = 1 / log(1 - probability)
    EXPONENTIAL  mean a                              INTEGER    a + {0, ..., b - 1}; b = 0: 2^64
    CAUCHY       median a, half width b
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.philox import (
    CHUNK,
    GROUPS,
    WIDE_CHUNK,
    draw,
    draw_wide,
    log_of_uniform,
    to_cauchy,
    to_normal_pair,
    to_positive_uniform,
    to_uniform,
)
from common.target import on_gpu

UNIFORM = tl.constexpr(0)
NORMAL = tl.constexpr(1)
LOG_NORMAL = tl.constexpr(2)
EXPONENTIAL = tl.constexpr(3)
CAUCHY = tl.constexpr(4)
BERNOULLI = tl.constexpr(5)
GEOMETRIC = tl.constexpr(6)
INTEGER = tl.constexpr(7)


@triton.jit
def _store_lane(out_ptr, start, count, value, is_inside):
    """`is_inside`: none of the tile is beyond the end, so that a GPU's stores are wide."""
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    value = value.to(out_ptr.dtype.element_ty)
    if on_gpu():
        if is_inside:
            tl.store(out_ptr + index, value)
        else:
            tl.store(out_ptr + index, value, mask=index < count)
    else:
        tl.store(out_ptr + index, value, mask=index < count)


@triton.jit
def _scale(bits, low, high, dtype: tl.constexpr):
    """[low, high): where rounding gives `high`, it becomes `low`, as on PyTorch's GPUs."""
    uniform = to_uniform(bits)
    value = (low + (high - low) * uniform).to(dtype).to(uniform.dtype)
    return tl.where(value >= high, low, value)


@triton.jit
def _below(bits, bound):
    """{0, ..., bound - 1}, the upper half of a product; bound 0 is 2^64. Of 32 bits for bounds up
    to 2^24: no outcome is more than 1 in 256 likelier than another.
    """
    if bits.dtype == tl.uint64:
        product = tl.umulhi(bits, tl.zeros_like(bits) + bound.to(tl.uint64))
        return tl.where(bound == 0, bits, product).to(tl.int64)
    else:
        return (bits.to(tl.int64) * bound) >> 32


@triton.jit
def _sample(bits, a, b, DISTRIBUTION: tl.constexpr, dtype: tl.constexpr):
    if DISTRIBUTION == UNIFORM:
        return _scale(bits, a, b, dtype)
    elif DISTRIBUTION == EXPONENTIAL:
        # Where rounding gives log(1), half a step below 1: the distribution has no 0.
        uniform = to_positive_uniform(bits)
        half_step: tl.constexpr = (
            1.1102230246251565e-16 if bits.dtype == tl.uint64 else 5.9604645e-8
        )
        return -a * tl.where(uniform >= 1 - half_step, -half_step, log_of_uniform(uniform))
    elif DISTRIBUTION == CAUCHY:
        return a + b * to_cauchy(bits)
    elif DISTRIBUTION == BERNOULLI:
        return to_uniform(bits) < a
    elif DISTRIBUTION == GEOMETRIC:
        return tl.maximum(tl.ceil(log_of_uniform(to_positive_uniform(bits)) * a), 1.0)
    else:
        return a + _below(bits, b)


@triton.jit
def _sample_pair(bits0, bits1, a, b, DISTRIBUTION: tl.constexpr, dtype: tl.constexpr):
    """For two lanes, since normals come in pairs."""
    if DISTRIBUTION == NORMAL or DISTRIBUTION == LOG_NORMAL:
        normal0, normal1 = to_normal_pair(bits0, bits1)
        value0 = a + b * normal0
        value1 = a + b * normal1
        if DISTRIBUTION == LOG_NORMAL:
            value0 = libdevice.exp(value0)
            value1 = libdevice.exp(value1)
        return value0, value1
    else:
        value0 = _sample(bits0, a, b, DISTRIBUTION, dtype)
        value1 = _sample(bits1, a, b, DISTRIBUTION, dtype)
        return value0, value1


@triton.jit
def fill(
    out_ptr, count, a, b, seed, offset, offset_in_graph, DISTRIBUTION: tl.constexpr,
    CHUNKS: tl.constexpr,
):  # fmt: skip
    """out [count]; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, offset_in_graph, chunk)
    start = chunk * CHUNK
    is_inside = (tl.program_id(0).to(tl.int64) + 1) * (CHUNKS * CHUNK) <= count
    dtype: tl.constexpr = out_ptr.dtype.element_ty
    value0, value1 = _sample_pair(bits0, bits1, a, b, DISTRIBUTION, dtype)
    value2, value3 = _sample_pair(bits2, bits3, a, b, DISTRIBUTION, dtype)
    _store_lane(out_ptr, start, count, value0, is_inside)
    _store_lane(out_ptr, start + GROUPS, count, value1, is_inside)
    _store_lane(out_ptr, start + 2 * GROUPS, count, value2, is_inside)
    _store_lane(out_ptr, start + 3 * GROUPS, count, value3, is_inside)


@triton.jit
def fill_wide(
    out_ptr, count, a, b, seed, offset, offset_in_graph, DISTRIBUTION: tl.constexpr,
    CHUNKS: tl.constexpr,
):  # fmt: skip
    """out [count]; grid cdiv(count, CHUNKS * 512)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1 = draw_wide(seed, offset, offset_in_graph, chunk)
    start = chunk * WIDE_CHUNK
    is_inside = (tl.program_id(0).to(tl.int64) + 1) * (CHUNKS * WIDE_CHUNK) <= count
    dtype: tl.constexpr = out_ptr.dtype.element_ty
    value0, value1 = _sample_pair(bits0, bits1, a, b, DISTRIBUTION, dtype)
    _store_lane(out_ptr, start, count, value0, is_inside)
    _store_lane(out_ptr, start + GROUPS, count, value1, is_inside)


@triton.jit
def _choose_lane(out_ptr, p_ptr, start, count, bits):
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    p = tl.load(p_ptr + index, mask=index < count, other=0.0).to(tl.float32)
    tl.store(out_ptr + index, (to_uniform(bits) < p).to(out_ptr.dtype.element_ty), index < count)


@triton.jit
def bernoulli(out_ptr, p_ptr, count, seed, offset, offset_in_graph, CHUNKS: tl.constexpr):
    """1 with the probability at the same place of p, else 0: out, p [count], dense; grid
    cdiv(count, CHUNKS * 1024).
    """
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, offset_in_graph, chunk)
    start = chunk * CHUNK
    _choose_lane(out_ptr, p_ptr, start, count, bits0)
    _choose_lane(out_ptr, p_ptr, start + GROUPS, count, bits1)
    _choose_lane(out_ptr, p_ptr, start + 2 * GROUPS, count, bits2)
    _choose_lane(out_ptr, p_ptr, start + 3 * GROUPS, count, bits3)
