# SPDX-License-Identifier: Apache-2.0
"""Scalar functions: modified Bessel functions of order 0 and 1, after Cephes: Chebyshev series of
exp(-x) I and exp(x) K, below and beyond 8 and 2.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from pointwise.arithmetic import quotient, square_root
from pointwise.elementary import light_reciprocal_root
from pointwise.series import chebyshev, polynomial

_I0_NEAR = tl.constexpr(
    (
        -4.4153416464793395e-18,
        3.3307945188222384e-17,
        -2.431279846547955e-16,
        1.715391285555133e-15,
        -1.1685332877993451e-14,
        7.676185498604936e-14,
        -4.856446783111929e-13,
        2.95505266312964e-12,
        -1.726826291441556e-11,
        9.675809035373237e-11,
        -5.189795601635263e-10,
        2.6598237246823866e-09,
        -1.300025009986248e-08,
        6.046995022541919e-08,
        -2.670793853940612e-07,
        1.1173875391201037e-06,
        -4.4167383584587505e-06,
        1.6448448070728896e-05,
        -5.754195010082104e-05,
        0.00018850288509584165,
        -0.0005763755745385824,
        0.0016394756169413357,
        -0.004324309995050576,
        0.010546460394594998,
        -0.02373741480589947,
        0.04930528423967071,
        -0.09490109704804764,
        0.17162090152220877,
        -0.3046826723431984,
        0.6767952744094761,
    )
)
_I0_FAR = tl.constexpr(
    (
        -7.233180487874754e-18,
        -4.830504485944182e-18,
        4.46562142029676e-17,
        3.461222867697461e-17,
        -2.8276239805165836e-16,
        -3.425485619677219e-16,
        1.7725601330565263e-15,
        3.8116806693526224e-15,
        -9.554846698828307e-15,
        -4.150569347287222e-14,
        1.54008621752141e-14,
        3.8527783827421426e-13,
        7.180124451383666e-13,
        -1.7941785315068062e-12,
        -1.3215811840447713e-11,
        -3.1499165279632416e-11,
        1.1889147107846439e-11,
        4.94060238822497e-10,
        3.3962320257083865e-09,
        2.266668990498178e-08,
        2.0489185894690638e-07,
        2.8913705208347567e-06,
        6.889758346916825e-05,
        0.0033691164782556943,
        0.8044904110141088,
    )
)
_I1_NEAR = tl.constexpr(
    (
        2.7779141127610464e-18,
        -2.111421214358166e-17,
        1.5536319577362005e-16,
        -1.1055969477353862e-15,
        7.600684294735408e-15,
        -5.042185504727912e-14,
        3.223793365945575e-13,
        -1.9839743977649436e-12,
        1.1736186298890901e-11,
        -6.663489723502027e-11,
        3.625590281552117e-10,
        -1.8872497517228294e-09,
        9.381537386495773e-09,
        -4.445059128796328e-08,
        2.0032947535521353e-07,
        -8.568720264695455e-07,
        3.4702513081376785e-06,
        -1.3273163656039436e-05,
        4.781565107550054e-05,
        -0.00016176081582589674,
        0.0005122859561685758,
        -0.0015135724506312532,
        0.004156422944312888,
        -0.010564084894626197,
        0.024726449030626516,
        -0.05294598120809499,
        0.1026436586898471,
        -0.17641651835783406,
        0.25258718644363365,
    )
)
_I1_FAR = tl.constexpr(
    (
        7.517296310842105e-18,
        4.414348323071708e-18,
        -4.6503053684893586e-17,
        -3.209525921993424e-17,
        2.96262899764595e-16,
        3.3082023109209285e-16,
        -1.8803547755107825e-15,
        -3.8144030724370075e-15,
        1.0420276984128802e-14,
        4.272440016711951e-14,
        -2.1015418427726643e-14,
        -4.0835511110921974e-13,
        -7.198551776245908e-13,
        2.0356285441470896e-12,
        1.4125807436613782e-11,
        3.2526035830154884e-11,
        -1.8974958123505413e-11,
        -5.589743462196584e-10,
        -3.835380385964237e-09,
        -2.6314688468895196e-08,
        -2.512236237870209e-07,
        -3.882564808877691e-06,
        -0.00011058893876262371,
        -0.009761097491361469,
        0.7785762350182801,
    )
)
# For fp32: I0 and I1 / x by x^2 up to 6, exp(-x) sqrt(x) I by 1 / x beyond. Minimax fits, errors
# up to 4.4e-8.
_I0_NEAR_F32 = tl.constexpr(
    (
        1.45854135e-14,
        2.0749859e-12,
        4.81476449e-10,
        6.76279756e-08,
        6.78359044e-06,
        0.000434017506,
        0.015625026,
        0.249999977,
        1.0,
    )
)
_I0_FAR_F32 = tl.constexpr(
    (
        0.572590168,
        -0.0722690111,
        0.0402141983,
        0.0276121649,
        0.0498740271,
        0.398942266,
    )
)
_I1_NEAR_F32 = tl.constexpr(
    (
        7.86245326e-16,
        1.32891204e-13,
        3.42193952e-11,
        5.64041016e-09,
        6.78287146e-07,
        5.42527758e-05,
        0.00260416863,
        0.062499998,
        0.5,
    )
)
_I1_FAR_F32 = tl.constexpr(
    (
        -0.674280259,
        0.0805200356,
        -0.0540277137,
        -0.0462207619,
        -0.149611024,
        0.398942299,
    )
)
_K0_NEAR = tl.constexpr(
    (
        1.374465435613523e-16,
        4.25981614279661e-14,
        1.0349695257633842e-11,
        1.904516377220209e-09,
        2.5347910790261494e-07,
        2.286212103119452e-05,
        0.001264615411446926,
        0.0359799365153615,
        0.3442898999246285,
        -0.5353273932339028,
    )
)
_K0_FAR = tl.constexpr(
    (
        5.300433772686263e-18,
        -1.6475804301524212e-17,
        5.2103915050390274e-17,
        -1.678231096805412e-16,
        5.512055978524319e-16,
        -1.848593377343779e-15,
        6.3400764774050706e-15,
        -2.2275133269916698e-14,
        8.032890775363575e-14,
        -2.9800969231727303e-13,
        1.140340588208475e-12,
        -4.514597883373944e-12,
        1.8559491149547177e-11,
        -7.957489244477107e-11,
        3.577397281400301e-10,
        -1.69753450938906e-09,
        8.574034017414225e-09,
        -4.660489897687948e-08,
        2.766813639445015e-07,
        -1.8317555227191195e-06,
        1.39498137188765e-05,
        -0.00012849549581627802,
        0.0015698838857300533,
        -0.0314481013119645,
        2.4403030820659555,
    )
)
_K1_NEAR = tl.constexpr(
    (
        -7.023863479386288e-18,
        -2.427449850519366e-15,
        -6.666901694199329e-13,
        -1.4114883926335278e-10,
        -2.213387630734726e-08,
        -2.4334061415659684e-06,
        -0.0001730288957513052,
        -0.006975723859639864,
        -0.12261118082265715,
        -0.3531559607765449,
        1.5253002273389478,
    )
)
_K1_FAR = tl.constexpr(
    (
        -5.756744483665017e-18,
        1.7940508731475592e-17,
        -5.689462558442859e-17,
        1.838093544366639e-16,
        -6.057047248373319e-16,
        2.038703165624334e-15,
        -7.019837090418314e-15,
        2.4771544244813043e-14,
        -8.976705182324994e-14,
        3.3484196660784293e-13,
        -1.2891739609510289e-12,
        5.13963967348173e-12,
        -2.1299678384275683e-11,
        9.218315187605006e-11,
        -4.1903547593418965e-10,
        2.015049755197033e-09,
        -1.0345762465678097e-08,
        5.7410841254500495e-08,
        -3.5019606030878126e-07,
        2.406484947837217e-06,
        -1.936197974166083e-05,
        0.00019521551847135162,
        -0.002857816859622779,
        0.10392373657681724,
        2.7206261904844427,
    )
)


@triton.jit
def _reciprocal(c, x):
    return quotient(tl.full(x.shape, c, x.dtype), x)


@triton.jit
def _i_near(a, CHEBYSHEV: tl.constexpr, F32: tl.constexpr):
    """exp(-a) I0(a), or exp(-a) I1(a) / a; for fp32 without the factor exp(-a)."""
    if a.dtype == tl.float64:
        return chebyshev(a * 0.5 - 2, CHEBYSHEV)
    else:
        return polynomial(a * a, F32)


@triton.jit
def _i_far(a, factor, CHEBYSHEV: tl.constexpr, F32: tl.constexpr):
    """factor exp(-a) I(a)"""
    if a.dtype == tl.float64:
        return quotient(factor * chebyshev(_reciprocal(32.0, a) - 2, CHEBYSHEV), square_root(a))
    else:
        root = light_reciprocal_root(a)
        return (factor * root) * polynomial(root * root, F32)


@triton.jit
def _is_near(a):
    if a.dtype == tl.float64:
        return a <= 8
    else:
        return a <= 6


@triton.jit
def modified_bessel_i0_scaled(x):
    a = tl.abs(x)
    near = _i_near(a, _I0_NEAR, _I0_NEAR_F32)
    if x.dtype == tl.float32:
        near *= libdevice.exp(-a)
    return tl.where(_is_near(a), near, _i_far(a, 1.0, _I0_FAR, _I0_FAR_F32))


@triton.jit
def modified_bessel_i0(x):
    a = tl.abs(x)
    e = libdevice.exp(a)
    near = _i_near(a, _I0_NEAR, _I0_NEAR_F32)
    if x.dtype == tl.float64:
        near *= e
    return tl.where(_is_near(a), near, _i_far(a, e, _I0_FAR, _I0_FAR_F32))


@triton.jit
def modified_bessel_i1_scaled(x):
    a = tl.abs(x)
    near = a * _i_near(a, _I1_NEAR, _I1_NEAR_F32)
    if x.dtype == tl.float32:
        near *= libdevice.exp(-a)
    result = tl.where(_is_near(a), near, _i_far(a, 1.0, _I1_FAR, _I1_FAR_F32))
    return tl.where(x < 0, result * -1.0, result)  # -0.0 for -inf


@triton.jit
def modified_bessel_i1(x):
    a = tl.abs(x)
    e = libdevice.exp(a)
    near = a * _i_near(a, _I1_NEAR, _I1_NEAR_F32)
    if x.dtype == tl.float64:
        near *= e
    result = tl.where(_is_near(a), near, _i_far(a, e, _I1_FAR, _I1_FAR_F32))
    return tl.where(x < 0, result * -1.0, result)  # -0.0 for -inf


@triton.jit
def _k0_near(x):
    return chebyshev(x * x - 2, _K0_NEAR) - libdevice.log(0.5 * x) * modified_bessel_i0(x)


@triton.jit
def _k1_near(x):
    pole = quotient(chebyshev(x * x - 2, _K1_NEAR), x)
    return libdevice.log(0.5 * x) * modified_bessel_i1(x) + pole


@triton.jit
def _k_far(x, FAR: tl.constexpr):
    """Times exp(x)."""
    return quotient(chebyshev(_reciprocal(8.0, x) - 2, FAR), square_root(x))


@triton.jit
def _at_the_pole(x, result):
    return tl.where(x == 0, float("inf"), tl.where(x < 0, float("nan"), result))


@triton.jit
def modified_bessel_k0(x):
    far = libdevice.exp(-x) * _k_far(x, _K0_FAR)
    return _at_the_pole(x, tl.where(x <= 2, _k0_near(x), far))


@triton.jit
def modified_bessel_k0_scaled(x):
    near = _k0_near(x) * libdevice.exp(x)
    return _at_the_pole(x, tl.where(x <= 2, near, _k_far(x, _K0_FAR)))


@triton.jit
def modified_bessel_k1(x):
    far = libdevice.exp(-x) * _k_far(x, _K1_FAR)
    return _at_the_pole(x, tl.where(x <= 2, _k1_near(x), far))


@triton.jit
def modified_bessel_k1_scaled(x):
    near = _k1_near(x) * libdevice.exp(x)
    return _at_the_pole(x, tl.where(x <= 2, near, _k_far(x, _K1_FAR)))
