# SPDX-License-Identifier: Apache-2.0
"""Fits the polynomials of kernels/pointwise/ for fp32 and prints them, highest order first.

    python tools/fit_scalar_functions.py

Each minimizes the largest relative error, or absolute error where it is a summand, by reweighted
least squares (Lawson's algorithm) on Chebyshev nodes in fp64. Needs numpy and mpmath; takes half a
minute. A coefficient of the kernels agrees with what is printed to the digits that matter to fp32.
"""

from collections.abc import Callable
from typing import Any

import mpmath as mp
import numpy as np
from numpy.typing import NDArray

mp.mp.dps = 30
Array = NDArray[np.floating[Any]]


def nodes(low: float, high: float) -> Array:
    """Chebyshev nodes of an interval."""
    angle = np.pi * (np.arange(300) + 0.5) / 300
    return (low + high) / 2 + (high - low) / 2 * np.cos(angle)


def values(function: Callable[[mp.mpf], mp.mpf], points: Array) -> Array:
    """Of a function of 30 digits."""
    return np.array([float(function(mp.mpf(float(point)))) for point in points])


def reweighted(weights: Array, error: Array) -> Array:
    """Lawson's step: more weight where the error is larger."""
    weights = weights * (error / error.max() + 1e-3)
    return weights / weights.max()


def polynomial(x: Array, y: Array, scale: Array, degree: int) -> tuple[float, Array]:
    """(largest error times scale, coefficients)."""
    low, high = x.min(), x.max()
    basis = np.polynomial.chebyshev.chebvander((2 * x - low - high) / (high - low), degree)
    weights = np.ones_like(x)
    best: tuple[float, Any] = (np.inf, None)
    for _ in range(200):
        root = np.sqrt(weights) * scale
        solution = np.linalg.lstsq(basis * root[:, None], y * root, rcond=None)[0]
        error = np.abs((basis @ solution - y) * scale)
        if error.max() < best[0]:
            best = (float(error.max()), solution)
        weights = reweighted(weights, error)
    series = np.polynomial.chebyshev.Chebyshev(best[1], domain=[low, high])
    return best[0], series.convert(kind=np.polynomial.Polynomial).coef[::-1]


def quotient(x: Array, y: Array, degree: int) -> tuple[float, Array, Array]:
    """(largest relative error, numerator, denominator that ends in 1), both of the degree."""
    powers = np.vander(x, degree + 1)
    denominator, weights = np.ones_like(x), np.ones_like(x)
    best: tuple[float, Any, Any] = (np.inf, None, None)
    for _ in range(200):
        root = np.sqrt(weights) / y / np.abs(denominator)
        system = np.hstack([powers, -y[:, None] * powers[:, :-1]]) * root[:, None]
        solution = np.linalg.lstsq(system, y * root, rcond=None)[0]
        upper, lower = solution[: degree + 1], np.append(solution[degree + 1 :], 1.0)
        denominator = powers @ lower
        error = np.abs(powers @ upper / denominator / y - 1)
        if error.max() < best[0]:
            best = (float(error.max()), upper, lower)
        weights = reweighted(weights, error)
    return best


def show(name: str, error: float, *tables: Array) -> None:
    """One table a line."""
    for table in tables:
        print(f"{name} (error {error:.1e}): {', '.join(f'{c:.9g}' for c in table)}")


def of_square(name: str, function: Callable[[mp.mpf], mp.mpf], high: float, degree: int) -> None:
    """function(x) / x by x^2 on [0, high]."""
    x = nodes(1e-4, high)
    y = values(lambda v: function(v) / v, x)
    show(name, *polynomial(x * x, y, 1 / y, degree))


def of_itself(name: str, function: Callable[[mp.mpf], mp.mpf], low: float, high: float,
              degree: int) -> None:  # fmt: skip
    """function(x) by x, with the relative error."""
    x = nodes(low, high)
    y = values(function, x)
    show(name, *polynomial(x, y, 1 / y, degree))


