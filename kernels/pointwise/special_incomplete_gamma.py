# SPDX-License-Identifier: Apache-2.0
"""Scalar functions: the regularized incomplete gamma functions.

As in Cephes (S. Moshier), by region: power series for x <= a + 1, continued fraction beyond, and
where a is large and x close to it, Temme's uniform asymptotic expansion (N. M. Temme, SIAM J. Math.
Anal. 10, 1979), cut where its terms are below 1e-15. All in f64: the exponent a log(x) - x -
lgamma(a) loses the digits of f32.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import each_lane, on_gpu
from pointwise.arithmetic import any_lane
from pointwise.series import polynomial
from pointwise.special_gamma import lgamma, lgamma_of_1_plus

# Temme's polynomials C_0(eta), C_1(eta), ...
_TEMME0 = tl.constexpr(
    (
        -5.830772132550426e-11,
        -2.551419399494625e-11,
        9.14769958223679e-10,
        -4.382036018453353e-09,
        1.0261809784240309e-08,
        6.707853543401498e-09,
        -1.7665952736826078e-07,
        8.296711340953087e-07,
        -1.85406221071516e-06,
        -2.1854485106799924e-06,
        3.919263178522438e-05,
        -0.0001787551440329218,
        0.0003527336860670194,
        0.0011574074074074073,
        -0.014814814814814815,
        0.08333333333333333,
        -0.3333333333333333,
    )
)
_TEMME1 = tl.constexpr(
    (
        -1.0091543710600413e-09,
        -1.7543241719747647e-11,
        1.1951628599778148e-08,
        -5.752545603517705e-08,
        1.378633446915721e-07,
        4.647127802807434e-09,
        -1.6120900894563446e-06,
        7.64916091608111e-06,
        -1.8098550334489977e-05,
        -4.018775720164609e-07,
        0.00020576131687242798,
        -0.0009902263374485596,
        0.0026455026455026454,
        -0.003472222222222222,
        -0.001851851851851852,
    )
)
_TEMME2 = tl.constexpr(
    (
        6.228974084922022e-09,
        -1.409252991086752e-08,
        -2.0477098421990866e-10,
        1.4280614206064242e-07,
        -6.298992138380055e-07,
        1.3721957309062932e-06,
        3.423578734096138e-08,
        -1.2760635188618728e-05,
        5.2923448829120125e-05,
        -0.00010736653226365161,
        2.0093878600823047e-06,
        0.0007716049382716049,
        -0.0026813271604938273,
        0.004133597883597883,
    )
)
_TEMME3 = tl.constexpr(
    (
        8.099464905388083e-08,
        -1.6958404091930278e-07,
        -2.7861080291528143e-11,
        1.4230900732435883e-06,
        -5.6749528269915965e-06,
        1.1082654115347302e-05,
        -2.396505113867297e-07,
        -7.561801671883977e-05,
        0.00026772063206283885,
        -0.0004691894943952557,
        0.00022947209362139917,
        0.0006494341563786008,
    )
)
_TEMME4 = tl.constexpr(
    (
        -2.292934834000805e-07,
        8.907507532205309e-07,
        -1.6954149536558305e-06,
        2.507497226237533e-10,
        1.1375726970678419e-05,
        -3.968365047179435e-05,
        6.641498215465122e-05,
        -1.4638452578843418e-06,
        -0.0002990724803031902,
        0.0007840392217200666,
        -0.0008618882909167117,
    )
)
_TEMME5 = tl.constexpr(
    (
        -2.291481176508095e-06,
        8.018470256334202e-06,
        -1.3594048189768693e-05,
        1.419062920643967e-07,
        6.797780477937208e-05,
        -0.00019932570516188847,
        0.0002772753244959392,
        -6.972813758365858e-05,
        -0.00033679855336635813,
    )
)
_TEMME6 = tl.constexpr(
    (
        -3.0796134506033047e-09,
        -1.8329116582843375e-05,
        5.61168275310625e-05,
        -8.153969367561969e-05,
        7.902353232660328e-07,
        0.0002708782096718045,
        -0.0005921664373536939,
        0.0005313079364639922,
    )
)
_TEMME7 = tl.constexpr(
    (
        -1.2741009095484485e-07,
        -0.00010976582244684731,
        0.0002812695154763237,
        -0.00033493161081142234,
        5.171790908260592e-05,
        0.00034436760689237765,
    )
)
_TEMME8 = tl.constexpr(
    (
        0.00016644846642067547,
        -6.969091458420552e-07,
        -0.000438297098541721,
        0.0008394987206720873,
        -0.0006526239185953094,
    )
)
_TEMME9 = tl.constexpr(
    (
        -0.0006401475260262758,
        0.0006782308837667328,
        -7.204895416020011e-05,
        -0.0005967612901927463,
    )
)


@triton.jit
def _asymptotic(a, x, IS_UPPER: tl.constexpr):
    sigma = (x - a) / a
    # log(1 + sigma) - sigma, by its series where the difference would cancel.
    far = libdevice.log1p(sigma) - sigma
    w = sigma / (2 + sigma)
    w2 = w * w
    near = 2 * w * w2 * (1 / 3 + w2 * (1 / 5 + w2 * (1 / 7 + w2 * (1 / 9 + w2 / 11))))
    near = near - sigma * w
    phi = -tl.where(tl.abs(sigma) < 0.1, near, far)
    eta = libdevice.copysign(tl.sqrt(2 * tl.maximum(phi, 0.0)), sigma)
    root = tl.sqrt(a * 0.5)
    r = 1 / a
    total = polynomial(eta, _TEMME9)
    total = total * r + polynomial(eta, _TEMME8)
    total = total * r + polynomial(eta, _TEMME7)
    total = total * r + polynomial(eta, _TEMME6)
    total = total * r + polynomial(eta, _TEMME5)
    total = total * r + polynomial(eta, _TEMME4)
    total = total * r + polynomial(eta, _TEMME3)
    total = total * r + polynomial(eta, _TEMME2)
    total = total * r + polynomial(eta, _TEMME1)
    total = total * r + polynomial(eta, _TEMME0)
    rest = libdevice.exp(-a * phi) * total * 0.3989422804014327 * tl.sqrt(r)
    if IS_UPPER:
        return 0.5 * libdevice.erfc(eta * root) + rest
    else:
        return 0.5 * libdevice.erfc(-eta * root) - rest


@triton.jit
def _series(a, x, active, PRECISION: tl.constexpr):
    """Sum of x^n / ((a + 1) ... (a + n))."""
    term = tl.full(a.shape, 1.0, tl.float64)
    total = term
    denominator = a
    steps = 0
    while any_lane(active) & (steps < 2000):
        denominator = denominator + 1
        term = tl.where(active, term * (x / denominator), 0.0)
        total = total + term
        active = active & (term > total * PRECISION)
        steps += 1
    return total


@triton.jit
def _continued_fraction(a, x, active, PRECISION: tl.constexpr):
    """By the modified method of Lentz."""
    b = x + 1 - a
    c = tl.full(a.shape, 1e300, tl.float64)
    d = 1 / b
    h = d
    i = 0.0
    while any_lane(active) & (i < 2000):
        i += 1
        numerator = -i * (i - a)
        b = b + 2
        d = 1 / (numerator * d + b)
        c = b + numerator / c
        change = tl.where(active, c * d, 1.0)
        h = h * change
        active = active & (tl.abs(change - 1) > 2 * PRECISION)
    return h


@triton.jit
def _upper_of_small(a, x):
    """For a and x up to 1.1 or so, where 1 minus the lower function would cancel."""
    log_x = libdevice.log(x)
    term = tl.full(a.shape, 1.0, tl.float64)
    total = tl.zeros_like(term)
    # Unrolled, these divisions were half of what ptxas took for igammac, 4 s.
    for n in range(1, 21):
        term = term * (x / -n)
        total += term / (a + n)
    outer = libdevice.expm1(a * log_x - lgamma_of_1_plus(a))
    return -outer - libdevice.exp(a * log_x - lgamma(a)) * total


@triton.jit
def _prefactor(a, x):
    return libdevice.exp(a * libdevice.log(x) - x - lgamma(a))


@triton.jit
def _is_close(a, x):
    return (a > 20) & (tl.abs(x - a) < 0.3 * a)


@triton.jit
def _is_tiny(a, x):
    return (x <= 1.1) & (a < 1.1)


@triton.jit
def _of_valid(a, x, valid, PRECISION: tl.constexpr, IS_UPPER: tl.constexpr):
    """A tile, by the formulas of which it has lanes."""
    is_close = _is_close(a, x)
    is_tiny = _is_tiny(a, x) & IS_UPPER
    others = valid & ~is_close & ~is_tiny
    result = tl.zeros_like(a)
    if any_lane(others):
        is_small = x <= a + 1
        prefactor = _prefactor(a, x)
        lower = prefactor / a * _series(a, x, others & is_small, PRECISION)
        upper = prefactor * _continued_fraction(a, tl.where(is_small, a + 2, x),
                                                others & ~is_small, PRECISION)  # fmt: skip
        if IS_UPPER:
            result = tl.where(is_small, 1 - lower, upper)
        else:
            result = tl.where(is_small, lower, 1 - upper)
    if any_lane(is_close):
        result = tl.where(is_close, _asymptotic(a, x, IS_UPPER), result)
    if IS_UPPER:
        if any_lane(is_tiny):
            result = tl.where(is_tiny, _upper_of_small(a, x), result)
    return result


@triton.jit
def _of_one(a, x, PRECISION: tl.constexpr, IS_UPPER: tl.constexpr):
    """The same on a GPU, whose lanes branch: the formula of one lane alone."""
    if _is_close(a, x):
        result = _asymptotic(a, x, IS_UPPER)
    elif x > a + 1:
        result = _prefactor(a, x) * _continued_fraction(a, x, a == a, PRECISION)
        if not IS_UPPER:
            result = 1 - result
    elif IS_UPPER & _is_tiny(a, x):
        result = _upper_of_small(a, x)
    else:
        result = _prefactor(a, x) / a * _series(a, x, a == a, PRECISION)
        if IS_UPPER:
            result = 1 - result
    return result


@triton.jit
def _incomplete_gamma(a_in, x_in, IS_UPPER: tl.constexpr):
    a_wide = a_in.to(tl.float64)
    x_wide = x_in.to(tl.float64)
    inf = float("inf")
    valid = (a_wide > 0) & (x_wide > 0) & (a_wide < inf) & (x_wide < inf)
    a = tl.where(valid, a_wide, 1.0)
    x = tl.where(valid, x_wide, 1.0)
    # f32 rounds away what is smaller.
    precision: tl.constexpr = 1.1e-16 if a_in.dtype == tl.float64 else 1e-10
    if on_gpu():
        result = _of_one(a, x, precision, IS_UPPER)
    else:
        result = _of_valid(a, x, valid, precision, IS_UPPER)
    at_zero = 1.0 if IS_UPPER else 0.0
    at_infinity = 0.0 if IS_UPPER else 1.0
    nan = float("nan")
    result = tl.where((x_wide != x_wide) | (a_wide != a_wide), nan, result)
    result = tl.where(x_wide == inf, at_infinity, result)
    result = tl.where(a_wide == inf, tl.where(x_wide == inf, nan, at_zero), result)
    result = tl.where(x_wide == 0, at_zero, result)
    result = tl.where(a_wide == 0, tl.where(x_wide > 0, at_infinity, nan), result)
    return tl.where((x_wide < 0) | (a_wide < 0), nan, result).to(a_in.dtype)


@triton.jit
def _igamma(a, x):
    return _incomplete_gamma(a, x, False)


@triton.jit
def _igammac(a, x):
    return _incomplete_gamma(a, x, True)


@triton.jit
def igamma(a, x):
    a, x = tl.broadcast(a, x)
    return each_lane(_igamma, a, x)


@triton.jit
def igammac(a, x):
    a, x = tl.broadcast(a, x)
    return each_lane(_igammac, a, x)
