# SPDX-License-Identifier: Apache-2.0
"""Sums, products and what is made of them: scalar functions for the reduction engine.

16-bit floats accumulate in fp32, integers and bool in int64, as in ATen.
"""

import triton
import triton.language as tl


@triton.jit
def add(a, b):
    """Combines two sums."""
    return a + b


@triton.jit
def mean(total, count):
    """0 / 0, NaN, for no elements."""
    return total / count.to(total.dtype)


@triton.jit
def without_nan(x):
    """An element of nansum."""
    return tl.where(x == x, x, 0.0)


@triton.jit
def is_nonzero(x):
    """An element of count_nonzero; NaN is not zero."""
    return x != 0


@triton.jit
def multiply(a, b):
    """Combines two products; what dot sums up."""
    return a * b
