# SPDX-License-Identifier: Apache-2.0
"""binomial: means below 10 invert the cumulated probabilities from 0 on; others take the
transformed rejection of Hormann 1993 (BTRS), which accepts nine of ten. Numbers and precision as in
common/counts.py. Failures are counted where they are fewer: p is up to 1/2.
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

# fp32 decides below this number of trials: counts stay exact, and most are decided.
_MOST_NARROW_TRIALS = tl.constexpr(1 << 20)


@triton.jit
def _walk(n, p, u):
    """The count of a mean below 10 by inversion, in u's dtype, and whether fp32's errors could
    change it."""
    is_narrow: tl.constexpr = u.dtype == tl.float32
    probability = tl.exp(n * libdevice.log1p(-p))
    odds = p / (1 - p)
    rest = u
    k = tl.zeros_like(u)
    error = 2e-6 + 1e-6 * (n * p) if is_narrow else 0.0 * p
    goes_on = (rest > probability + error) & (n > 0)
    while any_lane(goes_on):
        rest = tl.where(goes_on, rest - probability, rest)
        k = tl.where(goes_on, k + 1, k)
        if is_narrow:
            ratio = odds * (n - k + 1) * light_reciprocal(tl.maximum(k, 1.0))
        else:
            ratio = odds * (n - k + 1) / tl.maximum(k, 1.0)
        probability = tl.where(goes_on, probability * ratio, probability)
        # Nothing is added any more behind 1e-18, which is behind the mode.
        goes_on = goes_on & (rest > probability + error) & (k < n) & (probability > 1e-18)
    return k, (rest > probability - error) & (n > 0)


@triton.jit
def _log_factorials(k, n):
    """log(k! (n - k)!). One at a time: both at once take 20 registers more of a GPU's threads."""
    total = tl.zeros_like(n)
    for i in tl.range(2):
        total += log_factorial(tl.where(i == 0, k, n - k))
    return total


