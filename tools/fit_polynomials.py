# SPDX-License-Identifier: Apache-2.0
"""Fits the polynomials of the math library and prints src/compiler/llvm/math_coefficients.h.

    python tools/fit_polynomials.py > src/compiler/llvm/math_coefficients.h

Each polynomial minimizes the largest weighted error over an interval (Remez' exchange algorithm in
100-digit arithmetic). What is fitted is the part of a function behind its leading terms, which the
code adds exactly: (sin(r) - r) / r^3 rather than sin(r). Needs mpmath; takes a second.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import mpmath as mp

mp.mp.dps = 100
Function = Callable[[mp.mpf], mp.mpf]


@dataclass
class Fit:
    """One table of coefficients. `weight`: error of the result per error of it."""

    name: str
    formula: str
    function: Function
    low: mp.mpf
    high: mp.mpf
    degree: int
    weight: Function = lambda x: mp.mpf(1)


def chebyshev_nodes(low: mp.mpf, high: mp.mpf, count: int) -> list[mp.mpf]:
    """Extrema of the Chebyshev polynomial of degree count - 1, ascending."""
    return [
        (low + high) / 2 - (high - low) / 2 * mp.cos(mp.pi * i / (count - 1)) for i in range(count)
    ]


def exchange(points: list[mp.mpf], errors: list[mp.mpf], count: int) -> list[int]:
    """Indices of `count` extrema of alternating sign with the largest errors."""
    chosen: list[int] = []
    for i in range(len(points)):
        if chosen and mp.sign(errors[i]) == mp.sign(errors[chosen[-1]]):
            if abs(errors[i]) > abs(errors[chosen[-1]]):
                chosen[-1] = i
        else:
            chosen.append(i)
    while len(chosen) > count:
        chosen.pop(0 if abs(errors[chosen[0]]) < abs(errors[chosen[-1]]) else -1)
    return chosen


def remez(fit: Fit) -> tuple[list[mp.mpf], mp.mpf]:
    """Coefficients from the constant term up, and the largest weighted error."""
    unknowns = fit.degree + 2
    # Dense enough that missing the true extremum between two points costs < 0.1 % of the error.
    grid = chebyshev_nodes(fit.low, fit.high, 24 * unknowns)
    values = [fit.function(x) for x in grid]
    weights = [fit.weight(x) for x in grid]
    chosen = [round(i * (len(grid) - 1) / (unknowns - 1)) for i in range(unknowns)]
    for _ in range(12):
        matrix = mp.matrix(unknowns, unknowns)
        right = mp.matrix(unknowns, 1)
        for row, i in enumerate(chosen):
            for power in range(fit.degree + 1):
                matrix[row, power] = grid[i] ** power
            matrix[row, unknowns - 1] = (-1) ** row / weights[i]
            right[row] = values[i]
        solution = mp.lu_solve(matrix, right)
        coefficients = [solution[i] for i in range(fit.degree + 1)]
        errors = [
            (mp.polyval(coefficients[::-1], x) - v) * w
            for x, v, w in zip(grid, values, weights, strict=True)
        ]
        largest = max(abs(e) for e in errors)
        if largest <= abs(solution[unknowns - 1]) * mp.mpf("1.001"):
            break
        extrema = exchange(grid, errors, unknowns)
        if len(extrema) < unknowns:
            break
        chosen = extrema
    return coefficients, largest


def near_zero(function: Function) -> Function:
    """The function with its removable singularity at 0 replaced by the value at 1e-20."""
    return lambda x: function(x if abs(x) > mp.mpf("1e-20") else mp.mpf("1e-20"))


def scaled_erfc(t: mp.mpf) -> mp.mpf:
    """exp(t^2) erfc(t)."""
    return mp.exp(t * t) * mp.erfc(t)


def mapped(u: mp.mpf) -> mp.mpf:
    """The inverse of u = (t - 3) / (t + 3), which maps [0, infinity) to [-1, 1)."""
    return 3 * (1 + u) / (1 - u)


def in_range(v: mp.mpf) -> mp.mpf:
    """Maps [-1, 1] to (0, 10.07], beyond which erfc rounds to 0 in f32."""
    return (v + 1) * mp.mpf("5.035") + mp.mpf("1e-20")


def to_unit(t: float) -> mp.mpf:
    """See mapped."""
    return (mp.mpf(t) - 3) / (mp.mpf(t) + 3)


def fits() -> list[Fit]:
    """All tables, those for f32 first in each family."""
    half_ln2 = mp.log(2) / 2 * mp.mpf("1.001")
    exp_tail = near_zero(lambda r: (mp.expm1(r) - r) / r**2)
    exp_weight = lambda r: r * r / mp.exp(r)  # noqa: E731
    exp2_tail = near_zero(lambda r: (mp.power(2, r) - 1) / r)
    exp2_weight = lambda r: abs(r) / mp.power(2, r) + mp.mpf("1e-3")  # noqa: E731
    log_low, log_high = mp.sqrt(mp.mpf(1) / 2) - 1, mp.sqrt(mp.mpf(2)) - 1
    log_tail = near_zero(lambda f: (mp.log1p(f) - f + f * f / 2) / f**3)
    atanh_tail = near_zero(lambda z: (2 * mp.atanh(mp.sqrt(z)) / mp.sqrt(z) - 2) / z)
    atanh_high = (log_high / (2 + log_high)) ** 2 * mp.mpf("1.001")
    angle = (mp.pi / 4 * mp.mpf("1.02")) ** 2
    sin_tail = near_zero(lambda z: (mp.sin(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3)
    cos_tail = near_zero(lambda z: (mp.cos(mp.sqrt(z)) - 1 + z / 2) / z**2)
    erf_tail = near_zero(lambda z: mp.erf(mp.sqrt(z)) / mp.sqrt(z) - 1)
    atan_tail = near_zero(lambda z: (mp.atan(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3)
    asin_tail = near_zero(lambda z: (mp.asin(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3)
    tanh_tail = near_zero(lambda z: (mp.tanh(mp.sqrt(z)) - mp.sqrt(z)) / mp.sqrt(z) ** 3)
    angle_weight = lambda z: z + mp.mpf("1e-3")  # noqa: E731
    zero, one = mp.mpf(0), mp.mpf(1)
    return [
        Fit("kExpF32", "(exp(r) - 1 - r) / r^2", exp_tail, -half_ln2, half_ln2, 4, exp_weight),
        Fit("kExpF64", "(exp(r) - 1 - r) / r^2", exp_tail, -half_ln2, half_ln2, 9, exp_weight),
        Fit("kExp2F32", "(2^r - 1) / r", exp2_tail, -one / 2, one / 2, 5, exp2_weight),
        Fit("kExp2M1F32", "(2^r - 1) / r", exp2_tail, -one / 2, one / 2, 5,
            lambda r: 1 / exp2_tail(r)),
        Fit("kExp2F64", "(2^r - 1) / r", exp2_tail, -one / 2, one / 2, 10, exp2_weight),
        Fit("kCoshForF32", "cosh(r log(2)) in z = r^2",
            near_zero(lambda z: mp.cosh(mp.log(2) * mp.sqrt(z))), zero, one / 4, 3),
        Fit("kSinhForF32", "sinh(r log(2)) / r in z = r^2",
            near_zero(lambda z: mp.sinh(mp.log(2) * mp.sqrt(z)) / mp.sqrt(z)), zero, one / 4, 3),
        Fit("kLogF32", "(log(1 + f) - f + f^2 / 2) / f^3", log_tail, log_low, log_high, 8,
            lambda f: f * f + mp.mpf("1e-2")),
        Fit("kLogF64", "(2 atanh(s) - 2 s) / s^3 in z = s^2", atanh_tail, zero, atanh_high, 6,
            lambda z: z + mp.mpf("1e-4")),
        Fit("kLog2ForF32", "log2(1 + f) / f", near_zero(lambda f: mp.log1p(f) / f / mp.log(2)),
            log_low, log_high, 12),
        Fit("kSinF32", "(sin(r) - r) / r^3 in z = r^2", sin_tail, zero, angle, 2, angle_weight),
        Fit("kSinF64", "(sin(r) - r) / r^3 in z = r^2", sin_tail, zero, angle, 5,
            angle_weight),
        Fit("kCosF32", "(cos(r) - 1 + z / 2) / z^2 in z = r^2", cos_tail, zero, angle, 2,
            angle_weight),
        Fit("kCosF64", "(cos(r) - 1 + z / 2) / z^2 in z = r^2", cos_tail, zero, angle, 5,
            angle_weight),
        Fit("kErfSmallF64", "erf(x) / x - 1 in z = x^2", erf_tail, zero, one, 11),
        Fit("kErfF32", "log2(erfc(t)) / t", near_zero(lambda t: mp.log(mp.erfc(t), 2) / t),
            zero, mp.mpf("3.93"), 7,
            near_zero(lambda t: mp.log(2) * t * mp.erfc(t) / mp.erf(t))),
        Fit("kErfcForF32", "log2(erfc(t)) / t in v = t / 5.035 - 1",
            lambda v: mp.log(mp.erfc(in_range(v)), 2) / in_range(v), -one, one, 16,
            lambda v: mp.log(2) * in_range(v)),
        Fit("kErfcxF64", "exp(t^2) erfc(t) (1 + 2 t) in u = (t - 3) / (t + 3)",
            lambda u: scaled_erfc(mapped(u)) * (1 + 2 * mapped(u)), to_unit(0.9), to_unit(28), 20),
        Fit("kAtanF32", "(atan(x) - x) / x^3 in z = x^2", atan_tail, zero, one, 9, angle_weight),
        Fit("kAsinF32", "(asin(x) - x) / x^3 in z = x^2", asin_tail, zero, mp.mpf("0.56") ** 2, 5,
            angle_weight),
        Fit("kTanhF32", "(tanh(x) - x) / x^3 in z = x^2", tanh_tail, zero, mp.mpf("0.56") ** 2, 4,
            angle_weight),
    ]  # fmt: skip


def table(fit: Fit) -> str:
    """The C++ text of one table."""
    coefficients, error = remez(fit)
    print(f"{fit.name}: 2^{float(mp.log(error, 2)):.1f}", file=sys.stderr)
    lines = "\n".join(f"    {float(c)!r}," for c in coefficients)
    bounds = f"[{mp.nstr(fit.low, 4)}, {mp.nstr(fit.high, 4)}]"
    note = f"// {fit.formula} on {bounds}: error 2^{float(mp.log(error, 2)):.1f} of the result."
    return f"{note}\ninline constexpr double {fit.name}[] = {{\n{lines}\n}};\n"


def main() -> None:
    """Prints the header."""
    print("// SPDX-License-Identifier: Apache-2.0")
    print("// Printed by tools/fit_polynomials.py: minimax polynomials, constant term first.")
    print("// clang-format off: one coefficient per line.\n#pragma once\n")
    print("namespace tilewise::compiler {\n")
    print("\n".join(table(fit) for fit in fits()))
    print("}  // namespace tilewise::compiler")


if __name__ == "__main__":
    main()
