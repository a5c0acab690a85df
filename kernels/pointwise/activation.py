# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of activations and their derivatives; floats but for relu and threshold."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import quotient


@triton.jit
def sigmoid(x):
    return quotient(tl.full(x.shape, 1.0, x.dtype), 1 + libdevice.exp(-x))


@triton.jit
def sigmoid_backward(grad_output, output):
    return grad_output * (1 - output) * output


@triton.jit
def relu(x):
    """max(x, 0); NaN stays NaN, since every comparison with it is false."""
    return tl.where(x < 0, tl.zeros_like(x), x)


@triton.jit
def threshold(x, other, limit, value):
    """ATen's iterator holds the input twice."""
    return tl.where(x <= limit, value, other)


@triton.jit
def threshold_backward(x, grad_output, limit):
    """ATen's iterator holds the input before the gradient here."""
    return tl.where(x <= limit, tl.zeros_like(grad_output), grad_output)


@triton.jit
def silu(x):
    return quotient(x, 1 + libdevice.exp(-x))


@triton.jit
def silu_backward(grad_output, x):
    s = sigmoid(x)
    return grad_output * s * (1 + x * (1 - s))


@triton.jit
def gelu(x, approximate: tl.constexpr):
    """Hendrycks & Gimpel 2016: x * Phi(x), or its approximation by tanh."""
    if approximate == "tanh":
        inner = 0.7978845608028654 * (x + 0.044715 * x * x * x)  # sqrt(2 / pi)
        return 0.5 * x * (1 + libdevice.tanh(inner))
    else:
        half = 0.5 * x
        return half + half * tl.erf(x * 0.7071067811865476)  # one fma instead of add and mul


@triton.jit
def gelu_backward(grad_output, x, approximate: tl.constexpr):
    if approximate == "tanh":
        square = x * x
        t = libdevice.tanh(0.7978845608028654 * (x + 0.044715 * square * x))
        inner_slope = 0.7978845608028654 * (1 + 3 * 0.044715 * square)
        slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope
    else:
        cdf = 0.5 * (1 + tl.erf(x * 0.7071067811865476))
        pdf = 0.3989422804014327 * libdevice.exp(-0.5 * x * x)  # 1 / sqrt(2 pi)
        slope = cdf + x * pdf
    return grad_output * slope
