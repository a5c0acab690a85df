# SPDX-License-Identifier: Apache-2.0
"""What the text of a traced function (python/tilewise/fusion) is made of, besides + - * and
comparisons, and pointwise/exponential.py.

Each takes values of the computation type: tiles, or numbers of no dimension. Semantics are those of
the PyTorch function of the same name; fp32 division and square root round to nearest, as ATen's.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import ceil as ceil
from pointwise.arithmetic import floor as floor
from pointwise.arithmetic import maximum, minimum, quotient, square_root


@triton.jit
def divide(x, y):
    return quotient(x, y)


@triton.jit
def sqrt(x):
    return square_root(x)


@triton.jit
def reciprocal(x):
    return quotient(tl.full((), 1.0, x.dtype), x)


@triton.jit
def rsqrt(x):
    return reciprocal(square_root(x))


@triton.jit
def absolute(x):
    return tl.abs(x)


@triton.jit
def sign(x):
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


@triton.jit
def trunc(x):
    if x.dtype.is_floating():
        return libdevice.trunc(x)
    else:
        return x


@triton.jit
def round_half_even(x):
    if x.dtype.is_floating():
        return libdevice.rint(x)
    else:
        return x


@triton.jit
def remainder(x, y):
    """Of the sign of y."""
    if x.dtype.is_floating():
        rest = libdevice.fmod(x, y)
    else:
        rest = x % y
    return tl.where((rest != 0) & ((rest < 0) != (y < 0)), rest + y, rest)


@triton.jit
def fmod(x, y):
    """Of the sign of x."""
    if x.dtype.is_floating():
        return libdevice.fmod(x, y)
    else:
        return x % y


@triton.jit
def floor_divide(x, y):
    if x.dtype.is_floating():
        # From the exact remainder: the rounded quotient may be an integer that the true one is
        # below. Zero and infinite divisors give what the quotient gives.
        ratio = quotient(x, y)
        exact = quotient(x - remainder(x, y), y)
        whole = tl.floor(exact)
        whole = tl.where(exact - whole > 0.5, whole + 1, whole)
        return tl.where(y == 0, ratio, whole)
    else:
        whole = x // y
        return tl.where((x % y != 0) & ((x < 0) != (y < 0)), whole - 1, whole)


@triton.jit
def power(x, y):
    return libdevice.pow(x, y)


@triton.jit
def log1p_exp(x):
    """log(1 + exp(x)) without overflow."""
    return maximum(x, tl.zeros_like(x)) + libdevice.log1p(libdevice.exp(-tl.abs(x)))


@triton.jit
def sigmoid(x):
    return reciprocal(1 + libdevice.exp(-x))


@triton.jit
def relu(x):
    """max(x, 0); NaN stays NaN, since every comparison with it is false."""
    return tl.where(x < 0, tl.zeros_like(x), x)


@triton.jit
def at_least(x, low):
    return maximum(x, low)


@triton.jit
def at_most(x, high):
    return minimum(x, high)
