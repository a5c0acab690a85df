# SPDX-License-Identifier: Apache-2.0
"""Parts of batch norm over several processes (SyncBatchNorm): what PyTorch's module computes
between its exchanges.

Functions of reductions and of single elements. Means of channels and 1 / deviation come as tensors;
statistics of the processes are merged pairwise (reduction/statistics.py: merge).
"""

import triton
import triton.language as tl

from reduction.norm import root
from reduction.statistics import merge as merge
from reduction.statistics import update as update


@triton.jit
def _inverse_deviation(variance, eps):
    """0 where there is neither variance nor eps."""
    deviation = root(variance + eps.to(variance.dtype))
    return tl.where(deviation == 0, 0.0, 1.0 / deviation)


@triton.jit
def mean_and_inverse(mean, squares, count, eps):
    """batch_norm_stats: results from Welford's."""
    return mean, _inverse_deviation(squares / count.to(mean.dtype), eps)


@triton.jit
def statistics_of_batch(mean, squares, count):
    """batch_norm_update_stats: mean, variance, and the unbiased variance."""
    divisor = count.to(mean.dtype)
    return mean, squares / divisor, squares / (divisor - 1)


@triton.jit
def of_process(mean, inverse, count, eps):
    """batch_norm_gather_stats: Welford's numbers of one process."""
    deviation = 1.0 / inverse
    return mean, (deviation * deviation - eps.to(mean.dtype)) * count, count


@triton.jit
def of_all(mean, squares, count, eps):
    """The same, of all processes: mean, 1 / deviation, and the unbiased variance."""
    return mean, _inverse_deviation(squares / count, eps), squares / (count - 1)


@triton.jit
def add_pairs(a, b, other_a, other_b):
    """Combines two pairs of sums."""
    return a + other_a, b + other_b


@triton.jit
def gradient_and_moment(grad, x, mean):
    """batch_norm_backward_reduce: what is summed up."""
    return grad, grad * (x - mean)


@triton.jit
def moved(value, running, momentum):
    """A running statistic after one more batch."""
    momentum = momentum.to(value.dtype)
    return (1.0 - momentum) * running + momentum * value


@triton.jit
def product(a, b):
    """The gradient of the weight: a sum of moments times 1 / deviation."""
    return a * b


@triton.jit
def normalized(x, mean, inverse, weight, bias, has_weight: tl.constexpr, has_bias: tl.constexpr):
    """batch_norm_elemt."""
    result = (x - mean) * inverse
    if has_weight:
        result = result * weight
    if has_bias:
        result = result + bias
    return result


@triton.jit
def gradient(
    grad, x, mean, inverse, weight, sum_grad, sum_moment, count, has_weight: tl.constexpr
):  # fmt: skip
    """batch_norm_backward_elemt; count of all processes."""
    along_mean = sum_grad / count
    along_deviation = inverse * inverse * (sum_moment / count)
    result = (grad - along_mean - (x - mean) * along_deviation) * inverse
    if has_weight:
        result = result * weight
    return result
