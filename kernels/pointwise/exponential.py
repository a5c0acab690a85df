# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of exponentials, logarithms and trigonometry; all take and return floats."""

import triton
import triton.language as tl
from triton.language.extra import libdevice


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
