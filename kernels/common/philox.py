# SPDX-License-Identifier: Apache-2.0
"""Philox 4x32-10 random numbers in one layout for every backend.

Note [Random number layout]
The 64-bit seed is the key. Element i of an output draws from

    counter = offset / 4 + (i / 1024) * 256 + i % 256      (64 bits: words 0 and 1)
    word 2  = 0, word 3 = 1
    lane    = (i / 256) % 4                                (which of the four 32-bit results)

so a chunk of 1024 elements takes 256 counters and each lane fills 256 neighboring elements: vector
loads and stores without a shuffle on every backend, whatever the tile size. An output of n elements
uses up 1024 * ceil(n / 1024) of the generator's offset, a multiple of 4 as PyTorch requires. Word 3
= 1 keeps the stream apart from those of PyTorch's own kernels under the same seed, which count
threads in words 2 and 3. Floats take the upper 24 bits of a draw.
"""

import triton
import triton.language as tl

CHUNK = tl.constexpr(1024)
GROUPS = tl.constexpr(256)


@triton.jit
def draw(seed, offset, chunk):
    """Four uint32 tiles [CHUNKS, 256]: draws of the elements chunk * 1024 + lane * 256 + (0..255).

    chunk: int64 [CHUNKS], chunk numbers.
    """
    counter = (offset >> 2) + (chunk * GROUPS)[:, None] + tl.arange(0, GROUPS)[None, :]
    low = (counter & 0xFFFFFFFF).to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    zero = tl.zeros_like(low)
    return tl.philox(seed, low, high, zero, zero + 1)


@triton.jit
def to_uniform(bits):
    """[0, 1) in steps of 2^-24."""
    return (bits >> 8).to(tl.float32) * 5.9604644775390625e-08


@triton.jit
def to_normal_pair(bits0, bits1):
    """Two independent standard normals by Box-Muller; the first uniform is in (0, 1], so log is
    finite.
    """
    radius = tl.sqrt(-2.0 * tl.log(((bits0 >> 8) + 1).to(tl.float32) * 5.9604644775390625e-08))
    angle = 6.283185307179586 * to_uniform(bits1)
    return radius * tl.cos(angle), radius * tl.sin(angle)
