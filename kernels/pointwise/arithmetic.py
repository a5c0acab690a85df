# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of arithmetic operators.

Each takes values of the computation type that the generator has chosen (16-bit floats arrive as
fp32, bool as i32) and returns one value. fp32 division and square root round to nearest, as ATen's.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import on_gpu
from pointwise.power import real_power


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
def first(x, y):
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
    """Triton's -x is 0 - x, which loses the sign of -0. 16-bit floats stay what they are."""
    if x.dtype.is_floating() and x.dtype.primitive_bitwidth == 16:
        lowest: tl.constexpr = -0x8000
        return (x.to(tl.int16, bitcast=True) ^ lowest).to(x.dtype, bitcast=True)
    elif x.dtype.is_floating():
        return x * -1.0
    else:
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
    if x.dtype.is_floating():
        return tl.floor(x)
    else:
        return x


@triton.jit
def ceil(x):
    if x.dtype.is_floating():
        return tl.ceil(x)
    else:
        return x


@triton.jit
def truncate(x):
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
def any_lane(condition):
    """Whether the condition holds anywhere in the tile: loops until no lane goes on."""
    if condition.type.is_block():
        return tl.max(condition.to(tl.int32)) != 0
    else:
        return condition


@triton.jit
def integer_power(x, exponent):
    """By squaring. Negative exponents round 1 / x^n towards zero."""
    x, exponent = tl.broadcast(x, exponent)
    result = tl.full(x.shape, 1, x.dtype)
    base = x
    rest = exponent
    while any_lane(rest > 0):
        result = tl.where((rest & 1) != 0, result * base, result)
        base = base * base
        rest = rest >> 1
    is_odd = (exponent & 1) != 0
    inverse = tl.where(x == 1, 1, tl.where(x == -1, tl.where(is_odd, -1, 1), 0)).to(x.dtype)
    return tl.where(exponent < 0, inverse, result)


@triton.jit
def power(x, exponent):
    if x.dtype.is_floating():
        return real_power(x, exponent)
    else:
        return integer_power(x, exponent)


@triton.jit
def power_by_number(x, exponent):
    """With the shortcuts that ATen takes on CPUs, where one number is the exponent of a list's
    tensor: a branch that all lanes take."""
    if on_gpu():
        return real_power(x, exponent)
    else:
        if exponent == 0.5:
            result = square_root(x)
        elif exponent == 2:
            result = x * x
        elif exponent == 3:
            result = x * x * x
        elif exponent == -0.5:
            result = reciprocal_square_root(x)
        elif exponent == -1:
            result = reciprocal(x)
        elif exponent == -2:
            result = reciprocal(x * x)
        else:
            result = real_power(x, exponent)
        return result


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
def maximum_number(x, y):
    """fmax: NaN only if both are."""
    return tl.maximum(x, y)


@triton.jit
def minimum_number(x, y):
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
def scale_and_shift(x, scale, shift):
    return x * scale + shift


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


@triton.jit
def fraction(x):
    return x - libdevice.trunc(x)


@triton.jit
def degrees_to_radians(x):
    return x * 0.017453292519943295


@triton.jit
def radians_to_degrees(x):
    return x * 57.29577951308232


@triton.jit
def hypotenuse(x, y):
    """sqrt(x^2 + y^2) from the quotient of the smaller to the larger, which cannot overflow."""
    a, b = tl.abs(x), tl.abs(y)
    larger = tl.maximum(a, b)
    smaller = tl.minimum(a, b)
    ratio = quotient(smaller, tl.where(larger == 0, 1.0, larger))
    length = larger * square_root(1 + ratio * ratio)
    length = tl.where(larger == float("inf"), larger, length)
    return tl.where((larger < float("inf")) & ((x != x) | (y != y)), float("nan"), length)
