# SPDX-License-Identifier: Apache-2.0
"""The math library against references of higher precision, in units in the last place (ulp)."""

import ctypes
import math

import numpy as np
import pytest
from generated_code import (
    CompiledText,
    generate,
    host_target,
    optimize,
    target_machine,
    targets_here,
)

UNARY = (
    "acos acosh asin asinh atan atanh cos cosh erf erfc exp exp2 expm1 log log10 log1p log2 "
    "rsqrt sin sinh tan tanh"
).split()
BINARY = ("atan2", "fmod", "pow")

# The largest error in ulp that is tolerated; measured ones stand in src/compiler/llvm/math_*.cpp.
F32_BOUNDS = dict.fromkeys(UNARY, 1.6) | {"erf": 3.5, "tan": 2.3}
F64_BOUNDS = dict.fromkeys(UNARY, 3.0) | {"erfc": 3.5}

NUMPY_NAMES = {
    "acos": "arccos",
    "acosh": "arccosh",
    "asin": "arcsin",
    "asinh": "arcsinh",
    "atan": "arctan",
    "atanh": "arctanh",
    "atan2": "arctan2",
    "pow": "power",
}


def reference(name: str, *arguments: np.ndarray) -> np.ndarray:
    """The function in the precision of its arguments: f64, or 80 bits on x86."""
    with np.errstate(all="ignore"):
        if name in ("erf", "erfc"):
            if arguments[0].dtype != np.float64:
                import mpmath

                mpmath.mp.prec = 80
                exact = getattr(mpmath, name)
                clipped = np.clip(arguments[0], -40, 40)  # mpmath overflows at 1e308.
                return np.array([as_longdouble(exact(mpmath.mpf(float(x)))) for x in clipped])
            return np.frompyfunc(getattr(math, name), 1, 1)(arguments[0]).astype(np.float64)
        if name == "rsqrt":
            return 1 / np.sqrt(arguments[0])
        return getattr(np, NUMPY_NAMES.get(name, name))(*arguments)


def as_longdouble(value: object) -> np.longdouble:
    """An mpmath number with 64 bits kept."""
    high = float(value)
    return np.longdouble(high) + np.longdouble(float(value - high) if math.isfinite(high) else 0)


