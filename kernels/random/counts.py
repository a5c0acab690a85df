# SPDX-License-Identifier: Apache-2.0
"""poisson and binomial: counts, each of its own distribution, by rejection or inversion in fp64.

Small means (below 10) invert the cumulated probabilities from 0 on; others take the transformed
rejection of Hormann 1993 (PTRS for Poisson, BTRS for the binomial), which accepts nine of ten.

Element i has a counter of its own, offset / 4 + i, and attempt t of its loop stands in word 2 of
Philox's counter (common/philox.py, Note [Random number layout], has 0 there), so that no two
attempts share a number, however long a loop is. A call takes four numbers for each element.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import any_lane
from pointwise.special_gamma import lgamma_of_1_plus


@triton.jit
def _uniforms(seed, counter, attempt):
    """Two numbers of (0, 1) with 53 bits."""
    low = (counter & 0xFFFFFFFF).to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    word2 = tl.zeros_like(low) + attempt.to(tl.uint32)
    bits0, bits1, bits2, bits3 = tl.philox(seed, low, high, word2, tl.zeros_like(low) + 1)
    first = (bits0.to(tl.int64) << 21) | (bits1 >> 11).to(tl.int64)
    second = (bits2.to(tl.int64) << 21) | (bits3 >> 11).to(tl.int64)
    scale = 1.1102230246251565e-16
    return (first.to(tl.float64) + 0.5) * scale, (second.to(tl.float64) + 0.5) * scale


@triton.jit
def _counters(count, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    if offset_in_graph is not None:
        seed = tl.load(seed)
        offset = tl.load(offset) + offset_in_graph
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return index, index < count, seed, (offset >> 2) + index


@triton.jit
def poisson(out_ptr, rate_ptr, count, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """out, rate [count], dense; NaN for a rate that is negative; grid cdiv(count, BLOCK)."""
    index, mask, seed, counter = _counters(count, seed, offset, offset_in_graph, BLOCK)
    given = tl.load(rate_ptr + index, mask=mask, other=0.0).to(tl.float64)
    rate = tl.where((given >= 0) & (given < float("inf")), given, 0.0)
    is_small = rate < 10

    u, v = _uniforms(seed, counter, tl.full([], 0, tl.int32))
    probability = tl.exp(-tl.where(is_small, rate, 0.0))
    cumulated = probability
    k = tl.zeros_like(rate)
    active = is_small & (u > cumulated)
    while any_lane(active):
        k = tl.where(active, k + 1, k)
        probability = tl.where(active, probability * rate / k, probability)
        cumulated = tl.where(active, cumulated + probability, cumulated)
        # Beyond 1e-18 nothing is added any more.
        active = active & (u > cumulated) & ((probability > 1e-18) | (k < rate))

    large = tl.where(is_small, 10.0, rate)
    b = 0.931 + 2.53 * tl.sqrt(large)
    a = -0.059 + 0.02483 * b
    log_inverse_alpha = tl.log(1.1239 + 1.1328 / (b - 3.4))
    accepted_at = 0.9277 - 3.6224 / (b - 2)
    log_rate = tl.log(large)
    attempt = tl.full([], 0, tl.int32)
    active = mask & (rate >= 10)
    while any_lane(active):
        u, v = _uniforms(seed, counter, attempt)
        u = u - 0.5
        room = 0.5 - tl.abs(u)
        trial = tl.floor((2 * a / room + b) * u + large + 0.43)
        is_quick = (room >= 0.07) & (v <= accepted_at)
        is_valid = (trial >= 0) & ((room >= 0.013) | (v <= room))
        positive = tl.maximum(trial, 0.0)
        density = positive * log_rate - large - lgamma_of_1_plus(positive)
        is_accepted = tl.log(v) + log_inverse_alpha - tl.log(a / (room * room) + b) <= density
        takes = active & (is_quick | (is_valid & is_accepted))
        k = tl.where(takes, positive, k)
        active = active & (takes == 0)
        attempt += 1
    k = tl.where(given >= 0, k, float("nan"))
    tl.store(out_ptr + index, k.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def binomial(out_ptr, trials_ptr, p_ptr, count, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """out, trials, p [count], dense; NaN where trials < 0 or p is no probability; grid
    cdiv(count, BLOCK).
    """
    index, mask, seed, counter = _counters(count, seed, offset, offset_in_graph, BLOCK)
    trials = tl.load(trials_ptr + index, mask=mask, other=0.0).to(tl.float64)
    given = tl.load(p_ptr + index, mask=mask, other=0.0).to(tl.float64)
    is_valid_pair = (trials >= 0) & (trials < float("inf")) & (given >= 0) & (given <= 1)
    n = tl.where(is_valid_pair, tl.floor(trials), 0.0)
    # Failures are counted where they are fewer.
    counts_failures = given > 0.5
    p = tl.where(counts_failures, 1 - given, given)
    p = tl.where(is_valid_pair, p, 0.0)
    odds = p / (1 - p)
    is_small = n * p < 10

    u, v = _uniforms(seed, counter, tl.full([], 0, tl.int32))
    probability = tl.exp(tl.where(is_small, n, 0.0) * libdevice.log1p(-p))
    cumulated = probability
    k = tl.zeros_like(n)
    active = is_small & (u > cumulated) & (n > 0)
    while any_lane(active):
        k = tl.where(active, k + 1, k)
        probability = tl.where(active, probability * odds * (n - k + 1) / k, probability)
        cumulated = tl.where(active, cumulated + probability, cumulated)
        active = active & (u > cumulated) & (k < n) & ((probability > 1e-18) | (k < n * p))

    large_n = tl.where(is_small, 40.0, n)
    large_p = tl.where(is_small, 0.5, p)
    spread = tl.sqrt(large_n * large_p * (1 - large_p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * large_p
    center = large_n * large_p + 0.5
    accepted_at = 0.92 - 4.2 / b
    alpha = (2.83 + 5.1 / b) * spread
    log_odds = tl.log(large_p / (1 - large_p))
    mode = tl.floor((large_n + 1) * large_p)
    at_mode = lgamma_of_1_plus(mode) + lgamma_of_1_plus(large_n - mode)
    attempt = tl.full([], 0, tl.int32)
    active = mask & (n * p >= 10)
    while any_lane(active):
        u, v = _uniforms(seed, counter, attempt)
        u = u - 0.5
        room = 0.5 - tl.abs(u)
        trial = tl.floor((2 * a / room + b) * u + center)
        is_valid = (trial >= 0) & (trial <= large_n)
        is_quick = is_valid & (room >= 0.07) & (v <= accepted_at)
        inside = tl.minimum(tl.maximum(trial, 0.0), large_n)
        density = (
            at_mode
            - lgamma_of_1_plus(inside)
            - lgamma_of_1_plus(large_n - inside)
            + (inside - mode) * log_odds
        )
        is_accepted = tl.log(v * alpha / (a / (room * room) + b)) <= density
        takes = active & (is_quick | (is_valid & is_accepted))
        k = tl.where(takes, inside, k)
        active = active & (takes == 0)
        attempt += 1
    k = tl.where(counts_failures, n - k, k)
    k = tl.where(is_valid_pair, k, float("nan"))
    tl.store(out_ptr + index, k.to(out_ptr.dtype.element_ty), mask=mask)
