# SPDX-License-Identifier: Apache-2.0
"""Variance and standard deviation in one pass.

Each lane keeps mean, sum of squared differences from it and count (Welford), and lanes are merged
pairwise (Chan): the error does not grow with the distance of the mean from zero. Where there is
more than a step to read, lanes add up distances from a shift instead.
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
def finite(mean):
    """The shift of a pass whose first elements have this mean."""
    return tl.where(tl.abs(mean) < float("inf"), mean, 0.0)


@triton.jit
def distances(x, shift):
    """An element of a shifted pass."""
    distance = x - shift
    return distance, distance * distance


@triton.jit
def add(total, squares, other_total, other_squares):
    """Adds up distances and their squares."""
    return total + other_total, squares + other_squares


@triton.jit
def from_distances(total, squares, shift, count):
    """(mean, squares, count) of `count` elements. Squares of finite numbers that overflow are
    infinite, and with infinite elements both are NaN, as in ATen, wherever these lie.
    """
    delta = total / count.to(total.dtype)
    centered = squares - total * delta
    centered = tl.where(centered < 0.0, 0.0, centered)
    overflows = (squares == float("inf")) & (tl.abs(total) < float("inf"))
    centered = tl.where(overflows, squares, centered)
    mean = tl.where(centered == centered, shift + delta, centered)
    return mean, centered, tl.full(total.shape, 0, count.dtype) + count


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
