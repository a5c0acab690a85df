# SPDX-License-Identifier: Apache-2.0
"""Fills a dense tensor with random numbers; counters as in common/philox.py, Note [Random number
layout].

`uniform`: [low, high) with 24 random bits. `normal`: Box-Muller, lanes 0 and 1 give the elements of
lanes 0 and 1, lanes 2 and 3 those of 2 and 3.
"""

import triton
import triton.language as tl

from common.philox import CHUNK, GROUPS, draw, to_normal_pair, to_uniform


@triton.jit
def _store_lane(out_ptr, start, count, value):
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    tl.store(out_ptr + index, value.to(out_ptr.dtype.element_ty), mask=index < count)


@triton.jit
def _scale(bits, low, high, dtype: tl.constexpr):
    """[low, high): where rounding gives `high`, it becomes `low`, as on PyTorch's GPUs."""
    value = (low + (high - low) * to_uniform(bits)).to(dtype)
    return tl.where(value.to(tl.float32) >= high, low, value.to(tl.float32))


@triton.jit
def uniform(out_ptr, count, low, high, seed, offset, CHUNKS: tl.constexpr):
    """out [count]; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, chunk)
    start = chunk * CHUNK
    dtype: tl.constexpr = out_ptr.dtype.element_ty
    _store_lane(out_ptr, start, count, _scale(bits0, low, high, dtype))
    _store_lane(out_ptr, start + GROUPS, count, _scale(bits1, low, high, dtype))
    _store_lane(out_ptr, start + 2 * GROUPS, count, _scale(bits2, low, high, dtype))
    _store_lane(out_ptr, start + 3 * GROUPS, count, _scale(bits3, low, high, dtype))


@triton.jit
def normal(out_ptr, count, mean, std, seed, offset, CHUNKS: tl.constexpr):
    """out [count]; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, chunk)
    start = chunk * CHUNK
    normal0, normal1 = to_normal_pair(bits0, bits1)
    normal2, normal3 = to_normal_pair(bits2, bits3)
    _store_lane(out_ptr, start, count, mean + std * normal0)
    _store_lane(out_ptr, start + GROUPS, count, mean + std * normal1)
    _store_lane(out_ptr, start + 2 * GROUPS, count, mean + std * normal2)
    _store_lane(out_ptr, start + 3 * GROUPS, count, mean + std * normal3)


@triton.jit
def bernoulli(out_ptr, count, probability, seed, offset, CHUNKS: tl.constexpr):
    """out [count], 1 with `probability`, else 0; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, chunk)
    start = chunk * CHUNK
    _store_lane(out_ptr, start, count, to_uniform(bits0) < probability)
    _store_lane(out_ptr, start + GROUPS, count, to_uniform(bits1) < probability)
    _store_lane(out_ptr, start + 2 * GROUPS, count, to_uniform(bits2) < probability)
    _store_lane(out_ptr, start + 3 * GROUPS, count, to_uniform(bits3) < probability)
