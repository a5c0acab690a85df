# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of arithmetic operators.

Each takes values of the computation type that the generator has chosen (16-bit floats arrive as
fp32, bool as i32) and returns one value. fp32 division and square root round to nearest, as ATen's.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def quotient(x, y):
    """x / y of floats, correctly rounded."""
    if x.dtype == tl.float32:
        return tl.div_rn(x, y)
    else:
        return x / y


@triton.jit
def copy(x):
    return x


@triton.jit
def constant(value):
    return value


@triton.jit
def zero(x):
    return tl.zeros_like(x)


@triton.jit
def add(x, y, alpha):
    return x + alpha * y


@triton.jit
def subtract(x, y, alpha):
    return x - alpha * y


@triton.jit
def reverse_subtract(x, y, alpha):
    return y - alpha * x


@triton.jit
def multiply(x, y):
    return x * y


@triton.jit
def scaled_product(x, y, scale):
    return x * y * scale


@triton.jit
def divide(x, y):
    return quotient(x, y)


@triton.jit
def negate(x):
    return -x


@triton.jit
def absolute(x):
    return tl.abs(x)


@triton.jit
def sign(x):
    return (x > 0).to(x.dtype) - (x < 0).to(x.dtype)


@triton.jit
def reciprocal(x):
    return quotient(tl.full(x.shape, 1.0, x.dtype), x)


@triton.jit
def square_root(x):
    if x.dtype == tl.float32:
        return tl.sqrt_rn(x)
    else:
        return tl.sqrt(x)


@triton.jit
def reciprocal_square_root(x):
    return quotient(tl.full(x.shape, 1.0, x.dtype), square_root(x))


@triton.jit
def square(x):
    return x * x


@triton.jit
def cube(x):
    return x * x * x


@triton.jit
def floor(x):
    return tl.floor(x)


@triton.jit
def ceil(x):
    return tl.ceil(x)


@triton.jit
def truncate(x):
    return libdevice.trunc(x)


@triton.jit
def round_half_even(x):
    return libdevice.rint(x)


@triton.jit
def power(x, exponent):
    return libdevice.pow(x, exponent)


@triton.jit
def maximum(x, y):
    if x.dtype.is_floating():
        return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)
    else:
        return tl.maximum(x, y)


@triton.jit
def minimum(x, y):
    if x.dtype.is_floating():
        return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)
    else:
        return tl.minimum(x, y)


@triton.jit
def clamp(x, low, high):
    return minimum(maximum(x, low), high)


@triton.jit
def clamp_min(x, low):
    return maximum(x, low)


@triton.jit
def clamp_max(x, high):
    return minimum(x, high)


@triton.jit
def add_product(x, y, z, value):
    """addcmul"""
    return x + value * y * z


@triton.jit
def add_quotient(x, y, z, value):
    """addcdiv"""
    return x + quotient(value * y, z)


@triton.jit
def interpolate(start, end, weight):
    """lerp: from the nearer end, so that weight 1 gives `end` exactly."""
    difference = end - start
    near_start = tl.abs(weight) < 0.5
    return tl.where(near_start, start + weight * difference, end - difference * (1 - weight))


@triton.jit
def limit_norm(x, norm, limit):
    """x scaled down where its norm exceeds the limit; ATen keeps the quotient off infinity."""
    scale = quotient(limit + norm * 0, norm + 1e-7)
    return tl.where(norm > limit, x * scale, x)
