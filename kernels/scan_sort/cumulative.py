# SPDX-License-Identifier: Apache-2.0
"""Cumulative sums, products, extrema and log-sum-exps: scalar functions for the scan engine.

In every `combine` the second operand is the later element. The totals of split rows are combined by
a reduction, whose order is its own.

`log_cumulative_rows` is a kernel of its own for logcumsumexp, with a scan of sums in place of one
of pairs.
"""

import triton
import triton.language as tl

from common.target import on_gpu
from pointwise.elementary import light_log
from reduction.log_sum_exp import logarithm as logarithm
from reduction.log_sum_exp import maximum_and_total


@triton.jit
def add(a, b):
    """cumsum."""
    return a + b


@triton.jit
def multiply(a, b):
    """cumprod."""
    return a * b


@triton.jit
def with_index(x, index):
    """An element of cummax and cummin."""
    return x, index


@triton.jit
def _is_taken(b, exceeds, equals, is_later, was_number):
    """Whether b takes the place of what was found so far: of equals, and of NaNs, the later one, as
    in ATen; NaN wins.
    """
    return tl.where(b != b, was_number | is_later, exceeds | (equals & is_later))


@triton.jit
def larger(a, a_index, b, b_index):
    """cummax, in any order."""
    taken = _is_taken(b, b > a, b == a, b_index >= a_index, a == a)
    return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def smaller(a, a_index, b, b_index):
    """cummin, in any order."""
    taken = _is_taken(b, b < a, b == a, b_index >= a_index, a == a)
    return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def later_larger(a, a_index, b, b_index):
    """cummax. A CPU keeps the operands' order and needs one comparison."""
    if on_gpu():
        return larger(a, a_index, b, b_index)
    else:
        taken = (b >= a) | (b != b)
        return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def later_smaller(a, a_index, b, b_index):
    """cummin."""
    if on_gpu():
        return smaller(a, a_index, b, b_index)
    else:
        taken = (b <= a) | (b != b)
        return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def exponential(x):
    """An element of logcumsumexp."""
    return x, tl.full(x.shape, 1.0, x.dtype)


@triton.jit
def add_exponentials(maximum, total, other_maximum, other_total):
    """logcumsumexp."""
    return maximum_and_total(maximum, total, other_maximum, other_total)


@triton.jit
def _finish(maximum, total, NARROW: tl.constexpr):
    if NARROW:
        return maximum + light_log(total)
    else:
        return logarithm(maximum, total)


@triton.jit
def log_cumulative_rows(
    x_ptr, out_ptr, inner, length, x_outer, x_inner, out_outer, out_inner, out_stride,
    ACC: tl.constexpr, NARROW: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """x, out [outer, inner, length]; elements of x are neighbors; one row a program. NARROW: out is
    of 16 bits.

    A tile in which the maximum so far grows by less than 60 has one reference, its last maximum: an
    exponential, an addition and a logarithm an element, where no sum is below exp(-60) and none
    loses digits. Other tiles, with -inf at their begin, say, scan pairs of maximum and total. The
    next tile is read meanwhile.
    """
    row = tl.program_id(0)
    x_ptr += (row // inner).to(tl.int64) * x_outer + (row % inner).to(tl.int64) * x_inner
    out_ptr += (row // inner).to(tl.int64) * out_outer + (row % inner).to(tl.int64) * out_inner
    lane = tl.arange(0, LANES)
    maximum = tl.cast(float("-inf"), ACC)
    total = tl.cast(0.0, ACC)
    ahead = tl.load(x_ptr + lane, mask=lane < length, other=float("-inf"))
    for start in range(0, length, LANES):
        mask = start + lane < length
        x = ahead.to(ACC)
        after = start + LANES + lane
        ahead = tl.load(x_ptr + after, mask=after < length, other=float("-inf"))
        first = tl.maximum(maximum, tl.load(x_ptr + start).to(ACC))
        last = tl.maximum(maximum, tl.max(x, 0))
        if last - first < 60.0:
            before = total * tl.exp(maximum - last)
            sums = tl.associative_scan(tl.exp(x - last), 0, add) + before
            result = _finish(last, sums, NARROW)
            total = tl.sum(tl.where(lane == LANES - 1, sums, 0.0), 0)
            maximum = last
        else:
            maxima, sums = tl.associative_scan(exponential(x), 0, add_exponentials)
            maxima, sums = add_exponentials(maximum, total, maxima, sums)
            result = _finish(maxima, sums, NARROW)
            total = tl.sum(tl.where(lane == LANES - 1, sums, 0.0), 0)
            maximum = tl.sum(tl.where(lane == LANES - 1, maxima, 0.0), 0)
        offsets = (start + lane).to(tl.int64) * out_stride
        tl.store(out_ptr + offsets, result.to(out_ptr.dtype.element_ty), mask=mask)
