# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of exponentials, logarithms and trigonometry; all take and return floats."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import on_gpu
from pointwise.elementary import expm1 as light_expm1
from pointwise.elementary import light_log_of_normal, light_reciprocal, log1p_of_fraction
from pointwise.series import polynomial

# For fp32 on GPUs, by x^2: atan(x) / x on [0, 1], sinh(x) / x on [0, 1], asinh(x) / x on [0, 3/4],
# atanh(x) / x on [0, 1/2]; minimax fits, errors 1.5e-8, 2.0e-8, 6.6e-9, 2.0e-8.
_ATAN = tl.constexpr(
    (
        0.00284998672,
        -0.0160690323,
        0.0426922073,
        -0.075043566,
        0.106409658,
        -0.142036536,
        0.199926208,
        -0.333330734,
        0.999999985,
    )
)
_SINH = tl.constexpr((0.000203939679, 0.0083299123, 0.166667338, 0.99999998))
_ASINH = tl.constexpr(
    (
        0.00459671791,
        -0.0151866084,
        0.0280444643,
        -0.0442266135,
        0.0749635925,
        -0.166665454,
        0.999999993,
    )
)
_ATANH = tl.constexpr(
    (0.183933827, 0.0809376655, 0.147062992, 0.199742106, 0.333339041, 0.99999998)
)


@triton.jit
def exp(x):
    return libdevice.exp(x)


@triton.jit
def exp2(x):
    return libdevice.exp2(x)


@triton.jit
def expm1(x):
    return light_expm1(x)


@triton.jit
def log(x):
    return libdevice.log(x)


@triton.jit
def log2(x):
    return libdevice.log2(x)


@triton.jit
def log1p(x):
    return libdevice.log1p(x)


@triton.jit
def sin(x):
    return libdevice.sin(x)


@triton.jit
def cos(x):
    return libdevice.cos(x)


@triton.jit
def tanh(x):
    return libdevice.tanh(x)


@triton.jit
def tanh_backward(grad_output, output):
    return grad_output * (1 - output * output)


@triton.jit
def erf(x):
    return tl.erf(x)


@triton.jit
def log10(x):
    return libdevice.log10(x)


@triton.jit
def tan(x):
    return libdevice.tan(x)


@triton.jit
def asin(x):
    return libdevice.asin(x)


@triton.jit
def acos(x):
    return libdevice.acos(x)


@triton.jit
def _atan_of_fraction(t):
    return t * polynomial(t * t, _ATAN)


@triton.jit
def atan(x):
    if x.dtype == tl.float32 and on_gpu():
        a = tl.abs(x)
        inverts = a > 1
        angle = _atan_of_fraction(tl.where(inverts, light_reciprocal(a), a))
        return libdevice.copysign(tl.where(inverts, 1.5707963267948966 - angle, angle), x)
    else:
        return libdevice.atan(x)


@triton.jit
def atan2(y, x):
    if x.dtype == tl.float32 and on_gpu():
        y, x = tl.broadcast(y, x)
        a, b = tl.abs(x), tl.abs(y)
        is_steep = b > a
        larger = tl.where(is_steep, b, a)
        ratio = tl.where(is_steep, a, b) / larger
        ratio = tl.where(a == b, tl.where(a == 0, 0.0, 1.0), ratio)
        angle = _atan_of_fraction(ratio)
        angle = tl.where(is_steep, 1.5707963267948966 - angle, angle)
        is_left = x.to(tl.int32, bitcast=True) < 0  # -0.0 too
        return libdevice.copysign(tl.where(is_left, 3.141592653589793 - angle, angle), y)
    else:
        return libdevice.atan2(y, x)


@triton.jit
def sinh(x):
    if x.dtype == tl.float32 and on_gpu():
        # The square root of exp(|x|) is finite wherever the result is.
        root = libdevice.exp(0.5 * tl.abs(x))
        half = 0.5 * root * root
        large = libdevice.copysign(half - 0.25 * light_reciprocal(half), x)
        return tl.where(tl.abs(x) < 1, x * polynomial(x * x, _SINH), large)
    else:
        return libdevice.sinh(x)


@triton.jit
def cosh(x):
    return libdevice.cosh(x)


@triton.jit
def asinh(x):
    if x.dtype == tl.float32 and on_gpu():
        a = tl.abs(x)
        is_huge = a > 1e9
        log = light_log_of_normal(a + tl.where(is_huge, 0.0, tl.sqrt(tl.fma(a, a, 1.0))))
        large = libdevice.copysign(log + tl.where(is_huge, 0.6931471805599453, 0.0), x)
        return tl.where(a < 0.75, x * polynomial(x * x, _ASINH), large)
    else:
        return libdevice.asinh(x)


@triton.jit
def acosh(x):
    return libdevice.acosh(x)


@triton.jit
def atanh(x):
    if x.dtype == tl.float32 and on_gpu():
        a = tl.abs(x)
        large = 0.5 * light_log_of_normal((1 + a) * light_reciprocal(1 - a))
        large = tl.where(a > 1, float("nan"), large)  # a reciprocal of 0 would make it infinite
        return tl.where(a < 0.5, x * polynomial(x * x, _ATANH), libdevice.copysign(large, x))
    else:
        return libdevice.atanh(x)


@triton.jit
def erfc(x):
    return libdevice.erfc(x)


@triton.jit
def sinc(x):
    """sin(pi x) / (pi x)"""
    angle = x * 3.141592653589793
    return tl.where(x == 0, 1.0, libdevice.sin(angle) / angle)


@triton.jit
def angle(x):
    """Of a real number on the complex plane: 0 or pi."""
    pi = tl.full(x.shape, 3.141592653589793, x.dtype)
    return tl.where(x < 0, pi, tl.where(x != x, x, 0.0))


@triton.jit
def log_add_exp(x, y):
    """log(exp(x) + exp(y)); the same infinity twice would give inf - inf."""
    larger = tl.maximum(x, y)
    result = larger + log1p_of_fraction(libdevice.exp(-tl.abs(x - y)))
    return tl.where((tl.abs(x) == float("inf")) & (x == y), x, result)


@triton.jit
def log_add_exp2(x, y):
    larger = tl.maximum(x, y)
    result = larger + log1p_of_fraction(libdevice.exp2(-tl.abs(x - y))) * 1.4426950408889634
    return tl.where((tl.abs(x) == float("inf")) & (x == y), x, result)


@triton.jit
def x_log_y(x, y):
    return tl.where(y != y, y, tl.where(x == 0, 0.0, x * libdevice.log(y)))


@triton.jit
def x_log1p_y(x, y):
    return tl.where(y != y, y, tl.where(x == 0, 0.0, x * libdevice.log1p(y)))
