# SPDX-License-Identifier: Apache-2.0
"""What PyTorch's, math's and Triton's functions mean for traced values, in primitives."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from tilewise.fusion.values import FUNCTIONS, TracingError, Value, apply, power


def _only_default(name: str, **arguments: Any) -> None:
    for argument, (value, default) in arguments.items():
        if value != default:
            raise TracingError(f"{name} with {argument}={value!r} cannot be fused")


def add(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    """torch.add"""
    return x + (y if alpha == 1 else y * alpha)


def sub(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    """torch.sub"""
    return x - (y if alpha == 1 else y * alpha)


def rsub(x: Any, y: Any, *, alpha: Any = 1) -> Any:
    """torch.rsub"""
    return sub(y, x, alpha=alpha)


def div(x: Any, y: Any, *, rounding_mode: str | None = None) -> Any:
    """torch.div"""
    if rounding_mode == "floor":
        return apply("floor_divide", x, y)
    quotient = apply("divide", x, y)
    return apply("trunc", quotient) if rounding_mode == "trunc" else quotient


def where(condition: Any, x: Any, y: Any) -> Any:
    """torch.where, tl.where"""
    if not isinstance(condition, Value):
        raise TracingError("where needs a condition that depends on an element")
    return apply("where", condition, x, y)


def clamp(x: Any, min: Any = None, max: Any = None) -> Any:
    """torch.clamp, tl.clamp"""
    if min is not None:
        x = apply("at_least", x, min)
    return x if max is None else apply("at_most", x, max)


def hypot(x: Any, y: Any) -> Any:
    """torch.hypot; squares may overflow where the true result does not."""
    return apply("sqrt", x * x + y * y)


def fma(x: Any, y: Any, z: Any) -> Any:
    """math.fma, tl.fma"""
    return x * y + z


def addcmul(x: Any, y: Any, z: Any, *, value: Any = 1) -> Any:
    """torch.addcmul"""
    return x + (y * z if value == 1 else value * y * z)


def addcdiv(x: Any, y: Any, z: Any, *, value: Any = 1) -> Any:
    """torch.addcdiv"""
    return x + (y / z if value == 1 else value * y / z)


def lerp(start: Any, end: Any, weight: Any) -> Any:
    """torch.lerp"""
    return start + weight * (end - start)


def silu(x: Any, inplace: bool = False) -> Any:
    """F.silu"""
    return x * apply("sigmoid", x)


def gelu(x: Any, approximate: str = "none") -> Any:
    """F.gelu"""
    if approximate == "tanh":
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x * x * x)
        return 0.5 * x * (1 + apply("tanh", inner))
    return 0.5 * x * (1 + apply("erf", x * math.sqrt(0.5)))


def softplus(x: Any, beta: Any = 1, threshold: Any = 20) -> Any:
    """F.softplus"""
    scaled = x if beta == 1 else x * beta
    smooth = apply("log1p_exp", scaled)
    return apply("where", scaled > threshold, x, smooth if beta == 1 else smooth / beta)


def logsigmoid(x: Any) -> Any:
    """F.logsigmoid"""
    return -apply("log1p_exp", -x)


def leaky_relu(x: Any, negative_slope: Any = 0.01, inplace: bool = False) -> Any:
    """F.leaky_relu"""
    return apply("where", x > 0, x, x * negative_slope)


def elu(x: Any, alpha: Any = 1.0, inplace: bool = False) -> Any:
    """F.elu"""
    return apply("where", x > 0, x, alpha * apply("expm1", x))


def selu(x: Any, inplace: bool = False) -> Any:
    """F.selu, with the constants of Klambauer et al. 2017"""
    return 1.0507009873554804934193349852946 * elu(x, 1.6732632423543772848170429916717)


def celu(x: Any, alpha: Any = 1.0, inplace: bool = False) -> Any:
    """F.celu"""
    return apply("where", x > 0, x, alpha * apply("expm1", x / alpha))


def relu(x: Any, inplace: bool = False) -> Any:
    """F.relu"""
    return apply("relu", x)


def hardtanh(x: Any, min_val: Any = -1.0, max_val: Any = 1.0, inplace: bool = False) -> Any:
    """F.hardtanh; flat on its bounds, where clamp is not"""
    return apply("where", x <= min_val, min_val, apply("where", x >= max_val, max_val, x))


def relu6(x: Any, inplace: bool = False) -> Any:
    """F.relu6"""
    return hardtanh(x, 0.0, 6.0)


def hardsigmoid(x: Any, inplace: bool = False) -> Any:
    """F.hardsigmoid"""
    return relu6(x + 3.0) / 6.0


def hardswish(x: Any, inplace: bool = False) -> Any:
    """F.hardswish"""
    return x * relu6(x + 3.0) / 6.0


def mish(x: Any, inplace: bool = False) -> Any:
    """F.mish"""
    return x * apply("tanh", apply("log1p_exp", x))


def softsign(x: Any) -> Any:
    """F.softsign"""
    return x / (1 + abs(x))


def tanhshrink(x: Any) -> Any:
    """F.tanhshrink"""
    return x - apply("tanh", x)


def threshold(x: Any, threshold: Any, value: Any, inplace: bool = False) -> Any:
    """F.threshold"""
    return apply("where", x > threshold, x, value)


def square(x: Any) -> Any:
    """torch.square"""
    return x * x


def round_half_even(x: Any, *, decimals: int = 0) -> Any:
    """torch.round"""
    _only_default("round", decimals=(decimals, 0))
    return apply("round_half_even", x)


def to(x: Any, dtype: Any = None, *args: Any, **kwargs: Any) -> Any:
    """Conversions between floats are the kernel's business: it computes in one type."""
    name = str(dtype).removeprefix("torch.")
    if not any(name.startswith(kind) for kind in ("float", "bfloat", "half", "fp", "bf")):
        raise TracingError(f"conversion to {name} cannot be traced")
    return x


