# SPDX-License-Identifier: Apache-2.0
"""Variance and standard deviation in one pass.

Each lane keeps mean, sum of squared differences from it and count (Welford), and lanes are merged
pairwise (Chan): the error does not grow with the distance of the mean from zero.
"""

import triton
import triton.language as tl

from reduction.norm import root


@triton.jit
def update(mean, squares, count, x):
    """One more element. The count is the same in all lanes of a full tile: one division for all."""
    count += 1
    delta = x - mean
    mean += delta * (1.0 / count.to(x.dtype))
    return mean, squares + delta * (x - mean), count


@triton.jit
def merge(mean, squares, count, other_mean, other_squares, other_count):
    """Two sets of elements; a lane may have seen none, whatever is in the other."""
    total = count + other_count
    weight = other_count.to(mean.dtype) / tl.maximum(total, 1).to(mean.dtype)
    delta = other_mean - mean
    between = delta * delta * count.to(mean.dtype) * weight
    squares += other_squares + tl.where((count == 0) | (other_count == 0), 0.0, between)
    return mean + delta * weight, squares, total


@triton.jit
def variance(mean, squares, count, correction):
    """NaN for no elements; infinity or NaN where the correction leaves nothing, as in ATen."""
    return squares / tl.maximum(count.to(mean.dtype) - correction.to(mean.dtype), 0.0)


@triton.jit
def deviation(mean, squares, count, correction):
    """The root of the variance."""
    return root(variance(mean, squares, count, correction))


@triton.jit
def variance_and_mean(mean, squares, count, correction):
    """Two results."""
    return variance(mean, squares, count, correction), mean


@triton.jit
def deviation_and_mean(mean, squares, count, correction):
    """Two results."""
    return deviation(mean, squares, count, correction), mean
