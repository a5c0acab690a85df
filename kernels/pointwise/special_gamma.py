# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of the gamma function and its logarithmic derivatives."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import each_lane, map_lanes, on_gpu
from pointwise.arithmetic import any_lane, quotient
from pointwise.elementary import (
    cos_pi,
    light_log,
    light_log_of_normal,
    light_reciprocal,
    sin_pi,
)
from pointwise.series import polynomial

# lgamma(2 + t) / t on [-1/2, 1/2]: Chebyshev fits, errors 1e-21 and 1.5e-11.
_LGAMMA_F64 = tl.constexpr(
    (
        1.4963573191192003e-08,
        -3.1314285360886705e-08,
        4.509983567521808e-08,
        -9.501416425423385e-08,
        2.129692727315228e-07,
        -4.511181191016309e-07,
        9.549510392959532e-07,
        -2.0388192484564222e-06,
        4.374892520636031e-06,
        -9.439541921024715e-06,
        2.05072105479096e-05,
        -4.492623209360517e-05,
        9.945751290176889e-05,
        -0.00022315475870367355,
        0.0005096695247392805,
        -0.0011927539116954181,
        0.0028905103307415836,
        -0.0073855510286741114,
        0.020580808427784546,
        -0.06735230105319809,
        0.3224670334241132,
        0.42278433509846713,
    )
)
_LGAMMA_F32 = tl.constexpr(
    (
        -5.208118739066028e-05,
        0.00011498248215687683,
        -0.00022131048050323795,
        0.0005056692566204219,
        -0.0011929584843006534,
        0.0028909539767244677,
        -0.0073855418319890166,
        0.02058078848508634,
        -0.06735230116846887,
        0.3224670336740658,
        0.42278433509846713,
    )
)
# lgamma(x) / ((x - 1) (x - 2)) on [1/2, 3] as a quotient, and lgamma(x) - (x - 1/2) (log(x) - 1) by
# 1 / x for x >= 3: minimax fits, errors 8.1e-9 and 5.4e-8. For fp32, where fewer divisions and
# logarithms count, as do the following.
_LGAMMA_NUMERATOR = tl.constexpr((0.0531273033, 5.0346703, 23.8290196, 18.4544804, 2.13685763))
_LGAMMA_DENOMINATOR = tl.constexpr((1.94019033, 21.7642617, 43.3952161, 17.6709694, 1.0))
_LGAMMA_FAR = tl.constexpr((-0.00254986604, -6.31527859e-05, 0.0833381607, 0.418938475))
# (digamma(x) - log(x)) x and trigamma(x) x by 1 / x for x >= 1: errors 3.5e-8 and 1.8e-8.
_DIGAMMA_F32 = tl.constexpr(
    (0.000837489377, -0.00486895172, 0.010666684, -0.000584134122, -0.0832639951, -0.500002793)
)
_TRIGAMMA_F32 = tl.constexpr(
    (
        0.00277013708,
        -0.0105954301,
        0.0108476709,
        0.0125723416,
        -0.0381912778,
        0.000950124645,
        0.166577384,
        0.500003164,
        0.999999982,
    )
)
# Bernoulli numbers B_2k / (2k (2k - 1)), of Stirling's series in 1 / x^2.
STIRLING = tl.constexpr(
    (
        -0.029550653594771242,
        0.00641025641025641,
        -0.0019175269175269176,
        0.0008417508417508417,
        -0.0005952380952380953,
        0.0007936507936507937,
        -0.002777777777777778,
        0.08333333333333333,
    )
)
# B_2k / (2k), of digamma's.
_DIGAMMA = tl.constexpr(
    (
        0.08333333333333333,
        -0.021092796092796094,
        0.007575757575757576,
        -0.004166666666666667,
        0.003968253968253968,
        -0.008333333333333333,
        0.08333333333333333,
    )
)
# B_2k, of trigamma's.
_TRIGAMMA = tl.constexpr(
    (
        -0.2531135531135531,
        0.07575757575757576,
        -0.03333333333333333,
        0.023809523809523808,
        -0.03333333333333333,
        0.16666666666666666,
    )
)
# (2k)! / B_2k, of the Euler-Maclaurin summation of the Hurwitz zeta function (Cephes).
_ZETA = tl.constexpr(
    (
        12.0,
        -720.0,
        30240.0,
        -1209600.0,
        47900160.0,
        -1892437580.3183792,
        74724249600.0,
        -2950130727918.164,
        116467828143500.67,
        -4597978722407472.0,
        1.8152105401943546e17,
        -7.1661652561756672e18,
    )
)


