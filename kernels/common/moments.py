# SPDX-License-Identifier: Apache-2.0
"""Mean and sum of squared deviations in one pass over the data.

Note [Shifted moments]
Lanes add d and d * d of the deviation d = x - shift. With the mean of the first tile as the shift,
the cancellation in sum(d * d) - sum(d)^2 / n costs at most a factor n / tile of rounding error in
the variance, whatever the data: if all other elements lie far from the first tile, then so does the
first tile from them, and the variance is of that size as well. Moments of disjoint parts are
combined by Chan's formula, in a fixed order.
"""

import triton
import triton.language as tl


@triton.jit
def finite_shift(total, count):
    """The shift from the sum of `count` elements; 0 if it is not finite, so that only the elements
    say what the mean is.
    """
    shift = total / count
    return tl.where(tl.abs(shift) < float("inf"), shift, 0.0)


@triton.jit
def center_tile(x, mask, count):
    """(mean, deviations from it, sum of their squares) of the `count` elements of a tile, which is
    zero elsewhere: exact, in two steps over what is in registers.
    """
    mean = tl.sum(tl.sum(x, 1), 0) / count
    deviations = tl.where(mask, x - mean, 0.0)
    return mean, deviations, tl.sum(tl.sum(deviations * deviations, 1), 0)


@triton.jit
def from_shifted(shift, first_order, second_order, count):
    """(mean, sum of squared deviations) from the sums of d and d * d."""
    squares = second_order - first_order * first_order / count
    return shift + first_order / count, tl.where(squares < 0.0, 0.0, squares)


@triton.jit
def combine_moments(mean_a, squares_a, count_a, mean_b, squares_b, count_b):
    """Chan's formula; both counts are positive or one of the parts is empty (all zeros)."""
    count = count_a + count_b
    delta = mean_b - mean_a
    share = tl.where(count_b > 0, count_b / tl.where(count > 0, count, 1.0), 0.0)
    mean = tl.where(count_a > 0, mean_a + delta * share, mean_b)
    cross = tl.where((count_a > 0) & (count_b > 0), delta * delta * count_a * share, 0.0)
    return mean, squares_a + squares_b + cross, count
