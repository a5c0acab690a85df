# SPDX-License-Identifier: Apache-2.0
"""any and all. NaN counts as true, as in ATen; the accumulator is 0 or 1."""

import triton


@triton.jit
def truth(x):
    """0 or 1."""
    return x != 0


@triton.jit
def either(a, b):
    """Combines two values of any."""
    return a | b


@triton.jit
def both(a, b):
    """Combines two values of all."""
    return a & b