@triton.jit
def _lgamma_of_positive(x):
    """For x >= 1/2. Near 2 from a polynomial, which gives full relative accuracy at the zeros 1 and
    2; up to 8 by lgamma(x) = lgamma(x - n) + log((x - 1) ... (x - n)); then Stirling's series."""
    near = x
    product = tl.full(x.shape, 1.0, x.dtype)
    for _ in tl.static_range(6):
        step = near > 2.5
        near = tl.where(step, near - 1, near)
        product = tl.where(step, product * near, product)
    is_low = near < 1.5
    t = tl.where(is_low, near - 1, near - 2)
    if x.dtype == tl.float64:
        small = t * polynomial(t, _LGAMMA_F64)
    else:
        small = t * polynomial(t, _LGAMMA_F32)
    # lgamma(1 + t) = lgamma(2 + t) - log(1 + t); the other summand is log of the product.
    small += tl.where(is_low, -libdevice.log1p(t), libdevice.log(product))
    r = quotient(tl.full(x.shape, 1.0, x.dtype), x)
    log_x = libdevice.log(x)
    series = r * polynomial(r * r, STIRLING) + 0.9189385332046728
    large = (x - 0.5) * (log_x - 1) + (series - 0.5)
    large = tl.where(x < float("inf"), large, x)
    return tl.where(x < 8, small, large)


@triton.jit
def lgamma_of_1_plus(t):
    """lgamma(1 + t) for 0 <= t <= 3/2; for small ones, which 1 would swallow, from t itself."""
    is_low = t < 0.5
    u = tl.where(is_low, t, t - 1)
    if t.dtype == tl.float64:
        y = u * polynomial(u, _LGAMMA_F64)
    else:
        y = u * polynomial(u, _LGAMMA_F32)
    return tl.where(is_low, y - libdevice.log1p(t), y)


@triton.jit
def _lgamma_wide(x):
    """Below 1/2 by the reflection formula."""
    reflects = x < 0.5
    y = _lgamma_of_positive(tl.where(reflects, 1 - x, x))
    r = tl.abs(x - tl.floor(x + 0.5))
    sine = tl.abs(libdevice.sin(3.141592653589793 * r))
    mirrored = 1.1447298858494002 - libdevice.log(sine) - y
    # log of the sine would lose what x, close to zero, still holds.
    mirrored = tl.where(tl.abs(x) < 1e-8, -libdevice.log(tl.abs(x)), mirrored)
    is_pole = (x <= 0) & (r == 0)
    result = tl.where(reflects, mirrored, y)
    return tl.where(is_pole | (x == float("-inf")), float("inf"), result)


@triton.jit
def _lgamma_of_magnitude(a):
    """For fp32 a >= 0, with one division and one logarithm; below 1/2 from a + 1."""
    is_near = a < 3
    is_small = a < 0.5
    u = tl.where(is_small, a + 1, a)
    r = light_reciprocal(tl.where(is_near, polynomial(u, _LGAMMA_DENOMINATOR), a))
    log_a = light_log(a)
    near = (tl.where(is_small, a, a - 1) * (u - 2)) * (polynomial(u, _LGAMMA_NUMERATOR) * r)
    near += tl.where(is_small, -log_a, 0.0)
    far = (a - 0.5) * (log_a - 1) + polynomial(r, _LGAMMA_FAR)
    return tl.where(is_near, near, far)


@triton.jit
def _lgamma_mirrored(a, y):
    """lgamma(-a), where y is lgamma(a)."""
    r = a - tl.floor(a + 0.5)
    mirrored = 1.1447298858494002 - light_log(tl.abs(sin_pi(r))) - light_log(a) - y
    # From 2^23 on all numbers are poles.
    return tl.where(a >= 8388608.0, float("inf"), mirrored)


@triton.jit
def _choose_lgamma(x, y):
    if x < 0:
        y = _lgamma_mirrored(-x, y)
    return y


@triton.jit
def lgamma(x):
    """log |gamma(x)|"""
    if x.dtype == tl.float64:
        return _lgamma_wide(x)
    else:
        y = _lgamma_of_magnitude(tl.abs(x))
        if on_gpu():
            return map_lanes(_choose_lgamma, x, y)
        else:
            return tl.where(x < 0, _lgamma_mirrored(-x, y), y)


