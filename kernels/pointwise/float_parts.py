# SPDX-License-Identifier: Apache-2.0
"""Scalar functions on the sign, exponent and bits of floats."""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def bits_of(x):
    """The bits of a float as a signed integer of its width."""
    if x.dtype == tl.float64:
        return x.to(tl.int64, bitcast=True)
    elif x.dtype == tl.float32:
        return x.to(tl.int32, bitcast=True)
    else:
        return x.to(tl.int16, bitcast=True)


@triton.jit
def sign_bit(x):
    if x.dtype.is_floating():
        return bits_of(x) < 0
    else:
        return x < 0


@triton.jit
def copysign(x, y):
    if x.dtype.primitive_bitwidth == 16:
        lowest: tl.constexpr = -0x8000
        bits = (bits_of(x) & 0x7FFF) | (bits_of(y) & lowest)
        return bits.to(x.dtype, bitcast=True)
    else:
        return libdevice.copysign(x, y)


@triton.jit
def next_after(x, toward):
    """One step of the bits, which are ordered as the numbers are, but for the sign."""
    x, toward = tl.broadcast(x, toward)
    bits = bits_of(x)
    target_bits = bits_of(toward)
    lowest: tl.constexpr = -(2 ** (x.dtype.primitive_bitwidth - 1))
    wide_x = x.to(tl.float32) if x.dtype.primitive_bitwidth == 16 else x
    wide_toward = toward.to(tl.float32) if x.dtype.primitive_bitwidth == 16 else toward
    away = (wide_x < wide_toward) == (wide_x > 0)
    stepped = tl.where(away, bits + 1, bits - 1)
    # From zero to the smallest denormal on the side of the target.
    stepped = tl.where(wide_x == 0, (target_bits & lowest) | 1, stepped)
    result = tl.where(wide_x == wide_toward, target_bits, stepped).to(bits.dtype)
    is_nan = (wide_x != wide_x) | (wide_toward != wide_toward)
    return tl.where(is_nan, x + toward, result.to(x.dtype, bitcast=True))


@triton.jit
def fraction_and_exponent(x):
    """frexp: x = fraction * 2^exponent, 0.5 <= |fraction| < 1; 0, inf and NaN with exponent 0."""
    if x.dtype == tl.float64:
        is_small = tl.abs(x) < 2.2250738585072014e-308
        bits = bits_of(tl.where(is_small, x * 18014398509481984.0, x))
        exponent = ((bits >> 52) & 0x7FF) - 1022 - tl.where(is_small, 54, 0)
        fraction = ((bits & -0x7FF0000000000001) | 0x3FE0000000000000).to(tl.float64, bitcast=True)
    else:
        is_small = tl.abs(x) < 1.1754943508222875e-38
        bits = bits_of(tl.where(is_small, x * 33554432.0, x))
        exponent = ((bits >> 23) & 0xFF) - 126 - tl.where(is_small, 25, 0)
        fraction = ((bits & -0x7F800001) | 0x3F000000).to(tl.float32, bitcast=True)
    is_special = (x == 0) | (tl.abs(x) == float("inf")) | (x != x)
    return tl.where(is_special, x, fraction), tl.where(is_special, 0, exponent)


@triton.jit
def replace_nonfinite(x, nan, positive, negative):
    """nan_to_num"""
    finite = tl.where(x == float("inf"), positive, tl.where(x == float("-inf"), negative, x))
    return tl.where(x != x, nan, finite)