def _constant(value: float) -> Any:
    return lambda *args, **kwargs: value


def install() -> None:
    """Fills FUNCTIONS."""
    unary = [
        "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh",
        "cosh", "tanh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "sqrt", "rsqrt",
        "reciprocal", "sigmoid", "erf", "erfc", "floor", "ceil", "trunc", "sign", "neg", "isnan",
        "logical_not", "detach",
    ]  # fmt: skip
    binary = [
        "mul", "lt", "le", "gt", "ge", "eq", "ne", "logical_and", "logical_or", "bitwise_and",
        "bitwise_or", "bitwise_xor", "maximum", "minimum", "floor_divide", "remainder", "fmod",
        "atan2",
    ]  # fmt: skip
    for name in unary:
        FUNCTIONS[name] = lambda x, name=name: apply(name, x)
    for name in binary:
        # Triton's have further options (propagate_nan), which NaNs need not: they propagate here.
        FUNCTIONS[name] = lambda x, y, name=name, **options: apply(name, x, y)
    functions: list[Callable[..., Any]] = [
        add, sub, rsub, div, where, clamp, hypot, fma, addcmul, addcdiv, lerp, silu, gelu,
        softplus, logsigmoid, leaky_relu, elu, selu, celu, relu, hardtanh, relu6, hardsigmoid,
        hardswish, mish, softsign, tanhshrink, threshold, square, to,
    ]  # fmt: skip
    for function in functions:
        FUNCTIONS[getattr(function, "__name__")] = function  # noqa: B009
    FUNCTIONS.update(
        {
            "pow": power,
            "power": power,
            "log1p_exp": lambda x: apply("log1p_exp", x),
            "round_half_even": round_half_even,
            "round": round_half_even,
            "clamp_min": lambda x, min: clamp(x, min),
            "clamp_max": lambda x, max: clamp(x, None, max),
            "zeros_like": _constant(0.0),
            "ones_like": _constant(1.0),
            "full": lambda shape, value, dtype=None: value,
            "full_like": lambda x, value, **k: value,
            "float": lambda x: x,
            "float_power": lambda x, y: power(x * 1.0, y),
            "log_sigmoid": logsigmoid,
            "expit": FUNCTIONS["sigmoid"],
            "bitwise_not": lambda x: ~x,
        }
    )
    aliases = {
        "abs": "absolute", "fabs": "absolute", "arcsin": "asin", "arccos": "acos",
        "arctan": "atan", "arctan2": "atan2", "arcsinh": "asinh", "arccosh": "acosh",
        "arctanh": "atanh", "negative": "neg", "sgn": "sign", "fix": "trunc", "clip": "clamp",
        "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
        "fdiv": "div", "div_rn": "div", "sqrt_rn": "sqrt", "less": "lt", "less_equal": "le",
        "greater": "gt", "greater_equal": "ge", "not_equal": "ne", "equal": "eq", "rint": "round",
        "nearbyint": "round", "min": "minimum", "max": "maximum", "fmin": "minimum",
        "fmax": "maximum", "mod": "remainder", "__and__": "bitwise_and",
        "__or__": "bitwise_or", "invert": "bitwise_not", "fast_expf": "exp", "fast_logf": "log",
        "fast_dividef": "div", "rcp_rn": "reciprocal",
    }  # fmt: skip
    FUNCTIONS["absolute"] = lambda x: apply("absolute", x)
    for alias, name in aliases.items():
        FUNCTIONS[alias] = FUNCTIONS[name]
    for symbol in ["add", "sub", "mul", "pow"]:  # torch passes operators by these names
        FUNCTIONS[f"__{symbol}__"] = FUNCTIONS[symbol]
        FUNCTIONS[f"__r{symbol}__"] = lambda x, y, name=symbol: FUNCTIONS[name](y, x)
