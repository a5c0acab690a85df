# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of division with a rounding mode, remainders and divisors.

A zero among integer divisors raises on the CPU before a kernel runs; on GPUs the result is
unspecified, as PyTorch's. INT_MIN / -1 wraps.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import any_lane, quotient


@triton.jit
def fmod(x, y):
    """Remainder with the sign of x."""
    if x.dtype.is_floating():
        return libdevice.fmod(x, y)
    else:
        return x % y


@triton.jit
def remainder(x, y):
    """Remainder with the sign of y."""
    rest = fmod(x, y)
    return tl.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


@triton.jit
def floor_divide(x, y):
    """Python's //. Floats as CPython does it: from the exact remainder, so that the quotient is not
    rounded up to the next whole number."""
    if x.dtype.is_floating():
        plain = quotient(x, y)
        rest = libdevice.fmod(x, y)
        exact = quotient(x - rest, y)
        exact = tl.where((rest != 0) & ((rest < 0) != (y < 0)), exact - 1, exact)
        whole = tl.floor(exact)
        whole = tl.where(exact - whole > 0.5, whole + 1, whole)
        whole = tl.where(exact == 0, libdevice.copysign(tl.zeros_like(plain), plain), whole)
        return tl.where(y == 0, plain, whole)
    else:
        whole = x // y
        rest = x - whole * y
        return tl.where((rest != 0) & ((rest < 0) != (y < 0)), whole - 1, whole)


@triton.jit
def divide_with_mode(x, y, mode: tl.constexpr):
    if mode == "floor":
        return floor_divide(x, y)
    elif x.dtype.is_floating():
        return libdevice.trunc(quotient(x, y))
    else:
        return x // y


@triton.jit
def greatest_common_divisor(x, y):
    """Euclid's."""
    x, y = tl.broadcast(x, y)
    a = tl.abs(x)
    b = tl.abs(y)
    while any_lane(a != 0):
        goes_on = a != 0
        rest = tl.where(goes_on, b % tl.where(goes_on, a, 1), 0)
        b = tl.where(goes_on, a, b)
        a = rest
    return b


@triton.jit
def least_common_multiple(x, y):
    divisor = greatest_common_divisor(x, y)
    is_zero = divisor == 0
    return tl.where(is_zero, 0, tl.abs(x // tl.where(is_zero, 1, divisor) * y))
