# SPDX-License-Identifier: Apache-2.0
"""Every function and type of triton.language.extra.libdevice, against exact arithmetic and mpmath.

The functions of one signature are compiled into one kernel, from the table that Triton's own
libdevice module holds.
"""

import inspect
import math
from collections import defaultdict
from fractions import Fraction

import mpmath
import numpy as np
import pytest
import torch
from triton.language import core
from triton.language.extra.cuda import libdevice

from tilewise.triton_backend import native, object_file
from tilewise.triton_backend.launcher import slot

KINDS = {
    "fp32": "f32",
    "fp64": "f64",
    "int32": "i32",
    "uint32": "i32",
    "int64": "i64",
    "uint64": "i64",
}
NUMPY = {"fp32": np.float32, "fp64": np.float64, "int32": np.int32, "int64": np.int64,
         "uint32": np.uint32, "uint64": np.uint64}  # fmt: skip
N = 16
mp = mpmath.mp.clone()
mp.dps = 40


class _Called(Exception):
    """Carries the table that a function of libdevice hands to extern_elementwise."""


def signatures():
    """{(operand types, result type): [(function, symbol)]}."""
    found = defaultdict(list)
    real = core.extern_elementwise

    def capture(library, path, arguments, table, is_pure, _semantic=None):
        raise _Called(table)

    core.extern_elementwise = capture
    try:
        for name, function in vars(libdevice).items():
            plain = inspect.unwrap(function) if callable(function) else None
            if name.startswith("_") or not inspect.isfunction(plain):
                continue
            parameters = [p for p in inspect.signature(plain).parameters if not p.startswith("_")]
            try:
                plain(*[None] * len(parameters), _semantic=object())
            except _Called as called:
                for operands, (symbol, result) in called.args[0].items():
                    types = tuple(t.name for t in operands), result.name
                    found[types].append((name, symbol))
    finally:
        core.extern_elementwise = real
    return found


SIGNATURES = signatures()


def test_all_functions_are_there():
    names = {name for functions in SIGNATURES.values() for name, _ in functions}
    assert len(names) >= 190 and {"exp", "isnan", "erfinv", "fma_rz", "isfinited"} <= names


def run(operands, result, functions, values):
    """Rows of results, one per function."""
    result_kind = KINDS[result]
    result_tensor = f"tensor<{N}x{result_kind}>"
    lines = [f"%range = tt.make_range {{end = {N} : i32, start = 0 : i32}} : tensor<{N}xi32>"]
    for i, name in enumerate(operands):
        pointer = f"!tt.ptr<{KINDS[name]}>"
        tensor = f"tensor<{N}x{pointer}>"
        lines.append(f"%s{i} = tt.splat %a{i} : {pointer} -> {tensor}")
        lines.append(f"%p{i} = tt.addptr %s{i}, %range : {tensor}, tensor<{N}xi32>")
        lines.append(f"%x{i} = tt.load %p{i} : {tensor}")
    types = ", ".join(f"tensor<{N}x{KINDS[name]}>" for name in operands)
    arguments = ", ".join(f"%x{i}" for i in range(len(operands)))
    pointer = f"!tt.ptr<{result_kind}>"
    for k, (_, symbol) in enumerate(functions):
        lines.append(
            f"%y{k} = tt.extern_elementwise {arguments} "
            f'{{libname = "", libpath = "", pure = true, symbol = "{symbol}"}} : '
            f"({types}) -> {result_tensor}"
        )
        lines.append(f"%o{k} = arith.constant {k * N} : i32")
        lines.append(f"%q{k} = tt.addptr %out, %o{k} : {pointer}, i32")
        lines.append(f"%t{k} = tt.splat %q{k} : {pointer} -> tensor<{N}x{pointer}>")
        lines.append(f"%r{k} = tt.addptr %t{k}, %range : tensor<{N}x{pointer}>, tensor<{N}xi32>")
        lines.append(f"tt.store %r{k}, %y{k} : tensor<{N}x{pointer}>")
    parameters = [f"%a{i}: !tt.ptr<{KINDS[name]}>" for i, name in enumerate(operands)]
    head = f"tt.func public @k({', '.join([*parameters, f'%out: {pointer}'])}) {{"
    text = "\n".join(["module {", head, *lines, "tt.return", "}", "}"])
    target = native.cpu_target()
    llvm_ir, described = native.compile_ttir(text, target, "k")
    scratch = int(dict(line.split("=") for line in described.splitlines())["scratch_bytes"])
    payload = object_file.emit(llvm_ir, **native.describe_cpu_target(target))
    out = np.zeros((len(functions), N), NUMPY[result])
    tensors = [torch.from_numpy(v.view(v.dtype.name.replace("uint", "int"))) for v in values]
    slots = [slot("*", t) for t in tensors] + [out.ctypes.data]
    handle = native.load_object(payload, "k", scratch)
    native.cpu_launch(handle, (native.c_uint64 * len(slots))(*slots), (1, 1, 1))
    return out


