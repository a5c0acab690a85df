# SPDX-License-Identifier: Apache-2.0
"""Rotary position embedding (Su et al. 2021) of one pair of elements; floats."""

import triton


@triton.jit
def rotate(x1, x2, cos, sin):
    return x1 * cos - x2 * sin, x2 * cos + x1 * sin
