# SPDX-License-Identifier: Apache-2.0
"""poisson: means below 10 invert the cumulated probabilities from 0 on; others take the transformed
rejection of Hormann 1993 (PTRS), which accepts nine of ten. Numbers and precision as in
common/counts.py.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.counts import (
    draw_attempt,
    element_counters,
    log_factorial,
    narrow_centered,
    narrow_steps,
    narrow_uniform,
    stirling_rest,
    wide_uniform,
)
from common.target import map_lanes, on_gpu
from pointwise.arithmetic import any_lane
from pointwise.elementary import light_log, light_reciprocal

# Rejection in fp32 below this mean: counts stay exact, and most of them are decided.
_LARGEST_NARROW_RATE = tl.constexpr(1 << 20)


@triton.jit
def _walk(rate, u):
    """The count of a mean below 10 by inversion, in u's dtype, and whether fp32's errors could
    change it."""
    probability = tl.exp(-rate)
    rest = u
    k = tl.zeros_like(u)
    # A bound on fp32's errors: of exp, of k products, of the sum.
    error = 1e-6 + 5e-7 * rate if u.dtype == tl.float32 else 0.0 * rate
    goes_on = rest > probability + error
    while any_lane(goes_on):
        rest = tl.where(goes_on, rest - probability, rest)
        k = tl.where(goes_on, k + 1, k)
        if u.dtype == tl.float32:
            ratio = rate * light_reciprocal(tl.maximum(k, 1.0))
        else:
            ratio = rate / tl.maximum(k, 1.0)
        probability = tl.where(goes_on, probability * ratio, probability)
        # Nothing is added any more behind 1e-18, which is behind the mode.
        goes_on = goes_on & (rest > probability + error) & (probability > 1e-18)
    return k, rest > probability - error


@triton.jit
def _reject_wide(rate, seed, counter, active):
    """The count of a mean from 10 on, in fp64; lanes that are not active have such a mean too."""
    b = 0.931 + 2.53 * tl.sqrt(rate)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    log_rate = tl.log(rate)
    count = tl.zeros_like(rate)
    attempt = tl.full([], 0, tl.int32)
    while any_lane(active):
        bits0, bits1, bits2, bits3 = draw_attempt(seed, counter, attempt)
        u = wide_uniform(bits0, bits1) - 0.5
        v = wide_uniform(bits2, bits3)
        room = 0.5 - tl.abs(u)
        trial = tl.floor((2 * a / room + b) * u + rate + 0.43)
        is_quick = (room >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        is_possible = (trial >= 0) & ((room >= 0.013) | (v <= room))
        k = tl.maximum(trial, 0.0)
        density = k * log_rate - rate - log_factorial(k)
        height = tl.log(v * inverse_alpha / (a / (room * room) + b))
        takes = active & (is_quick | (is_possible & (height <= density)))
        count = tl.where(takes, k, count)
        active = active & (takes == 0)
        attempt += 1
    return count


@triton.jit
def _reject_narrow(rate, seed, counter, active):
    """The same in fp32, and whether its errors could change it."""
    narrow = rate.to(tl.float32)
    whole = tl.floor(rate)
    fraction = (rate - whole).to(tl.float32)
    b = 0.931 + 2.53 * tl.sqrt(narrow)
    a = -0.059 + 0.02483 * b
    inverse_alpha = 1.1239 + 1.1328 / (b - 3.4)
    accepted_below = 0.9277 - 2e-6 - 3.6224 / (b - 2)
    inverse_rate = light_reciprocal(narrow)

    count = tl.zeros_like(rate)
    was_open = active & (narrow >= _LARGEST_NARROW_RATE)
    active = active & (narrow < _LARGEST_NARROW_RATE)
    attempt = tl.full([], 0, tl.int32)
    while any_lane(active):
        bits0, bits1, bits2, bits3 = draw_attempt(seed, counter, attempt)
        u, room = narrow_centered(bits0, bits1)
        v = narrow_uniform(bits2, bits3)
        steps, is_on_edge = narrow_steps(a, b, u, room, fraction + 0.43)
        trial = whole + steps.to(rate.dtype)

        # log of height / probability: Stirling's formula; k log(k / rate) - d with d = k - rate.
        # 0 is `rate` times less likely than 1, for which the formula serves.
        is_none = trial < 1
        k = tl.where(is_none, 1.0, trial.to(tl.float32))
        d = tl.where(is_none, 1 - narrow, steps - fraction)
        square = room * room
        height = v * tl.where(is_none, inverse_alpha * narrow, inverse_alpha)
        height *= square * light_reciprocal(a + b * square)
        excess = light_log(height * tl.sqrt(6.2831853 * k)) + stirling_rest(light_reciprocal(k))
        excess += k * libdevice.log1p(d * inverse_rate) - d
        error = 2e-5 + 1e-6 * tl.abs(d)

        is_quick = (room >= 0.07) & (v <= accepted_below)
        is_impossible = (trial < 0) | ((room < 0.013) & (v > 1.001 * room))
        is_unclear = (room < 0.013) | (tl.abs(excess) <= error)
        is_open = is_on_edge | (is_unclear & (is_quick == 0) & (is_impossible == 0))
        takes = is_open | is_quick | ((is_impossible == 0) & (excess < 0))
        was_open = was_open | (active & is_open)
        count = tl.where(active & takes, trial, count)
        active = active & (takes == 0)
        attempt += 1
    return count, was_open


@triton.jit
def _draw_narrow(rate, seed, counter):
    """A count, and whether fp32's errors could change it."""
    is_large = rate >= 10
    count = tl.zeros_like(rate)
    is_open = is_large & (rate < 0)
    if any_lane(is_large == 0):
        small = tl.where(is_large, 0.0, rate).to(tl.float32)
        bits0, bits1, _bits2, _bits3 = draw_attempt(seed, counter, tl.full([], 0, tl.int32))
        small_count, is_open = _walk(small, narrow_uniform(bits0, bits1))
        count = small_count.to(rate.dtype)
    if any_lane(is_large):
        large = tl.where(is_large, rate, 10.0)
        large_count, large_is_open = _reject_narrow(large, seed, counter, is_large)
        count = tl.where(is_large, large_count, count)
        is_open = tl.where(is_large, large_is_open, is_open)
    return count, is_open


