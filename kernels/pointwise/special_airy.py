# SPDX-License-Identifier: Apache-2.0
"""Scalar function: the Airy function Ai, after Cephes."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import quotient, square_root
from pointwise.series import polynomial

_AN = tl.constexpr(
    (
        0.346538101525629,
        12.007595273964581,
        76.27960536152345,
        168.08922493463058,
        159.75639135016442,
        70.53609068404442,
        14.026469116338967,
        1.0,
    )
)
_AD = tl.constexpr(
    (
        0.5675945326387702,
        14.75625625848472,
        84.51389701414746,
        177.31808814540045,
        164.2346928715297,
        71.47784008255756,
        14.095913560783403,
        1.0,
    )
)
_AFN = tl.constexpr(
    (
        -0.1316963234183318,
        -0.6264565444319123,
        -0.6931580360369335,
        -0.2797799815451191,
        -0.04919001326095003,
        -0.004062659235948854,
        -0.0001592764962392621,
        -2.776491081552329e-06,
        -1.6778769848911465e-08,
    )
)
_AFD = tl.constexpr(
    (
        13.356042070655324,
        32.682503279522464,
        26.736704094149957,
        9.187074029072596,
        1.4752914677166642,
        0.11568717379518804,
        0.004402916416152112,
        7.547203482874142e-05,
        4.5185009297058035e-07,
    )
)
_AGN = tl.constexpr(
    (
        0.01973399320916857,
        0.39110302961568827,
        1.0657989759959559,
        0.9391692298166502,
        0.35146565610554764,
        0.06338889196289255,
        0.005858041130483885,
        0.000282851600836737,
        6.98793669997261e-06,
        8.117892395543892e-08,
        3.415517847659236e-10,
    )
)
_AGD = tl.constexpr(
    (
        9.30892908077442,
        19.835292871831214,
        15.564662893286462,
        5.476860694229755,
        0.9542936116189619,
        0.08645808263523921,
        0.004126565238242226,
        0.00010125908511650914,
        1.1716673321441352e-06,
        4.9183457006293e-09,
    )
)


@triton.jit
def _left(x):
    """x < -2.09: an oscillation with rational functions as modulus and phase."""
    root = square_root(-x)
    t = -2 * x * root / 3
    z = quotient(tl.full(x.shape, 1.0, x.dtype), t)
    square = z * z
    f = 1 + square * quotient(polynomial(square, _AFN), polynomial(square, _AFD))
    g = z * quotient(polynomial(square, _AGN), polynomial(square, _AGD))
    angle = t + 0.7853981633974483
    wave = libdevice.sin(angle) * f - libdevice.cos(angle) * g
    return quotient(0.5641895835477563 * wave, square_root(root))


@triton.jit
def _right(x):
    """x >= 2.09: an exponential decay."""
    root = square_root(x)
    t = 2 * x * root / 3
    r = quotient(tl.full(x.shape, 1.0, x.dtype), t)
    ratio = quotient(polynomial(r, _AN), polynomial(r, _AD))
    return 0.28209479177387814 * quotient(ratio * libdevice.exp(-t), square_root(root))


@triton.jit
def _center(x):
    """Taylor series: 16 pairs of terms are enough for |x| <= 2.09 in f64."""
    cube = x * x * x
    f = tl.full(x.shape, 1.0, x.dtype)
    g = x
    m = f
    n = x
    for i in tl.static_range(16):
        m = m * cube * (1.0 / ((3 * i + 2) * (3 * i + 3)))
        n = n * cube * (1.0 / ((3 * i + 3) * (3 * i + 4)))
        f += m
        g += n
    return 0.355028053887817239 * f - 0.258819403792806798 * g


@triton.jit
def airy_ai(x):
    result = tl.where(x < -2.09, _left(x), tl.where(x >= 2.09, _right(x), _center(x)))
    result = tl.where(x > 103.892, 0.0, result)
    return tl.where(tl.abs(x) == float("inf"), float("nan"), result)
