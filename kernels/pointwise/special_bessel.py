# SPDX-License-Identifier: Apache-2.0
"""Scalar functions: Bessel functions of order 0 and 1, after Cephes.

Up to 5 rational functions of x^2 with the zeros there factored out, beyond 5 modulus and phase by
rational functions of 25 / x^2.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import quotient, square_root
from pointwise.series import polynomial

_PP0 = tl.constexpr(
    (
        0.0007969367292973471,
        0.08283523921074408,
        1.239533716464143,
        5.447250030587687,
        8.74716500199817,
        5.303240382353949,
        1.0,
    )
)
_PQ0 = tl.constexpr(
    (
        0.0009244088105588637,
        0.08562884743544745,
        1.2535274390105895,
        5.470977403304171,
        8.761908832370695,
        5.306052882353947,
        1.0,
    )
)
_QP0 = tl.constexpr(
    (
        -0.011366383889846916,
        -1.2825271867050931,
        -19.553954425773597,
        -93.20601521237683,
        -177.68116798048806,
        -147.07750515495118,
        -51.41053267665993,
        -6.050143506007285,
    )
)
_QQ0 = tl.constexpr(
    (
        64.3178256118178,
        856.4300259769806,
        3882.4018360540163,
        7240.467741956525,
        5930.727011873169,
        2062.0933166032783,
        242.0057402402914,
    )
)
_RP0 = tl.constexpr(
    (
        -4794432209.782018,
        1956174919465.5657,
        -249248344360967.72,
        9708622510473064.0,
    )
)
_RQ0 = tl.constexpr(
    (
        499.563147152651,
        173785.4016763747,
        48440965.83399621,
        11185553704.535683,
        2112775201154.892,
        310518229857422.56,
        3.1812195594320496e16,
        1.7108629408104315e18,
    )
)
_PP1 = tl.constexpr(
    (
        0.0007621256162081731,
        0.07313970569409176,
        1.1271960812968493,
        5.112079511468076,
        8.424045901417724,
        5.214515986823615,
        1.0,
    )
)
_PQ1 = tl.constexpr(
    (
        0.0005713231280725487,
        0.06884559087544954,
        1.105142326340617,
        5.073863861286015,
        8.399855543276042,
        5.209828486823619,
        1.0,
    )
)
_QP1 = tl.constexpr(
    (
        0.05108625947501766,
        4.982138729512334,
        75.82382841325453,
        366.7796093601508,
        710.8563049989261,
        597.4896124006136,
        211.68875710057213,
        25.207020585802372,
    )
)
_QQ1 = tl.constexpr(
    (
        74.23732770356752,
        1056.4488603826283,
        4986.410583376536,
        9562.318924047562,
        7997.041604473507,
        2826.1927851763908,
        336.0936078106983,
    )
)
_RP1 = tl.constexpr(
    (
        -899971225.7055594,
        452228297998.19403,
        -72749424522181.83,
        3682957328638529.0,
    )
)
_RQ1 = tl.constexpr(
    (
        620.8364781180543,
        256987.25675774884,
        83514679.14319493,
        22151159547.97925,
        4749141220799.914,
        784369607876235.9,
        8.952223361846274e16,
        5.322786203326801e18,
    )
)
_YP0 = tl.constexpr(
    (
        15592.436785523574,
        -14663929.59039716,
        5435264770.518765,
        -982136065717.9115,
        87590639439536.7,
        -3466283033847297.0,
        4.4273326857256984e16,
        -1.8495080043698668e16,
    )
)
_YQ0 = tl.constexpr(
    (
        1041.2835366425984,
        626107.330137135,
        268919633.39381415,
        86400248710.3935,
        20297961275010.555,
        3171577528429750.5,
        2.5059625617265306e17,
    )
)
_YP1 = tl.constexpr(
    (
        1263204747.9017804,
        -647355876379.1603,
        114509511541823.73,
        -8127702555013251.0,
        2.024394757135949e17,
        -7.788771962659501e17,
    )
)
_YQ1 = tl.constexpr(
    (
        594.3015923461282,
        235564.09294306856,
        73481194.44597217,
        18760131610.870617,
        3882312774962.3857,
        620557727146953.8,
        6.871410873553005e16,
        3.9727060811656064e18,
    )
)


@triton.jit
def _far(x, PHASE: tl.constexpr, PP: tl.constexpr, PQ: tl.constexpr, QP: tl.constexpr,
         QQ: tl.constexpr):  # fmt: skip
    """J and Y for x > 5."""
    w = quotient(tl.full(x.shape, 5.0, x.dtype), x)
    z = w * w
    p = quotient(polynomial(z, PP), polynomial(z, PQ))
    q = w * quotient(polynomial(z, QP), polynomial(z, QQ))
    angle = x - PHASE
    s, c = libdevice.sin(angle), libdevice.cos(angle)
    scale = quotient(tl.full(x.shape, 0.7978845608028654, x.dtype), square_root(x))
    return (p * c - q * s) * scale, (p * s + q * c) * scale


@triton.jit
def bessel_j0(x):
    a = tl.abs(x)
    z = x * x
    ratio = quotient(polynomial(z, _RP0), polynomial(z, _RQ0))
    near = (z - 5.783185962946785) * (z - 30.471262343662087) * ratio
    near = tl.where(a < 0.00001, 1 - z * 0.25, near)
    far, _ = _far(a, 0.7853981633974483, _PP0, _PQ0, _QP0, _QQ0)
    return tl.where(a <= 5, near, far)


@triton.jit
def bessel_j1(x):
    a = tl.abs(x)
    z = x * x
    ratio = quotient(polynomial(z, _RP1), polynomial(z, _RQ1))
    near = ratio * x * (z - 14.681970642123893) * (z - 49.2184563216946)
    far, _ = _far(a, 2.356194490192345, _PP1, _PQ1, _QP1, _QQ1)
    return tl.where(a <= 5, near, tl.where(x < 0, -far, far))


@triton.jit
def bessel_y0(x):
    z = x * x
    ratio = quotient(polynomial(z, _YP0), polynomial(z, _YQ0))
    near = ratio + 0.6366197723675814 * libdevice.log(x) * bessel_j0(x)
    _, far = _far(x, 0.7853981633974483, _PP0, _PQ0, _QP0, _QQ0)
    result = tl.where(x <= 5, near, far)
    return tl.where(x == 0, float("-inf"), tl.where(x < 0, float("nan"), result))


@triton.jit
def bessel_y1(x):
    z = x * x
    ratio = quotient(polynomial(z, _YP1), polynomial(z, _YQ1))
    pole = quotient(tl.full(x.shape, 1.0, x.dtype), x)
    near = x * ratio + 0.6366197723675814 * (bessel_j1(x) * libdevice.log(x) - pole)
    _, far = _far(x, 2.356194490192345, _PP1, _PQ1, _QP1, _QQ1)
    result = tl.where(x <= 5, near, far)
    return tl.where(x == 0, float("-inf"), tl.where(x < 0, float("nan"), result))


# Taylor series of sin(x) / x in x^2.
_SINC = tl.constexpr(
    (
        1.6059043836821613e-10,
        -2.505210838544172e-08,
        2.7557319223985893e-06,
        -0.0001984126984126984,
        0.008333333333333333,
        -0.16666666666666666,
        1.0,
    )
)


@triton.jit
def spherical_bessel_j0(x):
    near = polynomial(x * x, _SINC)
    result = tl.where(tl.abs(x) < 0.5, near, quotient(libdevice.sin(x), x))
    return tl.where(tl.abs(x) == float("inf"), 0.0, result)
