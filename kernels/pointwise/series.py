# SPDX-License-Identifier: Apache-2.0
"""Polynomials and Chebyshev series with constant coefficients, highest order first."""

import triton
import triton.language as tl


@triton.jit
def polynomial(x, C: tl.constexpr):
    """Horner's rule."""
    y = tl.full(x.shape, C[0], x.dtype)
    for i in tl.static_range(1, len(C)):
        y = y * x + C[i]
    return y


@triton.jit
def chebyshev(x, C: tl.constexpr):
    """Clenshaw's rule; x runs over [-2, 2], as in Cephes."""
    b0 = tl.full(x.shape, C[0], x.dtype)
    b1 = tl.zeros_like(b0)
    b2 = tl.zeros_like(b0)
    for i in tl.static_range(1, len(C)):
        b2 = b1
        b1 = b0
        b0 = x * b1 - b2 + C[i]
    return 0.5 * (b0 - b2)
