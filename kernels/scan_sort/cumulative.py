# SPDX-License-Identifier: Apache-2.0
"""Cumulative sums, products, extrema and log-sum-exps: scalar functions for the scan engine.

In every `combine` the second operand is the later element. The totals of split rows are combined by
a reduction, whose order is its own.
"""

import triton
import triton.language as tl

from common.target import on_gpu
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
def logarithm(maximum, total):
    """A result of logcumsumexp."""
    return maximum + tl.log(total)
