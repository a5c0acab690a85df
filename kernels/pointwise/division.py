# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of division with a rounding mode, remainders and divisors.

A zero among integer divisors raises on the CPU before a kernel runs; on GPUs the result is
unspecified, as PyTorch's. INT_MIN / -1 wraps.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import map_lanes, on_gpu
from pointwise.arithmetic import any_lane, quotient
from pointwise.elementary import light_reciprocal


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
def _floor_of_quotient(x, y):
    """Python's // of floats, as CPython does it: from the exact remainder, so that the quotient is
    not rounded up to the next whole number."""
    plain = quotient(x, y)
    rest = libdevice.fmod(x, y)
    exact = quotient(x - rest, y)
    exact = tl.where((rest != 0) & ((rest < 0) != (y < 0)), exact - 1, exact)
    whole = tl.floor(exact)
    whole = tl.where(exact - whole > 0.5, whole + 1, whole)
    whole = tl.where(exact == 0, libdevice.copysign(plain * 0, plain), whole)
    return tl.where(y == 0, plain, whole)


@triton.jit
def _choose_floor(x, y, estimate, whole):
    if not ((tl.abs(estimate) < 4e6) & (tl.abs(y) < 1e30) & (tl.abs(y) > 1e-30)):
        whole = _floor_of_quotient(x, y)
    return whole


@triton.jit
def _floor_by_estimate(x, y):
    """From an almost correctly rounded quotient: it or one less than the whole number next to it,
    by the sign of what remains, which is exact. A number y is divided by once a thread."""
    inverse = light_reciprocal(y)
    first = x * inverse
    estimate = tl.fma(tl.fma(-first, y, x), inverse, first)
    whole = libdevice.rint(estimate)
    rest = tl.fma(-whole, y, x)
    whole = tl.where((rest != 0) & ((rest < 0) != (y < 0)), whole - 1, whole)
    whole = libdevice.copysign(whole, first)  # which the sum lost where it is 0
    return map_lanes(_choose_floor, x, y, estimate, whole)


@triton.jit
def floor_divide(x, y):
    """Python's //."""
    if x.dtype == tl.float32 and on_gpu():
        return _floor_by_estimate(x, y)
    elif x.dtype.is_floating():
        return _floor_of_quotient(x, y)
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
def _gcd_of_one(x, y):
    a = tl.abs(x)
    b = tl.abs(y)
    while a != 0:
        rest = b % a
        b = a
        a = rest
    return b


@triton.jit
def _magnitude_of_product(x, y):
    """C multiplies numbers of 8 and 16 bits as those of 32; there ATen takes the magnitude."""
    if x.dtype.primitive_bitwidth < 32:
        return tl.abs(x.to(tl.int32) * y).to(x.dtype)
    else:
        return tl.abs(x * y)


@triton.jit
def _lcm_of_one(x, y):
    divisor = _gcd_of_one(x, y)
    result = divisor * 0
    if divisor != 0:
        result = _magnitude_of_product(x // divisor, y)
    return result


@triton.jit
def _trailing_zeros(x):
    """The width minus 1 for 0."""
    zeros = libdevice.ffs(x).to(x.dtype) - 1
    return zeros & (x.dtype.primitive_bitwidth - 1)


@triton.jit
def _binary_gcd(a, b):
    """Of a, b >= 0, without a division, which CPUs have no vector instruction for: the difference
    of odd numbers is even. All lanes go on until the last is done."""
    shift = _trailing_zeros(a | b)
    u = tl.maximum(a, b)
    u = u >> _trailing_zeros(u)
    v = tl.minimum(a, b)
    while any_lane(v != 0):
        v = v >> _trailing_zeros(v)
        difference = tl.abs(u - v)
        goes_on = v != 0
        u = tl.where(goes_on, tl.minimum(u, v), u)
        v = tl.where(goes_on, difference, 0)
    return u << shift


@triton.jit
def greatest_common_divisor(x, y):
    """Of the lowest integer, which has no magnitude, what Euclid's algorithm happens to give."""
    if on_gpu():
        return map_lanes(_gcd_of_one, x, y)
    else:
        x, y = tl.broadcast(x, y)
        a = tl.abs(x)
        b = tl.abs(y)
        is_lowest = (a < 0) | (b < 0)
        wide: tl.constexpr = tl.int64 if x.dtype.primitive_bitwidth == 64 else tl.int32
        plain = _binary_gcd(
            tl.where(is_lowest, 0, a).to(wide), tl.where(is_lowest, 0, b).to(wide)
        ).to(x.dtype)
        while any_lane(is_lowest & (a != 0)):
            goes_on = is_lowest & (a != 0)
            rest = tl.where(goes_on, b % tl.where(goes_on, a, 1), 0)
            b = tl.where(goes_on, a, b)
            a = tl.where(is_lowest, rest, a)
        return tl.where(is_lowest, b, plain)


@triton.jit
def least_common_multiple(x, y):
    if on_gpu():
        return map_lanes(_lcm_of_one, x, y)
    else:
        divisor = greatest_common_divisor(x, y)
        is_zero = divisor == 0
        product = _magnitude_of_product(x // tl.where(is_zero, 1, divisor), y)
        return tl.where(is_zero, 0, product)