@triton.jit
def mvlgamma(x, P: tl.constexpr):
    """The multivariate one of dimension P: sum of lgamma(x - j / 2)."""
    total = tl.full(x.shape, P * (P - 1) * 0.28618247146235004, x.dtype)  # log(pi) / 4
    # Not unrolled: ten logarithms of gamma in f64 took ptxas 13 s.
    for j in range(P):
        total += lgamma(x - j * 0.5)
    return total


@triton.jit
def _digamma_wide(x):
    """Cephes psi: reflection, recurrence up to 10, asymptotic series."""
    reflects = x < 0
    y = tl.where(reflects, 1 - x, x)
    total = tl.zeros_like(y)
    for _ in tl.static_range(10):
        step = y < 10
        total = tl.where(step, total - quotient(tl.full(y.shape, 1.0, y.dtype), y), total)
        y = tl.where(step, y + 1, y)
    r = quotient(tl.full(y.shape, 1.0, y.dtype), y)
    z = r * r
    result = total + libdevice.log(y) - 0.5 * r - z * polynomial(z, _DIGAMMA)
    fraction = x - libdevice.trunc(x)
    pi = tl.full(x.shape, 3.141592653589793, x.dtype)
    result = tl.where(reflects, result - quotient(pi, libdevice.tan(pi * fraction)), result)
    return tl.where(reflects & (fraction == 0), float("nan"), result)


@triton.jit
def _inverse_from_1(y):
    """For fp32 y >= 0: whether y < 1, then 1 / (y + 1) and 1 / y, else 1 / y, from one division.
    (Where it overflows, y + 1 is 1.)"""
    is_small = y < 1
    b = tl.where(is_small, y + 1, y)
    inverse = 1.0 / tl.where(is_small, y * b, b)
    r = tl.where(is_small, tl.minimum(y * inverse, 1.0), inverse)
    return is_small, b, r, b * inverse


@triton.jit
def _digamma_of_positive(y):
    is_small, b, r, inverse = _inverse_from_1(y)
    result = light_log_of_normal(b) + r * polynomial(r, _DIGAMMA_F32)
    return tl.where(is_small, result - inverse, result)


@triton.jit
def _digamma_mirrored(x, y):
    """For x < 0, where y is digamma(1 - x): NaN at the poles."""
    r = x - libdevice.rint(x)
    mirrored = y - 3.141592653589793 * cos_pi(r) / sin_pi(r)
    return tl.where(r == 0, float("nan"), mirrored)


@triton.jit
def _choose_digamma(x, y):
    if x < 0:
        y = _digamma_mirrored(x, y)
    return y


@triton.jit
def digamma(x):
    if x.dtype == tl.float64:
        result = _digamma_wide(x)
    else:
        result = _digamma_of_positive(tl.where(x < 0, 1 - x, x))
        if on_gpu():
            result = map_lanes(_choose_digamma, x, result)
        else:
            result = tl.where(x < 0, _digamma_mirrored(x, result), result)
    infinity = tl.full(x.shape, float("inf"), x.dtype)
    return tl.where(x == 0, -libdevice.copysign(infinity, x), result)


@triton.jit
def _trigamma_wide(y):
    """For y >= 1/2, in the way of digamma."""
    total = tl.zeros_like(y)
    for _ in tl.static_range(10):
        step = y < 10
        r = quotient(tl.full(y.shape, 1.0, y.dtype), y)
        total = tl.where(step, total + r * r, total)
        y = tl.where(step, y + 1, y)
    r = quotient(tl.full(y.shape, 1.0, y.dtype), y)
    z = r * r
    return total + r + 0.5 * z + r * z * polynomial(z, _TRIGAMMA)


@triton.jit
def _trigamma_of_positive(y):
    is_small, _, r, inverse = _inverse_from_1(y)
    result = r * polynomial(r, _TRIGAMMA_F32)
    return tl.where(is_small, result + inverse * inverse, result)


@triton.jit
def _trigamma_mirror(x):
    sine = libdevice.sin(x * 3.141592653589793)
    return 9.869604401089358 / (sine * sine)


@triton.jit
def _choose_trigamma(x, y):
    if x < 0:
        y = _trigamma_mirror(x) - y
    return y


@triton.jit
def trigamma(x):
    """Derivative of digamma."""
    if x.dtype == tl.float64:
        reflects = x < 0.5
        y = _trigamma_wide(tl.where(reflects, 1 - x, x))
        return tl.where(reflects, _trigamma_mirror(x) - y, y)
    else:
        y = _trigamma_of_positive(tl.where(x < 0, 1 - x, x))
        if on_gpu():
            return map_lanes(_choose_trigamma, x, y)
        else:
            return tl.where(x < 0, _trigamma_mirror(x) - y, y)


