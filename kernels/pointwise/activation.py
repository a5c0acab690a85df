# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of activations and their derivatives; floats but for relu and threshold."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import on_gpu
from pointwise.arithmetic import clamp, minimum, quotient
from pointwise.elementary import expm1, light_reciprocal, log1p_of_fraction


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
def _normal_tail(x):
    """Twice the probability that a standard normal is further out than fp32 x: erfc(|x| / sqrt(2)),
    off by 2e-7. A polynomial of log2, fitted for |x| < 6.5 by reweighted least squares with the
    error's effect on gelu as weight; beyond, it falls below the smallest fp32.
    """
    t = tl.abs(x)
    log2 = -1.9020489e-06 * t + 2.8056698e-05
    log2 = log2 * t - 0.00013147184
    log2 = log2 * t - 0.0002720798
    log2 = log2 * t + 0.007245428
    log2 = log2 * t - 0.052627616
    log2 = log2 * t - 0.45916215
    log2 = log2 * t - 1.151111
    return tl.exp2(log2 * t)


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
def gelu_by_power(x, approximate: tl.constexpr):
    """gelu for GPUs, in fp32 by one polynomial and one power of 2.

    Some 17 instructions a thread and element. libdevice's erf makes it 38, and the arithmetic then
    takes longer than the memory: 0.91 of ATen's speed on (8192, 8192) bf16 on an H200, against 1.05
    this way on an H100. On a CPU with AVX-512 our erf is cheaper than our exp2: 1.02 to 1.08 of
    ATen's speed on (1024, 4096) bf16 in three runs, against 0.92 this way.
    """
    if approximate == "none" and x.dtype == tl.float32:
        # Clamped from above only: infinity stays, and -infinity becomes NaN, as in ATen.
        below = 0.5 * tl.minimum(x, 16.0) * _normal_tail(x)
        return tl.where(x > 0, x - below, below)
    else:
        return gelu(x, approximate)


@triton.jit
def gelu_backward(grad_output, x, approximate: tl.constexpr):
    if approximate == "tanh":
        square = x * x
        t = libdevice.tanh(0.7978845608028654 * (x + 0.044715 * square * x))
        inner_slope = 0.7978845608028654 * (1 + 3 * 0.044715 * square)
        slope = 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * inner_slope
    else:
        if x.dtype == tl.float32 and on_gpu():
            below = 0.5 * _normal_tail(x)
            cdf = tl.where(x > 0, 1 - below, below)
        else:
            cdf = 0.5 * (1 + tl.erf(x * 0.7071067811865476))
        pdf = 0.3989422804014327 * libdevice.exp(-0.5 * x * x)  # 1 / sqrt(2 pi)
        slope = cdf + x * pdf
    return grad_output * slope


@triton.jit
def elu(x, alpha, scale, input_scale):
    return tl.where(x < 0, expm1(x * input_scale) * (alpha * scale), x * scale)


@triton.jit
def elu_backward(grad_output, x, alpha, scale, input_scale, is_result: tl.constexpr):
    """`x` is the input, or the result, from which exp(input) follows."""
    if is_result:
        slope = input_scale * (x + alpha * scale)
    else:
        slope = input_scale * (alpha * scale) * libdevice.exp(x * input_scale)
    return grad_output * tl.where(x <= 0, slope, scale)


@triton.jit
def celu(x, alpha):
    return tl.where(x < 0, expm1(x * (1 / alpha)) * alpha, x)


@triton.jit
def hardshrink(x, limit):
    return tl.where((x >= -limit) & (x <= limit), 0.0, x)


@triton.jit
def softshrink(x, limit):
    """NaN stays NaN."""
    return tl.where(x > limit, x - limit, tl.where(x < -limit, x + limit, x * 0))


@triton.jit
def shrink_backward(grad_output, x, limit):
    return tl.where((x >= -limit) & (x <= limit), 0.0, grad_output)


@triton.jit
def hardsigmoid(x):
    return clamp(x + 3, 0.0, 6.0) / 6


@triton.jit
def hardsigmoid_backward(grad_output, x):
    return tl.where((x > -3) & (x < 3), grad_output * 0.16666666666666666, 0.0)


@triton.jit
def hardswish(x):
    return x * clamp(x + 3, 0.0, 6.0) / 6


@triton.jit
def hardswish_backward(grad_output, x):
    inside = grad_output * (x / 3 + 0.5)
    return tl.where(x <= -3, 0.0, tl.where(x < 3, inside, grad_output))


