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

from common.target import on_gpu

CHUNK = tl.constexpr(1024)
WIDE_CHUNK = tl.constexpr(512)
GROUPS = tl.constexpr(256)


@triton.jit
def philox(seed, c0, c1, c2, c3):
    """tl.philox with both halves of a product from one multiplication, which on GPUs is one
    instruction instead of two; CPUs have vector code for the halves."""
    if on_gpu():
        key = seed.to(tl.uint64)
        k0 = key.to(tl.uint32)
        k1 = (key >> 32).to(tl.uint32)
        for _ in tl.static_range(10):
            first = c0.to(tl.uint64) * 0xD2511F53
            second = c2.to(tl.uint64) * 0xCD9E8D57
            c0 = (second >> 32).to(tl.uint32) ^ c1 ^ k0
            c2 = (first >> 32).to(tl.uint32) ^ c3 ^ k1
            c1 = second.to(tl.uint32)
            c3 = first.to(tl.uint32)
            k0 += 0x9E3779B9
            k1 += 0xBB67AE85
        return c0, c1, c2, c3
    else:
        return tl.philox(seed, c0, c1, c2, c3)


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
    return philox(seed, low, high, zero, zero + 1)


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
def log_of_uniform(u):
    """log(u) of `to_positive_uniform`: an exponent and the logarithm of a factor of [2/3, 4/3), by
    a minimax fit with an error of 2.6e-8. The same on every device, and half of libdevice's
    instructions, which serve denormals, infinity and NaN as well."""
    if u.dtype == tl.float64:
        return tl.log(u)
    else:
        bits = u.to(tl.int32, bitcast=True)
        exponent = (bits - 0x3F2AAAAB) & -0x800000
        t = (bits - exponent).to(tl.float32, bitcast=True) - 1
        y = 0.140561079 * t - 0.154032184
        y = y * t + 0.139876527
        y = y * t - 0.164127877
        y = y * t + 0.200119442
        y = y * t - 0.250080274
        y = y * t + 0.333331687
        y = y * t - 0.499999321
        y = (y * t) * t + t
        return exponent.to(tl.float32) * 8.262958294867817e-08 + y  # log(2) / 2^23


@triton.jit
def _circle(bits):
    """(cos, sin) of the angle 2 pi bits / 2^32: the upper two bits of what is rounded to quarter
    turns turn by as many, the rest is an angle of an eighth of a turn to both sides."""
    turned = bits + 0x20000000
    t = (bits << 2).to(tl.int32, bitcast=True).to(tl.float32) * 5.820766091346741e-11  # turns
    square = t * t
    sine = ((-75.3936104 * square + 81.5923549) * square - 41.3416615) * square + 6.28318529
    sine *= t
    cosine = ((-83.552661 * square + 64.9203083) * square - 19.7391466) * square + 1.0
    swaps = (turned & 0x40000000) != 0
    x = tl.where(swaps, sine, cosine).to(tl.uint32, bitcast=True)
    y = tl.where(swaps, cosine, sine).to(tl.uint32, bitcast=True)
    x ^= (turned + 0x40000000) & 0x80000000
    y ^= turned & 0x80000000
    return x.to(tl.float32, bitcast=True), y.to(tl.float32, bitcast=True)


@triton.jit
def to_normal_pair(bits0, bits1):
    """Two independent standard normals by Box-Muller."""
    radius = tl.sqrt(-2.0 * log_of_uniform(to_positive_uniform(bits0)))
    if bits1.dtype == tl.uint64:
        angle = 6.283185307179586 * to_uniform(bits1)
        return radius * tl.cos(angle), radius * tl.sin(angle)
    else:
        cosine, sine = _circle(bits1)
        return radius * cosine, radius * sine


@triton.jit
def to_cauchy(bits):
    """Standard Cauchy: the tangent of an angle of (-pi/2, pi/2), as minus the cotangent of another
    that is 0 at its poles, so that fp32 reaches far into both tails."""
    if bits.dtype == tl.uint64:
        angle = 3.141592653589793 * (to_positive_uniform(bits) - 0.5)
        return tl.sin(angle) / tl.cos(angle)
    else:
        t = bits.to(tl.int32, bitcast=True).to(tl.float32) * 2.3283064365386963e-10
        t += 1.1641532182693481e-10
        square = t * t
        cosine = (0.219697181 * square - 1.33188038) * square + 4.05841195
        cosine = (cosine * square - 4.93479286) * square + 0.999999954
        sine = (0.077560502 * square - 0.598242193) * square + 2.55006974
        sine = ((sine * square - 5.16770969) * square + 3.14159264) * t
        return -cosine / sine
