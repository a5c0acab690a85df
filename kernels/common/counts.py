# SPDX-License-Identifier: Apache-2.0
"""What the kernels of counts (random/poisson.py, random/binomial.py) share.

Note [Counts in fp32 and fp64]
A count is a function of the numbers that Philox gives an element, computed in fp64, so that every
device and dtype draws the same. Nearly always fp32 knows that count as well: it compares, and both
sides differ by more than its errors can be. An element for which they do not stays open, and fp64
draws it: one of 60,000 elements at a Poisson mean of 0.6, of 3,000 at 100, of 400 at 100,000.

Element i has a counter of its own, offset / 4 + i, and attempt t of its loop stands in word 2 of
Philox's counter (common/philox.py, Note [Random number layout], has 0 there), so that no two
attempts share a number, however long a loop is. A call takes four numbers for each element.

All functions work on tiles, as on CPUs, and on single elements, as in `map_lanes` on GPUs, where
a thread loops for its own element alone.
"""

import triton
import triton.language as tl

from common.philox import philox
from pointwise.elementary import light_reciprocal
from pointwise.series import polynomial
from pointwise.special_gamma import STIRLING

# lgamma(k + 1) - (k + 1/2) log(k) + k - log(2 pi) / 2, over 1 / k, by 1 / k^2: error 7.9e-9.
_STIRLING_REST = tl.constexpr((-0.000208316126, 0.000707619654, -0.00277104125, 0.0833331967))
# Of Stirling's series what x >= 9 needs: error 2e-15.
_STIRLING_SERIES = tl.constexpr(STIRLING.value[2:])


@triton.jit
def element_counters(count, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """Indices of a program's elements, which of them exist, the seed, and their counters."""
    if offset_in_graph is not None:
        seed = tl.load(seed)
        offset = tl.load(offset) + offset_in_graph
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return index, index < count, seed, (offset >> 2) + index


@triton.jit
def draw_attempt(seed, counter, attempt):
    """Four uint32 of an attempt, which is a tensor of int32."""
    low = (counter & 0xFFFFFFFF).to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    word2 = (low & 0) + attempt.to(tl.uint32)
    return philox(seed, low, high, word2, (low & 0) + 1)


@triton.jit
def wide_uniform(high, low):
    """(0, 1) with 53 bits, fp64."""
    bits = (high.to(tl.int64) << 21) | (low >> 11).to(tl.int64)
    return (bits.to(tl.float64) + 0.5) * 1.1102230246251565e-16


@triton.jit
def narrow_uniform(high, low):
    """`wide_uniform` in fp32, with a small relative error also where it is small."""
    return high.to(tl.float32) * 2.3283064365386963e-10 + (
        low.to(tl.float32) * 5.421010862427522e-20 + 5.551115123125783e-17
    )


@triton.jit
def narrow_centered(high, low):
    """u - 1/2 and 1/2 - |u - 1/2| of `wide_uniform` u in fp32, the latter with a small relative
    error also where it is small."""
    x = (high ^ 0x80000000).to(tl.int32, bitcast=True)
    flip = x >> 31
    room_high = 0x7FFFFFFF - (x ^ flip)
    room_low = low ^ (flip ^ -1).to(tl.uint32, bitcast=True)
    room = narrow_uniform(room_high, room_low)
    return tl.where(flip != 0, room - 0.5, 0.5 - room), room


@triton.jit
def narrow_steps(a, b, u, room, shift):
    """floor((2 a / room + b) u + shift) of a transformed rejection, and whether fp32's errors may
    change it."""
    place = (2 * a * light_reciprocal(room) + b) * u + shift
    steps = tl.floor(place)
    beyond = place - steps
    error = 1.5e-6 * tl.abs(place) + 1e-6
    return steps, (beyond < error) | (beyond > 1 - error)


@triton.jit
def stirling_rest(reciprocal):
    """What Stirling's formula leaves of log(k!), by 1 / k, k >= 1, in fp32."""
    return reciprocal * polynomial(reciprocal * reciprocal, _STIRLING_REST)


@triton.jit
def log_factorial(k):
    """log(k!) in fp64, for k < 8 by (k + 8)!. `lgamma` takes twice as many registers."""
    is_small = k < 8
    product = tl.full(k.shape, 1.0, k.dtype)
    for i in tl.static_range(1, 9):
        product *= tl.where(is_small, k + i, 1.0)
    x = tl.where(is_small, k + 9, k + 1)
    r = 1.0 / x
    series = r * polynomial(r * r, _STIRLING_SERIES) + 0.9189385332046728
    return (x - 0.5) * tl.log(x) - x + series - tl.log(product)