@triton.jit
def hardtanh_backward(grad_output, x, low, high):
    return tl.where((x <= low) | (x >= high), 0.0, grad_output)


@triton.jit
def leaky_relu(x, slope):
    return tl.where(x > 0, x, x * slope)


@triton.jit
def leaky_relu_backward(x, grad_output, slope, is_result: tl.constexpr):
    """ATen's iterator holds the input before the gradient; the result has the input's sign."""
    return tl.where(x > 0, grad_output, grad_output * slope)


@triton.jit
def prelu_backward(x, weight, grad_output):
    """Gradients of input and weight, before the latter is summed."""
    positive = x > 0
    grad_x = tl.where(positive, grad_output, weight * grad_output)
    return grad_x, tl.where(positive, 0.0, x * grad_output)


@triton.jit
def softplus(x, beta, limit):
    """log(1 + exp(beta x)) / beta; x itself beyond the limit, where the two agree."""
    scaled = x * beta
    log = tl.maximum(scaled, 0.0) + log1p_of_fraction(libdevice.exp(-tl.abs(scaled)))
    return tl.where(scaled > limit, x, log / beta)


@triton.jit
def softplus_backward(grad_output, x, beta, limit):
    scaled = x * beta
    e = libdevice.exp(scaled)
    return tl.where(scaled > limit, grad_output, grad_output * e / (e + 1))


@triton.jit
def _mish_parts(x):
    """n, 1 / (n + 2) and e = exp(x): tanh(log(1 + e)) = n / (n + 2) for n = e (e + 2), with a slope
    of 4 e (1 + e) / (n + 2)^2. Beyond x = 20, where it is 1, powers of e would overflow."""
    e = libdevice.exp(tl.minimum(x, 20.0))
    n = e * (e + 2)
    return n, light_reciprocal(n + 2), e


@triton.jit
def mish(x):
    n, inverse, _ = _mish_parts(x)
    return x * (n * inverse)


@triton.jit
def mish_backward(grad_output, x):
    n, inverse, e = _mish_parts(x)
    slope = tl.where(x > 20, 0.0, (4 * e * (1 + e)) * (inverse * inverse))
    return grad_output * (n * inverse + x * slope)


@triton.jit
def glu(value, gate):
    return value * sigmoid(gate)


@triton.jit
def glu_backward(grad_output, value, gate):
    """Gradients of both halves."""
    s = sigmoid(gate)
    return grad_output * s, (1 - s) * s * grad_output * value


@triton.jit
def log_sigmoid(x):
    """The result, and exp(-|x|) for the backward pass."""
    e = libdevice.exp(-tl.abs(x))
    return minimum(x, tl.zeros_like(x)) - log1p_of_fraction(e), e


@triton.jit
def log_sigmoid_alone(x):
    """Without what the backward pass does not read on GPUs."""
    result, _ = log_sigmoid(x)
    return result


@triton.jit
def log_sigmoid_backward(grad_output, x):
    """1 - sigmoid(x) is 1 / (1 + exp(x)); where the power overflows, it is 0 but for denormals."""
    return quotient(grad_output, 1 + libdevice.exp(x))


@triton.jit
def logit(x):
    return libdevice.log(x / (1 - x))


@triton.jit
def logit_clamped(x, eps):
    y = clamp(x, eps, 1 - eps)
    return libdevice.log(y / (1 - y))


@triton.jit
def logit_backward(grad_output, x):
    """NaN outside of [0, 1]; infinite at its ends, whatever the gradient's sign is there."""
    outside = (x < 0) | (x > 1)
    return tl.where(outside, float("nan"), quotient(grad_output, x * (1 - x)))


@triton.jit
def logit_clamped_backward(grad_output, x, eps):
    outside = (x < eps) | (x > 1 - eps)
    return tl.where(outside, 0.0, quotient(grad_output, x * (1 - x)))


@triton.jit
def add_relu(x, y, alpha):
    """ATen's clamps to the largest finite number."""
    total = x + alpha * y
    if total.dtype == tl.float32:
        return clamp(total, 0.0, 3.4028234663852886e38)
    elif total.dtype == tl.float64:
        return clamp(total, 0.0, tl.full(total.shape, 1.7976931348623157e308, tl.float64))
    else:
        return tl.maximum(total, 0)
