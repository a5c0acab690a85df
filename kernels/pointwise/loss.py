# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of losses of a prediction and a target, and of their derivatives.

A loss takes (prediction, target[, weights][, parameter]); kernels/loss/pointwise_loss.py sums the
same functions. A derivative takes (prediction, target, gradient[, weight], numbers), where `norm`
is 1, or 1 / count for a mean.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import quotient
from pointwise.elementary import light_log, log1m_of_half, log1p_of_fraction


@triton.jit
def squared_error(x, target):
    return (x - target) * (x - target)


@triton.jit
def squared_error_backward(x, target, grad_output, norm):
    return norm * (x - target) * grad_output


@triton.jit
def smooth_l1(x, target, beta):
    distance = tl.abs(x - target)
    return tl.where(
        distance < beta, 0.5 * distance * distance * (1.0 / beta), distance - 0.5 * beta
    )


@triton.jit
def smooth_l1_backward(x, target, grad_output, norm, beta):
    """At a distance of -beta the slope is -1, also for beta = 0, as ATen has it."""
    difference = x - target
    slope = tl.where(difference >= beta, 1.0, difference * (1.0 / beta))
    slope = tl.where(difference <= -beta, -1.0, slope)
    return norm * slope * grad_output


@triton.jit
def huber(x, target, delta):
    distance = tl.abs(x - target)
    return tl.where(distance <= delta, 0.5 * distance * distance, delta * (distance - 0.5 * delta))


@triton.jit
def huber_backward(x, target, grad_output, norm, delta):
    difference = x - target
    slope = tl.where(difference >= delta, delta, difference)
    slope = tl.where(difference <= -delta, -delta, slope)
    return norm * slope * grad_output


@triton.jit
def soft_margin(x, target):
    z = -x * target
    return tl.maximum(z, 0.0) + log1p_of_fraction(libdevice.exp(-tl.abs(z)))


@triton.jit
def soft_margin_backward(x, target, grad_output, norm):
    z = libdevice.exp(-target * x)
    return quotient(-norm * target * z, z + 1.0) * grad_output


@triton.jit
def cross_entropy(x, target):
    """Of probabilities; each logarithm is at least -100, so that 0 * log(0) is 0. NaN stays NaN.

    fp32: of x and 1 - x, which is exact where it is the smaller one, only the smaller one's
    logarithm is a logarithm; the larger one's is a polynomial of the smaller. 30 instructions an
    element on an H100, of which libdevice's log and log1p would be 60.
    """
    if x.dtype == tl.float32:
        smaller = tl.minimum(x, 1.0 - x)
        log_smaller = light_log(smaller)
        log_smaller = tl.where(log_smaller < -100.0, -100.0, log_smaller)
        log_larger = log1m_of_half(smaller)
        share = tl.where(x < 0.5, target, 1.0 - target)
        return share * (log_larger - log_smaller) - log_larger
    else:
        log_miss = libdevice.log1p(-x)
        log_hit = libdevice.log(x)
        log_miss = tl.where(log_miss < -100.0, -100.0, log_miss)
        log_hit = tl.where(log_hit < -100.0, -100.0, log_hit)
        return (target - 1.0) * log_miss - target * log_hit


@triton.jit
def weighted_cross_entropy(x, target, weight):
    return cross_entropy(x, target) * weight


@triton.jit
def cross_entropy_backward(x, target, grad_output, norm):
    variance = (1.0 - x) * x
    variance = tl.where(variance < 1e-12, 1e-12, variance)
    return quotient(grad_output * (x - target), variance) * norm


@triton.jit
def weighted_cross_entropy_backward(x, target, grad_output, weight, norm):
    return cross_entropy_backward(x, target, grad_output, norm) * weight


@triton.jit
def log_sigmoid(x):
    """min(x, 0) - log1p(exp(-|x|)): no overflow on either side."""
    return tl.where(x < 0, x, x * 0) - log1p_of_fraction(libdevice.exp(-tl.abs(x)))


@triton.jit
def logit_cross_entropy(x, target):
    return (1.0 - target) * x - log_sigmoid(x)


@triton.jit
def logit_cross_entropy_weighted(x, target, weight):
    return logit_cross_entropy(x, target) * weight


@triton.jit
def logit_cross_entropy_positive(x, target, pos_weight):
    return (1.0 - target) * x - log_sigmoid(x) * ((pos_weight - 1.0) * target + 1.0)


@triton.jit
def logit_cross_entropy_both(x, target, weight, pos_weight):
    return logit_cross_entropy_positive(x, target, pos_weight) * weight
