# SPDX-License-Identifier: Apache-2.0
"""The table of primitive operations: Triton text, PyTorch's function, and the type of the result.

Derivatives are in derivative.py. A primitive whose text is a call is a function of
kernels/fused/primitives.py or kernels/pointwise/exponential.py.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from tilewise.fusion.graph import BOOL, FLOAT, NO_BOOL, Node, join


def _common(*args: Node) -> str:
    return join(*(arg.category for arg in args))


def _float(*args: Node) -> str:
    return FLOAT


def _bool(*args: Node) -> str:
    return BOOL


def _branches(condition: Node, *branches: Node) -> str:
    return _common(*branches)


def _no_bool(*args: Node) -> str:
    return join(NO_BOOL, _common(*args))


def _integral(*args: Node) -> str:
    """Operations on bits; those of bools and of floats are PyTorch's to do or to refuse."""
    return BOOL if _common(*args) == BOOL else join("-i-", _common(*args))


def _power(*args: Node) -> str:
    """Integers to integers are PyTorch's to compute."""
    common = _common(*args)
    return common if common == FLOAT else join("--f", common)


@dataclass(frozen=True)
class Primitive:
    """One operation: `text` holds {0}, {1}, ... for its arguments."""

    name: str
    text: str
    torch: Callable[..., Any]
    category: Callable[..., str] = _common
    is_operator: bool = False  # Constants may stand in the text as they are.
    takes_bools: bool = False  # Arguments that are comparisons stay one-bit integers.


def _call(name: str, function: Callable[..., Any], arity: int = 1, **kwargs: Any) -> Primitive:
    arguments = ", ".join(f"{{{i}}}" for i in range(arity))
    return Primitive(name, f"{name}({arguments})", function, **kwargs)


def _operator(name: str, symbol: str, category: Callable[..., str] = _common) -> Primitive:
    return Primitive(name, f"{{0}} {symbol} {{1}}", getattr(torch, name), category, True)


def _number(value: Any) -> Any:
    return value if isinstance(value, torch.Tensor) else torch.tensor(value)


def _binary(function: Callable[..., Any]) -> Callable[..., Any]:
    """PyTorch's function, for which at least one operand has to be a tensor."""

    @functools.wraps(function)
    def wrapper(a: Any, b: Any) -> Any:
        return function(_number(a), _number(b))

    return wrapper


def _where(condition: Any, a: Any, b: Any) -> Any:
    return torch.where(_number(condition) != 0, a, b)


def _log1p_exp(x: torch.Tensor) -> torch.Tensor:
    return torch.logaddexp(x, torch.zeros_like(x))


PRIMITIVES = {
    primitive.name: primitive
    for primitive in [
        _operator("add", "+"),
        _operator("sub", "-", _no_bool),
        _operator("mul", "*"),
        _operator("lt", "<", _bool),
        _operator("le", "<=", _bool),
        _operator("gt", ">", _bool),
        _operator("ge", ">=", _bool),
        _operator("eq", "==", _bool),
        _operator("ne", "!=", _bool),
        Primitive("neg", "-{0}", torch.neg, _no_bool, True),
        Primitive("logical_not", "{0} == 0", torch.logical_not, _bool, True),
        Primitive(
            "logical_and", "({0} != 0) & ({1} != 0)", _binary(torch.logical_and), _bool, True
        ),
        Primitive("logical_or", "({0} != 0) | ({1} != 0)", _binary(torch.logical_or), _bool, True),
        Primitive("isnan", "{0} != {0}", torch.isnan, _bool, True),
        Primitive("bitwise_and", "{0} & {1}", torch.bitwise_and, _integral, True, True),
        Primitive("bitwise_or", "{0} | {1}", torch.bitwise_or, _integral, True, True),
        Primitive("bitwise_xor", "{0} ^ {1}", torch.bitwise_xor, _integral, True, True),
        Primitive("bitwise_not", "~{0}", torch.bitwise_not, _integral, True, True),
        Primitive("where", "tl.where({0}, {1}, {2})", _where, _branches),
        Primitive("detach", "{0}", lambda x: x, _common, True),
        _call("maximum", _binary(torch.maximum), 2),
        _call("minimum", _binary(torch.minimum), 2),
        _call("at_least", _binary(torch.maximum), 2),
        _call("at_most", _binary(torch.minimum), 2),
        _call("divide", torch.true_divide, 2, category=_float),
        _call("floor_divide", torch.floor_divide, 2, category=_no_bool),
        _call("remainder", torch.remainder, 2, category=_no_bool),
        _call("fmod", torch.fmod, 2, category=_no_bool),
        _call("power", torch.pow, 2, category=_power),
        _call("atan2", _binary(torch.atan2), 2, category=_float),
        _call("absolute", torch.abs, category=_no_bool),
        _call("sign", torch.sign, category=_no_bool),
        _call("relu", torch.relu, category=_no_bool),
        _call("floor", torch.floor, category=_no_bool),
        _call("ceil", torch.ceil, category=_no_bool),
        _call("trunc", torch.trunc, category=_no_bool),
        _call("round_half_even", torch.round, category=_no_bool),
        _call("log1p_exp", _log1p_exp, category=_float),
        *(
            _call(name, getattr(torch, name), category=_float)
            for name in [
                "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan",
                "sinh", "cosh", "tanh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "sqrt",
                "rsqrt", "reciprocal", "sigmoid", "erf", "erfc",
            ]
        ),
    ]
}  # fmt: skip

_OF_EXPONENTIAL = {
    "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cos", "cosh", "erf", "erfc", "exp",
    "exp2", "expm1", "log", "log10", "log1p", "log2", "sin", "sinh", "tan", "tanh",
}  # fmt: skip

# The kernel files that primitives whose text is a call come from.
MODULES = {
    name: "pointwise.exponential" if name in _OF_EXPONENTIAL else "fused.primitives"
    for name, primitive in PRIMITIVES.items()
    if primitive.text.startswith(f"{name}(")
}

# Rules of primitives whose text gives one-bit integers wherever the result is a bool.
ALWAYS_BITS = (_bool, _integral)