# Unrolled, and inlined for each of the three sums of a negative q, zeta took ptxas 5 s: with 8
# lanes a thread it had 860 divisions and 48 powers. As loops it has 24 and 8.


@triton.jit
def _zeta_coefficient(index):
    value = tl.full([], _ZETA[0], tl.float64)
    for i in tl.static_range(1, len(_ZETA)):
        value = tl.where(index == i, tl.full([], _ZETA[i], tl.float64), value)
    return value


@triton.jit
def _inverse_power(a, s, NARROW: tl.constexpr):
    """a^-s in f64; NARROW, for results in f32: to 13 digits or so, by a third of the
    instructions."""
    if NARROW:
        return libdevice.exp(-s * libdevice.log(a))
    else:
        return libdevice.pow(a, -s)


@triton.jit
def _zeta_of_positive(s, q, NARROW: tl.constexpr):
    """In f64, for q > 0: ten terms one by one, the rest by Euler-Maclaurin. Lanes end on their
    own."""
    precision: tl.constexpr = 1e-13 if NARROW else 1.11e-16
    a = q
    b = tl.zeros_like(q)
    total = b
    done = q != q
    step = 0
    while any_lane(~done) & (step < 10):
        a = q + step
        b = _inverse_power(a, s, NARROW)
        total = tl.where(done, total, total + b)
        ends = (step > 0) & (tl.abs(b) < tl.abs(total) * precision)
        done = done | ends | (total != total)
        step += 1
    total = tl.where(done, total, total + b * a / (s - 1) - 0.5 * b)
    factor = tl.full(total.shape, 1.0, tl.float64)
    step = 0
    while any_lane(~done) & (step < 12):
        factor = factor * (s + 2 * step)
        b = b / a
        term = factor * b / _zeta_coefficient(step)
        total = tl.where(done, total, total + term)
        done = done | (tl.abs(term) < tl.abs(total) * precision)
        factor = factor * (s + (2 * step + 1))
        b = b / a
        step += 1
    return total


@triton.jit
def _zeta_of_valid(s, q, NARROW: tl.constexpr):
    """For q < 0, a whole s: the terms up to 0 are those of two other sums, with (-1)^s, so that
    their number does not matter."""
    is_negative = q < 0
    whole = tl.floor(q)
    is_odd = s * 0.5 != tl.floor(s * 0.5)
    total = tl.zeros_like(q)
    terms = total
    for part in range(1 + 2 * any_lane(is_negative).to(tl.int32)):
        above = tl.where(is_negative, q - whole, q)
        beyond = tl.where(is_negative, 1 - q, 1.0)
        below = tl.where(is_negative, tl.ceil(q) - q, 1.0)
        at = tl.where(part == 0, above, tl.where(part == 1, beyond, below))
        y = _zeta_of_positive(s, at, NARROW)
        total = tl.where(part == 0, y, total)
        # What lies beyond is NaN where all terms underflow.
        terms = tl.where(part == 1, tl.where(y == y, -y, 0.0), terms + y)
    terms = tl.where(is_odd, -terms, terms)
    return tl.where(is_negative, total + terms, total)


@triton.jit
def _zeta(s, q):
    wide_s = s.to(tl.float64)
    wide_q = q.to(tl.float64)
    is_pole = (wide_q <= 0) & (wide_q == tl.floor(wide_q))
    is_undefined = (wide_q <= 0) & (wide_s != tl.floor(wide_s))
    valid = (wide_s > 1) & (q == q) & ~is_undefined
    computed = valid & ~is_pole
    total = _zeta_of_valid(
        tl.where(computed, wide_s, 2.0), tl.where(computed, wide_q, 1.0), s.dtype != tl.float64
    )
    total = tl.where(valid, total, float("nan"))
    # ATen asks whether s is 1, is less, and q a pole, in this order: it decides for NaN.
    is_infinite = (wide_s == 1) | (is_pole & ~(wide_s < 1))
    return tl.where(is_infinite, float("inf"), total).to(s.dtype)


@triton.jit
def zeta(s, q):
    """Hurwitz: the sum of (q + k)^-s. f32 too is computed in f64, as ATen's on the CPU."""
    s, q = tl.broadcast(s, q)
    return each_lane(_zeta, s, q)


@triton.jit
def polygamma(x, order_plus_1, factor):
    """(-1)^(n + 1) n! zeta(n + 1, x), for n >= 2."""
    return factor * zeta(tl.zeros_like(x) + order_plus_1, x)