def ulp_errors(actual: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Distances in ulp of the exact result; infinite where one is NaN or infinite alone."""
    dtype = actual.dtype
    with np.errstate(all="ignore"):
        rounded = exact.astype(dtype)
        limit = np.finfo(dtype).max
        spacing = np.spacing(np.minimum(np.abs(rounded), limit).astype(dtype)).astype(exact.dtype)
        spacing = np.maximum(np.abs(spacing), exact.dtype.type(np.finfo(dtype).smallest_subnormal))
        errors = np.abs(actual.astype(exact.dtype) - exact) / spacing
    same = (actual == rounded) | (np.isnan(actual) & np.isnan(rounded))
    errors[same & ~np.isfinite(rounded)] = 0
    errors[~np.isfinite(errors)] = np.inf
    return errors


def sampled_f32(count: int) -> np.ndarray:
    """Bit patterns spread over all of f32, with all special values, and the range near 0."""
    step = 2**32 // count
    patterns = (np.arange(count, dtype=np.uint64) * step + 12345 % step).astype(np.uint32)
    rng = np.random.default_rng(0)
    dense = rng.uniform(-12, 12, count // 4).astype(np.float32)
    wide = rng.uniform(-120, 120, count // 4).astype(np.float32)
    special = np.array(
        [
            0,
            -0.0,
            np.inf,
            -np.inf,
            np.nan,
            1,
            -1,
            0.5,
            -0.5,
            1e-45,
            -1e-45,
            3.4e38,
            -3.4e38,
            88.72284,
            88.72283,
            -87.33655,
            -103.97,
            -104,
            128,
            127.99999,
            -126,
            -149,
            -150,
            0.92,
            3.95,
            709.9,
            1e6,
            262144,
            262145,
            1e10,
        ]
    )
    parts = [patterns.view(np.float32), dense, wide, np.tile(special.astype(np.float32), 16)]
    values = np.concatenate(parts)
    return values[: len(values) // 64 * 64].copy()


def sampled_f64(count: int) -> np.ndarray:
    """Values of all exponents, and dense ones of usual size."""
    rng = np.random.default_rng(1)
    patterns = rng.integers(0, 2**64, count, dtype=np.uint64).view(np.float64)
    special = np.array(
        [
            0,
            -0.0,
            np.inf,
            -np.inf,
            np.nan,
            1,
            -1,
            5e-324,
            1.7e308,
            -1.7e308,
            709.78,
            -745.1,
            -746,
            1024,
            -1074,
            0.9,
            1 - 1e-16,
            1 + 3e-16,
            6,
            28,
            1e9,
        ]
    )
    parts = [patterns, rng.uniform(-6, 6, count), rng.uniform(-800, 800, count), special]
    parts.append(1 + rng.uniform(-1e-3, 1e-3, count))
    values = np.concatenate(parts)
    return values[: len(values) // 64 * 64].copy()


def run(names: list[str], target: str, dtype: type, lanes: int, *arguments: np.ndarray) -> list:
    """The results of the functions on arrays whose length is a multiple of `lanes`."""
    kind = "f32" if dtype == np.float32 else "f64"
    code = CompiledText(generate("math", target, kind, str(lanes), *names), target)
    pointers = [a.ctypes.data for a in arguments] * (3 - len(arguments))
    results = []
    for name in names:
        result = np.empty_like(arguments[0])
        function = code.function(f"run_{name}", *[ctypes.c_void_p] * 3, ctypes.c_int64)
        function(result.ctypes.data, pointers[0], pointers[1], len(result))
        results.append(result)
    return results


def check(name: str, actual: np.ndarray, exact: np.ndarray, bound: float, *x: np.ndarray) -> None:
    """Raises with the worst argument if an error is above the bound, or a zero has a wrong sign."""
    errors = ulp_errors(actual, exact)
    worst = int(np.argmax(errors))
    where = [a[worst] for a in x]
    print(f"{name}: {float(errors[worst]):.3f} ulp at {where}")
    assert errors[worst] <= bound, f"{name}{where} is {actual[worst]!r}, not {exact[worst]!r}"
    zeros = (actual == 0) & (exact == 0)
    wrong = np.flatnonzero(zeros & (np.signbit(actual) != np.signbit(exact)))
    assert wrong.size == 0, f"{name}({[a[wrong[0]] for a in x]}): sign of zero"


@pytest.mark.parametrize("target", targets_here())
def test_f32_functions_are_within_their_bounds(target: str) -> None:
    full = target == host_target()
    x = sampled_f32(2**20 if full else 2**16)
    failures = []
    for name, actual in zip(UNARY, run(UNARY, target, np.float32, 16, x), strict=True):
        try:
            exact = reference(name, x.astype(np.float64))
            check(name, actual, exact, F32_BOUNDS[name], x)
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("target", targets_here())
def test_f64_functions_are_within_their_bounds(target: str) -> None:
    x = sampled_f64(2**14 if target == host_target() else 2**10)
    failures = []
    for name, actual in zip(UNARY, run(UNARY, target, np.float64, 8, x), strict=True):
        points = slice(None, None, 8 if name.startswith("erf") else 1)  # mpmath is slow.
        try:
            exact = reference(name, x[points].astype(np.longdouble))
            check(name, actual[points], exact, F64_BOUNDS[name], x[points])
        except AssertionError as error:
            failures.append(str(error))
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", BINARY)
def test_functions_of_two_arguments(name: str, dtype: type) -> None:
    rng = np.random.default_rng(2)
    special = np.array(
        [
            0,
            -0.0,
            np.inf,
            -np.inf,
            np.nan,
            1,
            -1,
            2,
            -2,
            3,
            -3,
            0.5,
            -0.5,
            2.5,
            -2.5,
            1e-30,
            -1e-30,
            1e30,
            16777217,
            -16777216,
            33554433,
            1e9,
        ],
        dtype,
    )
    x = np.concatenate(
        [np.repeat(special, special.size), rng.uniform(0, 20, 2**16), rng.uniform(-5, 5, 2**16)]
    ).astype(dtype)
    y = np.concatenate(
        [np.tile(special, special.size), rng.uniform(-20, 20, 2**16), rng.integers(-30, 30, 2**16)]
    ).astype(dtype)
    # Numbers of all exponents: a quotient of up to 2^277 in f32.
    bits = np.uint32 if dtype == np.float32 else np.uint64
    patterns = rng.integers(0, np.iinfo(bits).max, (2, 2**14), dtype=bits).view(dtype)
    x, y = np.concatenate([x, patterns[0]]), np.concatenate([y, patterns[1]])
    size = len(x) // 16 * 16
    x, y = x[:size].copy(), y[:size].copy()
    (actual,) = run([name], host_target(), dtype, 16, x, y)
    wider = np.float64 if dtype == np.float32 else np.longdouble
    bound = 0.0 if name == "fmod" else 1.0
    check(name, actual, reference(name, x.astype(wider), y.astype(wider)), bound, x, y)


@pytest.mark.parametrize("lanes", [1, 2, 3, 64])
def test_any_number_of_lanes_gives_the_same_bits(lanes: int) -> None:
    x = sampled_f32(2**10)
    x = np.ascontiguousarray(x[: len(x) // 192 * 192])
    names = ["exp", "log", "sin", "tanh", "erf", "erfc"]
    expected = run(names, host_target(), np.float32, 16, x)
    actual = run(names, host_target(), np.float32, lanes, x)
    for name, a, b in zip(names, actual, expected, strict=True):
        np.testing.assert_array_equal(a, b, err_msg=name)


@pytest.mark.parametrize("target", ["aarch64", "riscv64"])
@pytest.mark.parametrize("kind", ["f32", "f64"])
def test_foreign_targets_compile(target: str, kind: str) -> None:
    machine = target_machine(target, jit=False)
    module = optimize(generate("math", target, kind, "4", *UNARY, *BINARY), machine)
    assert len(machine.emit_object(module)) > 1000
