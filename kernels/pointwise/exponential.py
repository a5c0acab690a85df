# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of exponentials, logarithms and trigonometry; all take and return floats."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import quotient


@triton.jit
def exp(x):
    return libdevice.exp(x)


@triton.jit
def exp2(x):
    return libdevice.exp2(x)


@triton.jit
def expm1(x):
    return libdevice.expm1(x)


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
def atan(x):
    return libdevice.atan(x)


@triton.jit
def atan2(y, x):
    return libdevice.atan2(y, x)


@triton.jit
def sinh(x):
    return libdevice.sinh(x)


@triton.jit
def cosh(x):
    return libdevice.cosh(x)


@triton.jit
def asinh(x):
    return libdevice.asinh(x)


@triton.jit
def acosh(x):
    return libdevice.acosh(x)


@triton.jit
def atanh(x):
    return libdevice.atanh(x)


@triton.jit
def erfc(x):
    return libdevice.erfc(x)


@triton.jit
def sinc(x):
    """sin(pi x) / (pi x)"""
    angle = x * 3.141592653589793
    return tl.where(x == 0, 1.0, quotient(libdevice.sin(angle), angle))


@triton.jit
def angle(x):
    """Of a real number on the complex plane: 0 or pi."""
    pi = tl.full(x.shape, 3.141592653589793, x.dtype)
    return tl.where(x < 0, pi, tl.where(x != x, x, 0.0))


@triton.jit
def log_add_exp(x, y):
    """log(exp(x) + exp(y)); the same infinity twice would give inf - inf."""
    larger = tl.maximum(x, y)
    result = larger + libdevice.log1p(libdevice.exp(-tl.abs(x - y)))
    return tl.where((tl.abs(x) == float("inf")) & (x == y), x, result)


@triton.jit
def log_add_exp2(x, y):
    larger = tl.maximum(x, y)
    result = larger + libdevice.log1p(libdevice.exp2(-tl.abs(x - y))) * 1.4426950408889634
    return tl.where((tl.abs(x) == float("inf")) & (x == y), x, result)


@triton.jit
def x_log_y(x, y):
    return tl.where(y != y, y, tl.where(x == 0, 0.0, x * libdevice.log(y)))


@triton.jit
def x_log1p_y(x, y):
    return tl.where(y != y, y, tl.where(x == 0, 0.0, x * libdevice.log1p(y)))
