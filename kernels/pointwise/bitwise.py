# SPDX-License-Identifier: Apache-2.0
"""Scalar functions on the bits of integers and bools; bools arrive as one bit."""

import triton


@triton.jit
def bitwise_and(x, y):
    return x & y


@triton.jit
def bitwise_or(x, y):
    return x | y


@triton.jit
def bitwise_xor(x, y):
    return x ^ y


@triton.jit
def bitwise_not(x):
    return ~x
