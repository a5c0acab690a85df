# SPDX-License-Identifier: Apache-2.0
"""Philox 4x32-10 random numbers in one layout for every backend.

Note [Random number layout]
The 64-bit seed is the key. Element i of an output draws from

    counter = offset / 4 + (i / 1024) * 256 + i % 256      (64 bits: words 0 and 1)
    word 2  = 0, word 3 = 1
    lane    = (i / 256) % 4                                (which of the four 32-bit results)

so a chunk of 1024 elements takes 256 counters and each lane fills 256 neighboring elements: vector
loads and stores without a shuffle on every backend, whatever the tile size. Elements of 8 bytes
draw 64 bits: two lanes, the first is the upper half, in chunks of 512 elements. An output that
draws n numbers of 32 bits uses up 1024 * ceil(n / 1024) of the generator's offset, a multiple of 4
as PyTorch requires. Word 3 = 1 keeps the stream apart from those of PyTorch's own kernels under the
same seed, which count threads in words 2 and 3.

While a graph is captured, seed and offset are pointers, and a third number is added to the offset;
else that is None.
"""

import triton
import triton.language as tl

CHUNK = tl.constexpr(1024)
WIDE_CHUNK = tl.constexpr(512)
GROUPS = tl.constexpr(256)


@triton.jit
def draw(seed, offset, offset_in_graph, chunk):
    """Four uint32 tiles [CHUNKS, 256]: draws of the elements chunk * 1024 + lane * 256 + (0..255).

    chunk: int64 [CHUNKS], chunk numbers.
    """
    if offset_in_graph is not None:
        seed = tl.load(seed)
        offset = tl.load(offset) + offset_in_graph
    counter = (offset >> 2) + (chunk * GROUPS)[:, None] + tl.arange(0, GROUPS)[None, :]
    low = (counter & 0xFFFFFFFF).to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    zero = tl.zeros_like(low)
    return tl.philox(seed, low, high, zero, zero + 1)


@triton.jit
def draw_wide(seed, offset, offset_in_graph, chunk):
    """Two uint64 tiles [CHUNKS, 256]: draws of the elements chunk * 512 + lane * 256 + (0..255)."""
    bits0, bits1, bits2, bits3 = draw(seed, offset, offset_in_graph, chunk)
    first = (bits0.to(tl.uint64) << 32) | bits1.to(tl.uint64)
    second = (bits2.to(tl.uint64) << 32) | bits3.to(tl.uint64)
    return first, second


@triton.jit
def to_uniform(bits):
    """[0, 1) in steps of 2^-24, from 64 bits in steps of 2^-53: every value is exact."""
    if bits.dtype == tl.uint64:
        return (bits >> 11).to(tl.int64).to(tl.float64) * 1.1102230246251565e-16
    else:
        return (bits >> 8).to(tl.int32).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def to_positive_uniform(bits):
    """(0, 1], never 0, for logarithms: the smallest is 2^-33 (2^-54), to reach far into a tail."""
    if bits.dtype == tl.uint64:
        return ((bits >> 11).to(tl.int64).to(tl.float64) + 0.5) * 1.1102230246251565e-16
    else:
        return bits.to(tl.float32) * 2.3283064365386963e-10 + 1.1641532182693481e-10


@triton.jit
def to_normal_pair(bits0, bits1):
    """Two independent standard normals by Box-Muller."""
    radius = tl.sqrt(-2.0 * tl.log(to_positive_uniform(bits0)))
    angle = 6.283185307179586 * to_uniform(bits1)
    return radius * tl.cos(angle), radius * tl.sin(angle)
