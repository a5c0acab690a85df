# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of comparisons, logic and selection; results of comparisons are one bit."""

import triton
import triton.language as tl


@triton.jit
def equal(x, y):
    return x == y


@triton.jit
def not_equal(x, y):
    return x != y


@triton.jit
def less(x, y):
    return x < y


@triton.jit
def less_equal(x, y):
    return x <= y


@triton.jit
def greater(x, y):
    return x > y


@triton.jit
def greater_equal(x, y):
    return x >= y


@triton.jit
def logical_and(x, y):
    return (x != 0) & (y != 0)


@triton.jit
def logical_or(x, y):
    return (x != 0) | (y != 0)


@triton.jit
def logical_not(x):
    return x == 0


@triton.jit
def is_nan(x):
    return x != x


@triton.jit
def select(condition, x, y):
    """where: the condition arrives converted to the type of x and y."""
    return tl.where(condition != 0, x, y)


@triton.jit
def masked_fill(x, mask, value):
    return tl.where(mask != 0, value, x)


@triton.jit
def logical_xor(x, y):
    return (x != 0) != (y != 0)


@triton.jit
def is_infinite(x):
    if x.dtype.is_floating():
        return tl.abs(x) == float("inf")
    else:
        return x != x


@triton.jit
def is_positive_infinity(x):
    if x.dtype.is_floating():
        return x == float("inf")
    else:
        return x != x


@triton.jit
def is_negative_infinity(x):
    if x.dtype.is_floating():
        return x == float("-inf")
    else:
        return x != x


@triton.jit
def heaviside(x, at_zero):
    """NaN counts as negative."""
    return tl.where(x == 0, at_zero, (x > 0).to(x.dtype))


@triton.jit
def masked_fill_value(x, mask, value):
    return tl.where(mask != 0, value, x)
