# SPDX-License-Identifier: Apache-2.0
"""Cumulative sums, products, extrema and log-sum-exps: scalar functions for the scan engine.

In every `combine` the second operand is the later element. None depends on the order in which it is
called, so the totals of split rows may be combined by a reduction.
"""

import triton
import triton.language as tl

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
def later_larger(a, a_index, b, b_index):
    """cummax: of equals, and of NaNs, the later one, as in ATen; NaN wins."""
    is_later = b_index >= a_index
    taken = tl.where(b != b, (a == a) | is_later, (b > a) | ((b == a) & is_later))
    return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def later_smaller(a, a_index, b, b_index):
    """cummin."""
    is_later = b_index >= a_index
    taken = tl.where(b != b, (a == a) | is_later, (b < a) | ((b == a) & is_later))
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
