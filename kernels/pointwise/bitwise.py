# SPDX-License-Identifier: Apache-2.0
"""Scalar functions on the bits of integers and bools; bools arrive as one bit."""

import triton
import triton.language as tl


@triton.jit
def bitwise_and(x, y):
    return x & y


@triton.jit
def bitwise_or(x, y):
    return x | y


@triton.jit
def bitwise_xor(x, y):
    return x ^ y


@triton.jit
def bitwise_not(x):
    return ~x


@triton.jit
def _is_within(amount, width: tl.constexpr):
    """Whether 0 <= amount < width, a power of 2; one test where that would be two comparisons."""
    if amount.dtype.is_int_signed():
        return (amount & -width) == 0
    else:
        return amount < width


@triton.jit
def shift_left(x, amount):
    """0 for amounts that are negative or at least the width."""
    width: tl.constexpr = x.dtype.primitive_bitwidth
    return tl.where(_is_within(amount, width), x << (amount & (width - 1)), 0)


@triton.jit
def shift_right(x, amount):
    """For amounts that are negative or too large only copies of the sign are left."""
    width: tl.constexpr = x.dtype.primitive_bitwidth
    valid = _is_within(amount, width)
    if x.dtype.is_int_signed():
        return x >> tl.where(valid, amount, width - 1)
    else:
        return tl.where(valid, x >> (amount & (width - 1)), 0)
