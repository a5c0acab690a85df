# SPDX-License-Identifier: Apache-2.0
"""Vector norms of any order, and norms of a difference (dist)."""

import triton
import triton.language as tl
from triton.language.extra import libdevice


@triton.jit
def add(a, b):
    """Combines two sums."""
    return a + b


@triton.jit
def maximum(a, b):
    """Combines two largest magnitudes; NaN wins."""
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def minimum(a, b):
    """Combines two smallest magnitudes; NaN wins."""
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def is_nonzero(x):
    """Order 0."""
    return x != 0


@triton.jit
def magnitude(x):
    """Orders 1, infinity and minus infinity."""
    return tl.abs(x)


@triton.jit
def square(x):
    """Order 2."""
    return x * x


@triton.jit
def root(total):
    """Order 2; correctly rounded."""
    if total.dtype == tl.float64:
        return tl.sqrt(total)
    else:
        return tl.sqrt_rn(total)


@triton.jit
def cube(x):
    """Order 3: a general power of every element took 260 us of (8192, 8192) bf16 on an H100."""
    x = tl.abs(x)
    return x * x * x


@triton.jit
def cube_root(total):
    """Order 3."""
    return libdevice.cbrt(total)


@triton.jit
def power(x, order):
    """Any other order."""
    return libdevice.pow(tl.abs(x), order.to(x.dtype))


@triton.jit
def inverse_power(total, inverse_order):
    """Any other order."""
    return libdevice.pow(total, inverse_order.to(total.dtype))


@triton.jit
def difference_is_nonzero(x, y):
    """Order 0 of a difference."""
    return x != y


@triton.jit
def difference_magnitude(x, y):
    """Orders 1, infinity and minus infinity of a difference."""
    return tl.abs(x - y)


@triton.jit
def difference_square(x, y):
    """Order 2 of a difference."""
    return (x - y) * (x - y)


@triton.jit
def difference_cube(x, y):
    """Order 3 of a difference."""
    return cube(x - y)


@triton.jit
def difference_power(x, y, order):
    """Any other order of a difference."""
    return libdevice.pow(tl.abs(x - y), order.to(x.dtype))