def elementary() -> None:
    """Of elementary.py, exponential.py, power.py and common/philox.py."""
    of_itself("_LOG1P", lambda t: mp.log1p(t) / t, 1e-4, 1, 8)
    of_itself("_LOG1M", lambda t: mp.log1p(-t) / t, 1e-4, 0.5, 8)
    of_itself("_EXPM1", lambda t: mp.expm1(t) / t, -0.5, 0.5, 6)
    of_square("_SIN_PI", lambda t: mp.sin(mp.pi * t), 0.5, 4)
    x = nodes(1e-4, 0.5)
    y = values(lambda t: mp.cos(mp.pi * t), x)
    show("_COS_PI", *polynomial(x * x, y, np.ones_like(y), 4))
    of_square("_ATAN", mp.atan, 1, 8)
    of_square("_SINH", mp.sinh, 1, 3)
    of_square("_ASINH", mp.asinh, 0.75, 6)
    of_square("_ATANH", mp.atanh, 0.5, 5)
    x = nodes(1e-4, 0.1716)
    y = values(lambda s: (mp.atanh(s) / s - 1) / (s * s), x)
    show("series of _log2", *polynomial(x * x, y, x * x, 3))
    of_itself("log_of_uniform", lambda t: mp.log1p(t) / t, -0.3333343, 0.3333343, 8)
    of_square("sine of _circle", lambda t: mp.sin(2 * mp.pi * t), 0.125, 3)
    x = nodes(1e-4, 0.125)
    y = values(lambda t: mp.cos(2 * mp.pi * t), x)
    show("cosine of _circle", *polynomial(x * x, y, 1 / y, 3))


def erfinv_ratio(w: mp.mpf) -> mp.mpf:
    """erfinv(x) / x by w = -log(1 - x^2)."""
    if w < mp.mpf("1e-25"):
        return mp.sqrt(mp.pi) / 2
    x = mp.sqrt(-mp.expm1(-w))
    return mp.erfinv(x) / x


def lgamma_ratio(x: mp.mpf) -> mp.mpf:
    """lgamma(x) / ((x - 1) (x - 2))"""
    return mp.loggamma(x) / ((x - 1) * (x - 2))


def special() -> None:
    """Of special_error.py and special_gamma.py."""
    of_itself("_ERFINV_NEAR", lambda t: erfinv_ratio(t + mp.mpf(2.5)), -2.5, 2.5, 8)
    low, high = 5**0.5 - 3, 16.7**0.5 - 3
    of_itself("_ERFINV_FAR", lambda t: erfinv_ratio((t + 3) ** 2), low, high, 8)
    x = nodes(0.5, 3)
    show("_LGAMMA_NUMERATOR, _LGAMMA_DENOMINATOR", *quotient(x, values(lgamma_ratio, x), 4))
    x = nodes(1e-3, 1 / 3)
    y = values(lambda r: mp.loggamma(1 / r) - (1 / r - mp.mpf(0.5)) * (mp.log(1 / r) - 1), x)
    show("_LGAMMA_FAR", *polynomial(x, y, np.ones_like(y), 3))
    x = nodes(1e-4, 1)
    y = values(lambda r: (mp.digamma(1 / r) - mp.log(1 / r)) / r, x)
    show("_DIGAMMA_F32", *polynomial(x, y, x, 5))
    of_itself("_TRIGAMMA_F32", lambda r: mp.psi(1, 1 / r) / r, 1e-4, 1, 8)
    bessel(0)
    bessel(1)


def bessel(order: int) -> None:
    """Of special_modified_bessel.py."""
    x = nodes(1e-3, 6)
    y = values(lambda v: mp.besseli(order, v) / v**order, x)
    show(f"_I{order}_NEAR_F32", *polynomial(x * x, y, 1 / y, 8))
    scaled = lambda r: mp.besseli(order, 1 / r) * mp.exp(-1 / r) / mp.sqrt(r)  # noqa: E731
    of_itself(f"_I{order}_FAR_F32", scaled, 1e-4, 1 / 6, 5)


if __name__ == "__main__":
    elementary()
    special()
