# SPDX-License-Identifier: Apache-2.0
"""Scalar functions of the error function and the normal distribution, and their inverses."""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import map_lanes, on_gpu
from pointwise.arithmetic import quotient, square_root
from pointwise.elementary import light_log_of_normal
from pointwise.series import polynomial

# (2 t + 1) erfcx(t) by (t - 3) / (t + 3), t >= 0: Chebyshev fits, errors 7e-18 and 7e-9.
_ERFCX_F64 = tl.constexpr(
    (
        -2.5208846559132343e-11,
        8.373239801913565e-10,
        1.1435382719942424e-09,
        -8.205287217548862e-09,
        -1.3744637271614611e-08,
        4.1031674722876435e-08,
        1.0252159854733823e-07,
        -1.4042772727671948e-07,
        -6.172971639709339e-07,
        3.5571413343395913e-07,
        3.4728430145951554e-06,
        -7.307985940695724e-07,
        -2.010075903780886e-05,
        4.949184182276066e-06,
        0.00012509940933306624,
        -0.00010515971612176149,
        -0.0007798322831260387,
        0.0018886903443894542,
        0.0025293918173706497,
        -0.023770514917107986,
        0.06830802734389313,
        -0.11927366341538978,
        0.12964515870276316,
        -0.04756229435344912,
        -0.1356211061245812,
        1.2530080582697296,
    )
)
_ERFCX_F32 = tl.constexpr(
    (
        8.007454974776248e-05,
        -9.25376912641456e-05,
        -0.0007340820503933423,
        0.001875060245867973,
        0.0025067786718598333,
        -0.023763559702172088,
        0.06831319671956372,
        -0.11927528136881009,
        0.1296447209153884,
        -0.047562156146354076,
        -0.13562110005839803,
        1.2530080563514496,
    )
)
# Cephes ndtri, all highest order first: |y - 1/2| <= 3/8; sqrt(-2 log y) in 2..8; in 8..64.
_P0 = tl.constexpr(
    (
        -59.96335010141079,
        98.00107541859997,
        -56.67628574690703,
        13.931260938727968,
        -1.2391658386738125,
    )
)
_Q0 = tl.constexpr(
    (
        1.0,
        1.9544885833814176,
        4.676279128988815,
        86.36024213908905,
        -225.46268785411937,
        200.26021238006066,
        -82.03722561683334,
        15.90562251262117,
        -1.1833162112133,
    )
)
_P1 = tl.constexpr(
    (
        4.0554489230596245,
        31.525109459989388,
        57.16281922464213,
        44.08050738932008,
        14.684956192885803,
        2.1866330685079025,
        -0.1402560791713545,
        -0.03504246268278482,
        -0.0008574567851546854,
    )
)
_Q1 = tl.constexpr(
    (
        1.0,
        15.779988325646675,
        45.39076351288792,
        41.3172038254672,
        15.04253856929075,
        2.504649462083094,
        -0.14218292285478779,
        -0.03808064076915783,
        -0.0009332594808954574,
    )
)
_P2 = tl.constexpr(
    (
        3.2377489177694603,
        6.915228890689842,
        3.9388102529247444,
        1.3330346081580755,
        0.20148538954917908,
        0.012371663481782003,
        0.00030158155350823543,
        2.6580697468673755e-06,
        6.239745391849833e-09,
    )
)
_Q2 = tl.constexpr(
    (
        1.0,
        6.02427039364742,
        3.6798356385616087,
        1.3770209948908132,
        0.21623699359449663,
        0.013420400608854318,
        0.00032801446468212774,
        2.8924786474538068e-06,
        6.790194080099813e-09,
    )
)

# erfinv(x) / x by w = -log(1 - x^2), as in M. Giles, "Approximating the erfinv function": by
# w - 5/2 up to w = 5, by sqrt(w) - 3 beyond. Minimax fits, errors 9e-8 and 8e-8.
_ERFINV_NEAR = tl.constexpr(
    (
        2.8535166e-08,
        3.43727263e-07,
        -3.52886431e-06,
        -4.39678316e-06,
        0.000218602213,
        -0.00125370751,
        -0.00417770777,
        0.246640726,
        1.50140942,
    )
)
_ERFINV_FAR = tl.constexpr(
    (
        -0.00016542915,
        8.61089352e-05,
        0.00130022572,
        -0.00366013834,
        0.00576179895,
        -0.0076253042,
        0.00943562245,
        1.00167418,
        2.83297699,
    )
)