@triton.jit
def _draw_wide(rate, seed, counter):
    rate = rate.to(tl.float64)
    is_large = rate >= 10
    count = tl.zeros_like(rate)
    if any_lane(is_large == 0):
        bits0, bits1, _bits2, _bits3 = draw_attempt(seed, counter, tl.full([], 0, tl.int32))
        count, _is_open = _walk(tl.where(is_large, 0.0, rate), wide_uniform(bits0, bits1))
    if any_lane(is_large):
        large = _reject_wide(tl.where(is_large, rate, 10.0), seed, counter, is_large)
        count = tl.where(is_large, large, count)
    return count


@triton.jit
def _draw(rate, seed, counter):
    count, is_open = _draw_narrow(rate, seed, counter)
    if any_lane(is_open):
        # From the first attempt on: nothing is kept for it, which would take registers.
        wide = _draw_wide(tl.where(is_open, rate, 0.0), seed, counter)
        count = tl.where(is_open, wide.to(rate.dtype), count)
    return count


@triton.jit
def poisson(out_ptr, rate_ptr, count, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """out, rate [count], dense; NaN for a rate that is negative; grid cdiv(count, BLOCK)."""
    index, mask, seed, counter = element_counters(count, seed, offset, offset_in_graph, BLOCK)
    given = tl.load(rate_ptr + index, mask=mask, other=0.0)
    if given.dtype != tl.float64:
        given = given.to(tl.float32)
    rate = tl.where((given >= 0) & (given < float("inf")), given, 0.0)
    if on_gpu():
        drawn = map_lanes(_draw, rate, tl.zeros_like(counter) + seed, counter)
    else:
        drawn = _draw(rate, seed, counter)
    drawn = tl.where(given >= 0, drawn, float("nan"))
    tl.store(out_ptr + index, drawn.to(out_ptr.dtype.element_ty), mask=mask)