def samples(operands):
    random = np.random.default_rng(len(operands))
    values = []
    for name in operands:
        if name.startswith("fp"):
            x = random.normal(size=N) * 2
            x[: N // 2] = random.uniform(0.01, 0.99, N // 2)
            x[-N // 4 :] = random.uniform(1.01, 4, N // 4)
            values.append(x.astype(NUMPY[name]))
        elif len(operands) > 1 and any(o.startswith("fp") for o in operands):
            values.append(random.integers(0, 6, N).astype(NUMPY[name]))
        else:
            info = np.iinfo(NUMPY[name])
            x = random.integers(info.min, info.max, N, dtype=NUMPY[name])
            x[:4] = [0, 1, info.max, info.min]
            values.append(x)
    return values


def _perm(x, y, s):
    data = (int(y) << 32 | int(x)).to_bytes(8, "little")
    return int.from_bytes(bytes(data[s >> 4 * i & 7] for i in range(4)), "little")


def _low24(x):
    return ((int(x) & 0xFFFFFF) ^ 0x800000) - 0x800000


# Of integers: exact, before wrapping to the result's type. `b` is the number of bits.
INTEGERS = {
    "clz": lambda b, x: b - (x % 2**b).bit_length(),
    "popc": lambda b, x: (x % 2**b).bit_count(),
    "ffs": lambda b, x: (x & -x).bit_length(),
    "brev": lambda b, x: int(f"{x % 2**b:0{b}b}"[::-1], 2),
    "abs": lambda b, x: abs(x),
    "byte_perm": lambda b, x, y, s: _perm(x % 2**32, y % 2**32, s % 2**32),
    "mulhi": lambda b, x, y: (x * y) >> b,
    "mul24": lambda b, x, y: _low24(x) * _low24(y),
    "hadd": lambda b, x, y: (x + y) >> 1,
    "rhadd": lambda b, x, y: (x + y + 1) >> 1,
    "sad": lambda b, x, y, z: abs(x - y) + z,
}


def _unsigned_mul24(bits, x, y):
    return (x & 0xFFFFFF) * (y & 0xFFFFFF)


# Of floats, in 40 digits. None: complex or undefined there.
FLOATS = {
    "abs": abs, "floor": mp.floor, "ceil": mp.ceil, "trunc": lambda x: mp.mpf(int(x)),
    "rint": lambda x: mp.mpf(round(Fraction(float(x)))),
    "nearbyint": lambda x: mp.mpf(round(Fraction(float(x)))),
    "round": lambda x: mp.sign(x) * mp.floor(abs(x) + mp.mpf(0.5)),
    "sqrt": mp.sqrt, "rsqrt": lambda x: 1 / mp.sqrt(x),
    "cbrt": lambda x: mp.sign(x) * mp.cbrt(abs(x)),
    "rcbrt": lambda x: mp.sign(x) / mp.cbrt(abs(x)), "rsqrt_rn": lambda x: 1 / mp.sqrt(x),
    "exp": mp.exp, "exp2": lambda x: mp.mpf(2) ** x, "exp10": lambda x: mp.mpf(10) ** x,
    "expm1": mp.expm1, "log": mp.log, "log2": lambda x: mp.log(x, 2), "log10": mp.log10,
    "log1p": mp.log1p, "sin": mp.sin, "cos": mp.cos, "tan": mp.tan, "asin": mp.asin,
    "acos": mp.acos, "atan": mp.atan, "sinh": mp.sinh, "cosh": mp.cosh, "tanh": mp.tanh,
    "asinh": mp.asinh, "acosh": mp.acosh, "atanh": mp.atanh, "sinpi": mp.sinpi, "cospi": mp.cospi,
    "erf": mp.erf, "erfc": mp.erfc, "erfinv": mp.erfinv, "erfcinv": lambda x: mp.erfinv(1 - x),
    "erfcx": lambda x: mp.exp(x * x) * mp.erfc(x), "normcdf": mp.ncdf,
    "normcdfinv": lambda x: mp.sqrt(2) * mp.erfinv(2 * x - 1),
    "lgamma": lambda x: mp.log(abs(mp.gamma(x))), "tgamma": mp.gamma,
    "j0": mp.j0, "j1": mp.j1, "y0": lambda x: mp.bessely(0, x), "y1": lambda x: mp.bessely(1, x),
    "jn": lambda n, x: mp.besselj(int(n), x), "yn": lambda n, x: mp.bessely(int(n), x),
    "cyl_bessel_i0": lambda x: mp.besseli(0, x), "cyl_bessel_i1": lambda x: mp.besseli(1, x),
    "saturatef": lambda x: min(max(x, 0), 1), "logb": lambda x: mp.floor(mp.log(abs(x), 2)),
    "copysign": lambda x, y: abs(x) * (-1 if y < 0 else 1), "atan2": mp.atan2,
    "hypot": mp.hypot, "rhypot": lambda x, y: 1 / mp.hypot(x, y),
    "norm3d": lambda *v: mp.norm(v), "rnorm3d": lambda *v: 1 / mp.norm(v),
    "norm4d": lambda *v: mp.norm(v), "rnorm4d": lambda *v: 1 / mp.norm(v),
    "fmod": lambda x, y: mp.mpf(math.fmod(x, y)), "pow": lambda x, y: x**y,
    "remainder": lambda x, y: mp.mpf(math.remainder(x, y)), "fdim": lambda x, y: max(x - y, 0),
    "fma": lambda x, y, z: x * y + z, "ldexp": lambda x, n: x * mp.mpf(2) ** int(n),
    "scalbn": lambda x, n: x * mp.mpf(2) ** int(n), "rcp64h": lambda x: 1 / x,
    "ilogb": lambda x: mp.floor(mp.log(abs(x), 2)), "signbit": lambda x: int(x < 0),
    "isnan": lambda x: 0, "isinf": lambda x: 0, "finitef": lambda x: 1, "isfinited": lambda x: 1,
    "llrint": lambda x: round(Fraction(float(x))),
    "llround": lambda x: mp.sign(x) * mp.floor(abs(x) + mp.mpf(0.5)),
}  # fmt: skip
ALIASES = {
    "fast_sinf": "sin", "fast_cosf": "cos", "fast_tanf": "tan", "fast_logf": "log",
    "fast_log2f": "log2", "fast_log10f": "log10", "fast_expf": "exp", "fast_exp10f": "exp10",
    "fast_powf": "pow",
}  # fmt: skip
# Instructions of NVIDIA's chips with few bits, of which Triton's users expect as many.
COARSE = {"rcp64h": 2.0**-19, "lgamma": 1e-6, "tgamma": 1e-6}
EXACT = {
    "add": lambda x, y: x + y, "sub": lambda x, y: x - y, "mul": lambda x, y: x * y,
    "div": lambda x, y: x / y, "rcp": lambda x: 1 / x, "fma": lambda x, y, z: x * y + z,
}  # fmt: skip


def check_rounded(base, mode, operands, result, values, got):
    """Roundings of stated direction: got is the neighbor of the exact value on that side."""
    below = np.nextafter(got, got.dtype.type(-np.inf))
    above = np.nextafter(got, got.dtype.type(np.inf))
    for k in range(N):
        exact_operands = [Fraction(v[k].item()) for v in values]
        value = got[k].item()
        if base == "sqrt":
            if exact_operands[0] < 0:
                continue
            compare = lambda v: Fraction(v) ** 2 - exact_operands[0]  # noqa: B023, E731
        else:
            operation = EXACT.get(base, lambda x: x)
            exact = operation(*exact_operands)
            compare = lambda v: Fraction(v) - exact  # noqa: B023, E731
        lower, upper = below[k].item(), above[k].item()
        if mode == "rz":
            mode_here = "rd" if value > 0 or (value == 0 and compare(0.0) <= 0) else "ru"
        else:
            mode_here = mode
        if mode_here == "rd":
            assert compare(value) <= 0 < compare(upper), (base, mode, k, value)
        elif mode_here == "ru":
            assert compare(lower) < 0 <= compare(value), (base, mode, k, value)
        elif base != "sqrt":
            nearest = abs(compare(value))
            assert nearest <= abs(compare(lower)) and nearest <= abs(compare(upper))


def check_integer_conversion(mode, result, values, got):
    info = np.iinfo(NUMPY["u" + result if "uint" in mode[0] or "ull" in mode[0] else result])
    rounding = {"rn": round, "rz": int, "rd": math.floor, "ru": math.ceil}[mode[1]]
    for k in range(N):
        whole = rounding(Fraction(values[0][k].item()))
        expected = min(max(whole, int(info.min)), int(info.max))
        assert got[k].item() % 2**info.bits == expected % 2**info.bits, (mode, k)


def check_float(name, result, values, got):
    reference = FLOATS[ALIASES.get(name, name)]
    eps = np.finfo(got.dtype).eps if got.dtype.kind == "f" else 0
    tolerance = max(32 * eps, COARSE.get(name, 0))
    checked = 0
    for k in range(N):
        x = [mp.mpf(v[k].item()) if v.dtype.kind == "f" else v[k].item() for v in values]
        try:
            expected = reference(*x)
        except (ValueError, ZeroDivisionError):
            continue
        if isinstance(expected, mp.mpc) or mp.isnan(expected) or mp.isinf(expected):
            continue
        checked += 1
        error = abs(mp.mpf(got[k].item()) - expected)
        assert error <= tolerance * max(abs(expected), mp.mpf(0.1)), (name, x, got[k], expected)
    assert checked >= N // 4, name


def check(name, symbol, operands, result, values, got):
    base, _, mode = name.rpartition("_")
    bits = {"f32": 32, "f64": 64, "i32": 32, "i64": 64}[KINDS[operands[0]]]
    if name.endswith(("_as_int", "_as_uint", "_as_longlong")) or "_as_" in name:
        assert values[0].tobytes() == got.tobytes()
    elif name == "nextafter":
        assert np.array_equal(np.nextafter(*values), got)
    elif name in ("double2loint", "double2hiint"):
        raw = values[0].view(np.uint64)
        half = raw & 0xFFFFFFFF if name == "double2loint" else raw >> np.uint64(32)
        assert np.array_equal(half.astype(np.uint32).view(np.int32), got)
    elif name == "hiloint2double":
        high, low = (v.view(np.uint32).astype(np.uint64) for v in values)
        assert np.array_equal((high << np.uint64(32) | low), got.view(np.uint64))
    elif mode in ("rn", "rz", "rd", "ru") and "2" in base and not result.startswith("fp"):
        check_integer_conversion((base.split("2")[1], mode), result, values, got)
    elif mode in ("rn", "rz", "rd", "ru") and base != "rsqrt":
        check_rounded(base, mode, operands, result, values, got)
    elif name in ("fast_dividef",):
        check_rounded("div", "rn", operands, result, values, got)
    elif name in INTEGERS and not operands[0].startswith("fp"):
        operation = INTEGERS[name]
        if symbol == "__nv_umul24":
            operation = _unsigned_mul24
        for k in range(N):
            expected = operation(bits, *[v[k].item() for v in values])
            assert got[k].item() % 2**bits == expected % 2**bits, (name, k)
    else:
        check_float(name, result, values, got)


@pytest.mark.parametrize("types", SIGNATURES, ids=lambda t: ",".join(t[0]) + ">" + t[1])
def test_every_function_of(types):
    operands, result = types
    functions = SIGNATURES[types]
    values = samples(operands)
    rows = run(operands, result, functions, values)
    for (name, symbol), got in zip(functions, rows, strict=True):
        check(name, symbol, operands, result, values, got)


def test_float_tests_of_special_values():
    special = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1.0, -2.5, 1e-310] * (N // 8))
    for kind, dtype in (("fp32", np.float32), ("fp64", np.float64)):
        x = special.astype(dtype)
        functions = {n: (n, s) for n, s in SIGNATURES[((kind,), "int32")]}
        for name, expected in {
            "isnan": np.isnan(x), "isinf": np.isinf(x), "signbit": np.signbit(x),
            "finitef": np.isfinite(x), "isfinited": np.isfinite(x),
        }.items():  # fmt: skip
            if name in functions:
                got = run((kind,), "int32", [functions[name]], [x])[0]
                assert np.array_equal(got != 0, expected), (name, kind)
