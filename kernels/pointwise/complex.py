# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of complex numbers, for which Triton has no type: every value is a pair, real
and imaginary part, every parameter two. They stand in for the functions of the same names in the
other files where the computation type is complex; results that are not complex are single.
"""

import triton
import triton.language as tl

from pointwise.arithmetic import quotient, square_root


@triton.jit
def copy(x, x_imag):
    return x, x_imag


@triton.jit
def constant(value, value_imag):
    return value, value_imag


@triton.jit
def multiply(x, x_imag, y, y_imag):
    return x * y - x_imag * y_imag, x * y_imag + x_imag * y


@triton.jit
def _scaled(y, y_imag, alpha, alpha_imag):
    """alpha * y; y itself for 1, so that infinite parts do not meet a 0."""
    scaled, scaled_imag = multiply(y, y_imag, alpha, alpha_imag)
    is_one = (alpha == 1) & (alpha_imag == 0)
    return tl.where(is_one, y, scaled), tl.where(is_one, y_imag, scaled_imag)


@triton.jit
def add(x, x_imag, y, y_imag, alpha, alpha_imag):
    scaled, scaled_imag = _scaled(y, y_imag, alpha, alpha_imag)
    return x + scaled, x_imag + scaled_imag


@triton.jit
def subtract(x, x_imag, y, y_imag, alpha, alpha_imag):
    scaled, scaled_imag = _scaled(y, y_imag, alpha, alpha_imag)
    return x - scaled, x_imag - scaled_imag


@triton.jit
def reverse_subtract(x, x_imag, y, y_imag, alpha, alpha_imag):
    return subtract(y, y_imag, x, x_imag, alpha, alpha_imag)


@triton.jit
def divide(x, x_imag, y, y_imag):
    """Smith 1962: scaled by the divisor's larger part, so that its square does not overflow."""
    real_is_larger = tl.abs(y) >= tl.abs(y_imag)
    larger = tl.where(real_is_larger, y, y_imag)
    smaller = tl.where(real_is_larger, y_imag, y)
    ratio = quotient(smaller, larger)
    scale = larger + smaller * ratio
    real = tl.where(real_is_larger, x + x_imag * ratio, x * ratio + x_imag)
    imag = tl.where(real_is_larger, x_imag - x * ratio, x_imag * ratio - x)
    is_zero = larger == 0
    real = quotient(tl.where(is_zero, x, real), tl.where(is_zero, tl.abs(larger), scale))
    imag = quotient(tl.where(is_zero, x_imag, imag), tl.where(is_zero, tl.abs(larger), scale))
    return real, imag


@triton.jit
def negate(x, x_imag):
    return -x, -x_imag


@triton.jit
def conjugate(x, x_imag):
    return x, -x_imag


@triton.jit
def absolute(x, x_imag):
    """Scaled by the larger part, so that squares do not overflow; infinite if a part is."""
    larger = tl.maximum(tl.abs(x), tl.abs(x_imag), propagate_nan=tl.PropagateNan.ALL)
    smaller = tl.minimum(tl.abs(x), tl.abs(x_imag), propagate_nan=tl.PropagateNan.ALL)
    ratio = quotient(smaller, tl.where(larger == 0, 1.0, larger).to(x.dtype))
    length = larger * square_root(1 + ratio * ratio)
    infinite = (tl.abs(x) == float("inf")) | (tl.abs(x_imag) == float("inf"))
    return tl.where(infinite, float("inf"), length)


@triton.jit
def equal(x, x_imag, y, y_imag):
    return (x == y) & (x_imag == y_imag)


@triton.jit
def not_equal(x, x_imag, y, y_imag):
    return (x != y) | (x_imag != y_imag)


@triton.jit
def select(condition, condition_imag, x, x_imag, y, y_imag):
    """where: the condition arrives as the real part."""
    return tl.where(condition != 0, x, y), tl.where(condition != 0, x_imag, y_imag)


@triton.jit
def masked_fill(x, x_imag, mask, mask_imag, value, value_imag):
    return tl.where(mask != 0, value, x), tl.where(mask != 0, value_imag, x_imag)