@triton.jit
def _erfcx_of_positive(t):
    u = quotient(t - 3, t + 3)
    u = tl.where(t == float("inf"), 1.0, u)
    if t.dtype == tl.float64:
        return quotient(polynomial(u, _ERFCX_F64), 2 * t + 1)
    else:
        return quotient(polynomial(u, _ERFCX_F32), 2 * t + 1)


@triton.jit
def erfcx(x):
    """exp(x^2) erfc(x)"""
    positive = _erfcx_of_positive(tl.abs(x))
    # The rounding error of x^2 would be a relative error of the result.
    square = x * x
    lost = tl.fma(x, x, -square)
    power = libdevice.exp(square)
    power = tl.where(power < float("inf"), power + power * lost, power)
    return tl.where(x < 0, 2 * power - positive, positive)


@triton.jit
def _quantile_of_center(d):
    """The normal quantile of 1/2 + d, |d| <= 3/8."""
    square = d * d
    ratio = quotient(square * polynomial(square, _P0), polynomial(square, _Q0))
    return (d + d * ratio) * 2.5066282746310002  # sqrt(2 pi)


@triton.jit
def _quantile_of_tail(p):
    """Minus the normal quantile of p <= 1/8 or so."""
    x = square_root(-2 * libdevice.log(p))
    z = quotient(tl.full(x.shape, 1.0, x.dtype), x)
    near = quotient(polynomial(z, _P1), polynomial(z, _Q1))
    far = quotient(polynomial(z, _P2), polynomial(z, _Q2))
    return x - libdevice.log(x) * z - z * tl.where(x < 8, near, far)


@triton.jit
def ndtri(y):
    """Inverse of the normal distribution function, after Cephes."""
    upper = y > 0.8646647167633873  # 1 - exp(-2)
    p = tl.where(upper, 1 - y, y)
    tail = _quantile_of_tail(p)
    tail = tl.where(upper, tail, -tail)
    result = tl.where(p > 0.1353352832366127, _quantile_of_center(y - 0.5), tail)
    result = tl.where(y == 0, float("-inf"), tl.where(y == 1, float("inf"), result))
    return tl.where((y < 0) | (y > 1), float("nan"), result)


@triton.jit
def _erfinv_wide(y):
    """The normal quantile of (1 + y) / 2, over sqrt(2)."""
    a = tl.abs(y)
    tail = libdevice.copysign(_quantile_of_tail((1 - a) * 0.5), y)
    x = tl.where(a <= 0.72, _quantile_of_center(y * 0.5), tail) * 0.7071067811865476
    x = tl.where(a == 1, libdevice.copysign(tl.full(y.shape, float("inf"), y.dtype), y), x)
    return tl.where(a > 1, float("nan"), x)


@triton.jit
def _erfinv_ratio_far(w):
    ratio = polynomial(tl.sqrt(w) - 3, _ERFINV_FAR)
    return tl.where(w == float("inf"), w, ratio)


@triton.jit
def _choose_erfinv_ratio(w, near):
    if w >= 5:  # |y| > 0.9966
        near = _erfinv_ratio_far(w)
    return near


@triton.jit
def erfinv(y):
    """Outside of [-1, 1] the logarithm is NaN."""
    if y.dtype == tl.float64:
        return _erfinv_wide(y)
    else:
        w = -light_log_of_normal(tl.fma(-y, y, tl.full(y.shape, 1.0, y.dtype)))
        ratio = polynomial(w - 2.5, _ERFINV_NEAR)
        if on_gpu():
            ratio = map_lanes(_choose_erfinv_ratio, w, ratio)
        else:
            ratio = tl.where(w >= 5, _erfinv_ratio_far(w), ratio)
        return y * ratio


@triton.jit
def log_ndtr(x):
    """Logarithm of the normal distribution function."""
    t = x * 0.7071067811865476
    far = libdevice.log(_erfcx_of_positive(tl.abs(t)) * 0.5) - t * t
    return tl.where(x < -1, far, libdevice.log1p(libdevice.erfc(t) * -0.5))


@triton.jit
def entr(x):
    """-x log(x); -inf for negative numbers."""
    inner = x * (libdevice.log(x) * -1.0)
    return tl.where(x < 0, float("-inf"), tl.where(x == 0, 0.0, inner))
