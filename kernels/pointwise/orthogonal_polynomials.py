# SPDX-License-Identifier: Apache-2.0
"""Scalar functions: orthogonal polynomials of order n at x, by their three-term recurrences.

As in ATen, n is cut to an integer, orders below 0 give 0, and Chebyshev's of a high order inside of
(-1, 1), where the recurrence would lose digits, come from cos(n acos(x)) and the like.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import each_lane, on_gpu
from pointwise.arithmetic import any_lane, quotient


@triton.jit
def _order(n):
    """As the conversion to int64: what does not fit is negative, which is no order."""
    whole = libdevice.trunc(n)
    return tl.where(tl.abs(whole) < 9.223372036854775808e18, whole, -1.0)


@triton.jit
def _saturated_order(n):
    """On GPUs that conversion ends at the largest integer, whose recurrence ends in NaN."""
    whole = _order(n)
    if on_gpu():
        limit = 9.223372036854775808e18
        return tl.where(n >= limit, limit, whole)
    else:
        return whole


@triton.jit
def _is_even(n):
    half = n * 0.5
    return half == tl.floor(half)


@triton.jit
def _alternate(n, value):
    return tl.where(_is_even(n), value, -value)


@triton.jit
def _recurrence(x2, first, n):
    """p_k = x2 p_(k-1) - p_(k-2), from 1 and `first`; NaN ends it."""
    p = tl.full(first.shape, 1.0, first.dtype)
    q = first
    k = 2.0
    active = (n >= k) & (q == q)
    while any_lane(active):
        r = x2 * q - p
        p = tl.where(active, q, p)
        q = tl.where(active, r, q)
        k += 1.0
        active = active & (n >= k) & (q == q)
    return tl.where(n < 1, 1.0, q)


@triton.jit
def _by_recurrence(x2, first, n):
    return each_lane(_recurrence, x2, first, n)


# x and n arrive in one shape from here on; FROM: the order from which on angles are used.


@triton.jit
def _first_kind(x, n, FROM: tl.constexpr):
    angle = libdevice.cos(n * libdevice.acos(x))
    by_angle = (n > FROM) & (tl.abs(x) < 1)
    steps = tl.where(by_angle | (tl.abs(x) == 1), 0.0, n)
    result = tl.where(by_angle, angle, _by_recurrence(x + x, x, steps))
    result = tl.where(x == 1, 1.0, tl.where(x == -1, _alternate(n, 1.0), result))
    return tl.where(n < 0, 0.0, result)


@triton.jit
def _second_kind(x, n, FROM: tl.constexpr):
    theta = libdevice.acos(x)
    angle = quotient(libdevice.sin((n + 1) * theta), libdevice.sin(theta))
    by_angle = (n > FROM) & (tl.abs(x) < 1)
    steps = tl.where(by_angle | (tl.abs(x) == 1), 0.0, n)
    result = tl.where(by_angle, angle, _by_recurrence(x + x, x + x, steps))
    result = tl.where(x == 1, n + 1, tl.where(x == -1, _alternate(n, n + 1), result))
    return tl.where(n < 0, 0.0, result)


@triton.jit
def _third_kind(x, n, FROM: tl.constexpr):
    theta = libdevice.acos(x)
    angle = quotient(libdevice.cos((n + 0.5) * theta), libdevice.cos(theta * 0.5))
    angle = tl.where(libdevice.sin(theta * 0.5) == 1, _alternate(n, n + n + 1), angle)
    by_angle = (n > FROM) & (tl.abs(x) < 1)
    steps = tl.where(by_angle | (tl.abs(x) == 1), 0.0, n)
    result = tl.where(by_angle, angle, _by_recurrence(x + x, x + x - 1, steps))
    result = tl.where(x == 1, 1.0, tl.where(x == -1, _alternate(n, n + n + 1), result))
    return tl.where(n < 0, 0.0, result)


@triton.jit
def _fourth_kind(x, n, FROM: tl.constexpr, SHIFTED: tl.constexpr):
    theta = libdevice.acos(x)
    angle = quotient(libdevice.sin((n + 0.5) * theta), libdevice.sin(theta * 0.5))
    sign = _alternate(n, 1.0)
    # Where x rounds to 1; the shifted polynomial's value there is ATen's.
    close = sign if SHIFTED else tl.where(x > 0, n + n + 1, sign)
    angle = tl.where(libdevice.cos(theta * 0.5) == 1, close, angle)
    by_angle = (n > FROM) & (tl.abs(x) < 1)
    steps = tl.where(by_angle | (tl.abs(x) == 1), 0.0, n)
    result = tl.where(by_angle, angle, _by_recurrence(x + x, x + x + 1, steps))
    result = tl.where(x == 1, n + n + 1, tl.where(x == -1, sign, result))
    return tl.where(n < 0, 0.0, result)


@triton.jit
def chebyshev_t(x, n):
    x, n = tl.broadcast(x, n)
    return _first_kind(x, _saturated_order(n), 6)


@triton.jit
def chebyshev_u(x, n):
    x, n = tl.broadcast(x, n)
    return _second_kind(x, _saturated_order(n), 8)


@triton.jit
def chebyshev_v(x, n):
    x, n = tl.broadcast(x, n)
    return _third_kind(x, _saturated_order(n), 8)


@triton.jit
def chebyshev_w(x, n):
    x, n = tl.broadcast(x, n)
    return _fourth_kind(x, _saturated_order(n), 8, False)


@triton.jit
def shifted_chebyshev_t(x, n):
    x, n = tl.broadcast(x, n)
    return _first_kind(x + x - 1, _saturated_order(n), 6)


@triton.jit
def shifted_chebyshev_u(x, n):
    x, n = tl.broadcast(x, n)
    return _second_kind(x + x - 1, _saturated_order(n), 6)


@triton.jit
def shifted_chebyshev_v(x, n):
    x, n = tl.broadcast(x, n)
    return _third_kind(x + x - 1, _saturated_order(n), 6)


@triton.jit
def shifted_chebyshev_w(x, n):
    x, n = tl.broadcast(x, n)
    return _fourth_kind(x + x - 1, _saturated_order(n), 4, True)


@triton.jit
def _hermite(x, n, scale):
    """p_k = scale (x p_(k-1) - (k - 1) p_(k-2)); NaN beyond the order from which all overflows."""
    limit: tl.constexpr = 512 if x.dtype == tl.float64 else 128
    whole = _saturated_order(n)
    p = tl.full(x.shape, 1.0, x.dtype)
    first = scale * x
    q = first
    k = 1.0
    active = (whole > k) & (whole <= limit)
    while any_lane(active):
        r = first * q - (scale * k) * p
        p = tl.where(active, q, p)
        q = tl.where(active, r, q)
        k += 1.0
        active = active & (whole > k)
    result = tl.where(whole > limit, float("nan"), tl.where(whole < 1, 1.0, q))
    return tl.where(whole < 0, 0.0, result)


@triton.jit
def _hermite_of_scale(x, n, SCALE: tl.constexpr):
    x, n = tl.broadcast(x, n)
    scale = tl.full(x.shape, SCALE, x.dtype)
    return each_lane(_hermite, x, n, scale)


@triton.jit
def hermite_h(x, n):
    return _hermite_of_scale(x, n, 2.0)


@triton.jit
def hermite_he(x, n):
    return _hermite_of_scale(x, n, 1.0)


@triton.jit
def _laguerre(x, n):
    whole = _order(n)
    last = whole.to(tl.float64)
    p = tl.full(x.shape, 1.0, x.dtype)
    q = 1 - x
    step = tl.cast(1.0, tl.float64)  # beyond 2^24 a float32 would stay what it is
    active = (last > step) & (q == q) & (x != 0)
    while any_lane(active):
        k = step.to(x.dtype)
        r = ((k + k) + (1 - x)) * q - k * p
        r = quotient(r, tl.full(r.shape, 1.0, r.dtype) * (k + 1.0))
        p = tl.where(active, q, p)
        q = tl.where(active, r, q)
        step += 1.0
        active = active & (last > step) & (q == q)
    result = tl.where((whole < 1) | (x == 0), 1.0, q)
    return tl.where(whole < 0, 0.0, result)


@triton.jit
def laguerre_l(x, n):
    x, n = tl.broadcast(x, n)
    return each_lane(_laguerre, x, n)


@triton.jit
def _legendre(x, n):
    # Within [-1, 1] the recurrence would not end.
    whole = tl.where(tl.abs(x) <= 1, _order(n), _saturated_order(n))
    p = tl.full(x.shape, 1.0, x.dtype)
    q = x
    last = whole.to(tl.float64)
    step = tl.cast(1.0, tl.float64)  # as in laguerre
    active = (last > step) & (q == q) & (tl.abs(x) != 1)
    while any_lane(active):
        k = step.to(x.dtype)
        r = (k + k + 1.0) * x * q - k * p
        r = quotient(r, tl.full(r.shape, 1.0, r.dtype) * (k + 1.0))
        p = tl.where(active, q, p)
        q = tl.where(active, r, q)
        step += 1.0
        active = active & (last > step) & (q == q)
    result = tl.where(whole < 1, 1.0, q)
    result = tl.where(x == 1, 1.0, tl.where(x == -1, _alternate(whole, 1.0), result))
    return tl.where(whole < 0, 0.0, result)


@triton.jit
def legendre_p(x, n):
    x, n = tl.broadcast(x, n)
    return each_lane(_legendre, x, n)