@triton.jit
def _reject_wide(n, p, seed, counter, active):
    """The count of a mean from 10 on, in fp64; lanes that are not active have such a mean too."""
    mean = n * p
    spread = tl.sqrt(mean * (1 - p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * p
    alpha = (2.83 + 5.1 / b) * spread
    log_odds = tl.log(p / (1 - p))
    mode = tl.floor((n + 1) * p)
    at_mode = _log_factorials(mode, n) - mode * log_odds
    count = tl.zeros_like(n)
    attempt = tl.full([], 0, tl.int32)
    while any_lane(active):
        bits0, bits1, bits2, bits3 = draw_attempt(seed, counter, attempt)
        u = wide_uniform(bits0, bits1) - 0.5
        v = wide_uniform(bits2, bits3)
        room = 0.5 - tl.abs(u)
        trial = tl.floor((2 * a / room + b) * u + (mean + 0.5))
        is_possible = (trial >= 0) & (trial <= n)
        is_quick = is_possible & (room >= 0.07) & (v <= 0.92 - 4.2 / b)
        k = tl.minimum(tl.maximum(trial, 0.0), n)
        density = at_mode - _log_factorials(k, n) + k * log_odds
        height = tl.log(v * alpha / (a / (room * room) + b))
        takes = active & (is_quick | (is_possible & (height <= density)))
        count = tl.where(takes, k, count)
        active = active & (takes == 0)
        attempt += 1
    return count


@triton.jit
def _shape(k, d, n, inverse_mean, inverse_rest):
    """Of the probability of k = n p + d: minus its logarithm, without the factor
    1 / sqrt(k (n - k)) and without what does not depend on k. By Stirling's formula in fp32."""
    others = n - k
    deviance = k * libdevice.log1p(d * inverse_mean) + others * libdevice.log1p(-d * inverse_rest)
    return deviance + stirling_rest(light_reciprocal(k)) + stirling_rest(light_reciprocal(others))


@triton.jit
def _reject_narrow(n, p, seed, counter, active):
    """The same in fp32, and whether its errors could change it."""
    narrow_p = p.to(tl.float32)
    mean = n.to(tl.float64) * p.to(tl.float64)
    whole = tl.floor(mean + 0.5)
    fraction = (mean + 0.5 - whole).to(tl.float32)
    mode = tl.floor(mean + p.to(tl.float64))
    from_mode = (mode - mean).to(tl.float32)
    whole = whole.to(tl.float32)
    mode = mode.to(tl.float32)
    narrow_mean = mean.to(tl.float32)
    narrow_n = n.to(tl.float32)
    spread = tl.sqrt(narrow_mean * (1 - narrow_p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * narrow_p
    accepted_below = 0.92 - 2e-6 - 4.2 / b
    inverse_mean = 1 / narrow_mean
    inverse_rest = 1 / (narrow_n - narrow_mean)
    at_mode = _shape(mode, from_mode, narrow_n, inverse_mean, inverse_rest)
    scale = (2.83 + 5.1 / b) * spread * tl.rsqrt(mode * (narrow_n - mode))
    # 0 and n are that much less likely than 1 and n - 1, for which the formula serves.
    odds = narrow_p / (1 - narrow_p)
    scale_at_0 = scale * (narrow_n * odds)
    scale_at_n = scale * (narrow_n / odds)

    count = tl.zeros_like(narrow_n)
    was_open = active & (n >= _MOST_NARROW_TRIALS)
    active = active & (n < _MOST_NARROW_TRIALS)
    attempt = tl.full([], 0, tl.int32)
    while any_lane(active):
        bits0, bits1, bits2, bits3 = draw_attempt(seed, counter, attempt)
        u, room = narrow_centered(bits0, bits1)
        v = narrow_uniform(bits2, bits3)
        steps, is_on_edge = narrow_steps(a, b, u, room, fraction)
        trial = whole + steps

        # log of height / probability
        k = tl.minimum(tl.maximum(trial, 1.0), narrow_n - 1)
        d = steps - fraction + 0.5 + (k - trial)
        square = room * room
        height = v * tl.where(trial < k, scale_at_0, tl.where(trial > k, scale_at_n, scale))
        height *= square * light_reciprocal(a + b * square)
        excess = light_log(height * tl.sqrt(k * (narrow_n - k)))
        excess += _shape(k, d, narrow_n, inverse_mean, inverse_rest) - at_mode
        error = 2e-5 + 2e-6 * tl.abs(d)

        is_possible = (trial >= 0) & (trial <= narrow_n)
        is_quick = is_possible & (room >= 0.07) & (v <= accepted_below)
        is_unclear = is_possible & (is_quick == 0) & (tl.abs(excess) <= error)
        is_open = is_on_edge | is_unclear
        takes = is_open | is_quick | (is_possible & (excess < 0))
        was_open = was_open | (active & is_open)
        count = tl.where(active & takes, trial, count)
        active = active & (takes == 0)
        attempt += 1
    return count, was_open


@triton.jit
def _draw_narrow(n, p, seed, counter):
    """A count, and whether fp32's errors could change it."""
    is_large = n.to(tl.float64) * p.to(tl.float64) >= 10
    count = tl.zeros_like(n).to(tl.float32)
    is_open = is_large & (n < 0)
    if any_lane(is_large == 0):
        small_n = tl.where(is_large, 0.0, n).to(tl.float32)
        bits0, bits1, _bits2, _bits3 = draw_attempt(seed, counter, tl.full([], 0, tl.int32))
        count, is_open = _walk(small_n, p.to(tl.float32), narrow_uniform(bits0, bits1))
        is_open = is_open | (n >= _MOST_NARROW_TRIALS)
    if any_lane(is_large):
        large_n = tl.where(is_large, n, 40.0)
        large_p = tl.where(is_large, p, 0.5)
        large_count, large_is_open = _reject_narrow(large_n, large_p, seed, counter, is_large)
        count = tl.where(is_large, large_count, count)
        is_open = tl.where(is_large, large_is_open, is_open)
    return count, is_open


@triton.jit
def _draw_wide(n, p, seed, counter):
    n = n.to(tl.float64)
    p = p.to(tl.float64)
    is_large = n * p >= 10
    count = tl.zeros_like(n)
    if any_lane(is_large == 0):
        bits0, bits1, _bits2, _bits3 = draw_attempt(seed, counter, tl.full([], 0, tl.int32))
        count, _is_open = _walk(tl.where(is_large, 0.0, n), p, wide_uniform(bits0, bits1))
    if any_lane(is_large):
        large_n = tl.where(is_large, n, 40.0)
        large = _reject_wide(large_n, tl.where(is_large, p, 0.5), seed, counter, is_large)
        count = tl.where(is_large, large, count)
    return count


@triton.jit
def _draw(n, p, seed, counter):
    narrow, is_open = _draw_narrow(n, p, seed, counter)
    count = narrow.to(n.dtype)
    if any_lane(is_open):
        # From the first attempt on: nothing is kept for it, which would take registers.
        wide = _draw_wide(tl.where(is_open, n, 0.0), p, seed, counter)
        count = tl.where(is_open, wide.to(n.dtype), count)
    return count


@triton.jit
def binomial(out_ptr, trials_ptr, p_ptr, count, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """out, trials, p [count], dense; NaN where trials < 0 or p is no probability; grid
    cdiv(count, BLOCK).
    """
    index, mask, seed, counter = element_counters(count, seed, offset, offset_in_graph, BLOCK)
    trials = tl.load(trials_ptr + index, mask=mask, other=0.0)
    given = tl.load(p_ptr + index, mask=mask, other=0.0)
    if given.dtype != tl.float64:
        trials = trials.to(tl.float32)
        given = given.to(tl.float32)
    is_valid = (trials >= 0) & (trials < float("inf")) & (given >= 0) & (given <= 1)
    n = tl.where(is_valid, tl.floor(trials), 0.0)
    counts_failures = given > 0.5
    p = tl.where(is_valid, tl.where(counts_failures, 1 - given, given), 0.0)
    if on_gpu():
        drawn = map_lanes(_draw, n, p, tl.zeros_like(counter) + seed, counter)
    else:
        drawn = _draw(n, p, seed, counter)
    drawn = tl.where(counts_failures, n - drawn, drawn)
    drawn = tl.where(is_valid, drawn, float("nan"))
    tl.store(out_ptr + index, drawn.to(out_ptr.dtype.element_ty), mask=mask)
