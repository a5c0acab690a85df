# SPDX-License-Identifier: Apache-2.0
"""Largest and smallest elements, with and without their index.

NaN wins, and of equals the first, as in ATen. 16-bit floats are compared in fp32, which is exact.
"""

import triton
import triton.language as tl


@triton.jit
def maximum(a, b):
    """Combines two values."""
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(a, b):
    """Combines two values."""
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def both(x):
    """An element of aminmax."""
    return x, x


@triton.jit
def minimum_and_maximum(low, high, other_low, other_high):
    """Combines two pairs."""
    return minimum(low, other_low), maximum(high, other_high)


@triton.jit
def update_larger(best, best_index, x, index):
    """A lane meets its elements in order: only a greater one, or the first NaN, takes its place.

    The start is (lowest, 0): elements that are all the lowest value leave index 0, which is right.
    """
    taken = ~(x <= best) & (best == best)
    return tl.where(taken, x, best), tl.where(taken, index, best_index)


@triton.jit
def update_smaller(best, best_index, x, index):
    """The same for the smallest."""
    taken = ~(x >= best) & (best == best)
    return tl.where(taken, x, best), tl.where(taken, index, best_index)


@triton.jit
def _is_tie_before(a, a_index, b, b_index):
    return ((a == b) | ((a != a) & (b != b))) & (b_index < a_index)


@triton.jit
def larger(a, a_index, b, b_index):
    """Combines two lanes, whose elements are interleaved."""
    taken = (~(b <= a) & (a == a)) | _is_tie_before(a, a_index, b, b_index)
    return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def smaller(a, a_index, b, b_index):
    """The same for the smallest."""
    taken = (~(b >= a) & (a == a)) | _is_tie_before(a, a_index, b, b_index)
    return tl.where(taken, b, a), tl.where(taken, b_index, a_index)


@triton.jit
def only_index(best, best_index):
    """argmax, argmin."""
    return best_index
