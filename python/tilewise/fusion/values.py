# SPDX-License-Identifier: Apache-2.0
"""The objects that a function is called with to be traced, and the functions they may meet.

A `Value` records what is done with it. It answers operators, methods of tensors, and through
`__torch_function__` PyTorch's functions; `math`, NumPy's ufuncs and Triton's functions reach
`FUNCTIONS` through the names that rebind.py replaces.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch

from tilewise.fusion.graph import Graph, Node
from tilewise.fusion.primitives import PRIMITIVES


class TracingError(TypeError):
    """Something that a value of one element cannot do."""


class Value:
    """One element of a tensor, or a number that differs from call to call."""

    __slots__ = ("graph", "node")

    def __init__(self, graph: Graph, node: Node) -> None:
        self.graph = graph
        self.node = node

    @classmethod
    def __torch_function__(
        cls, function: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """PyTorch's functions, called with values."""
        name = getattr(function, "__name__", str(function))
        return find_function(name)(*args, **(kwargs or {}))

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **kwargs: Any) -> Any:
        """NumPy's functions, called with values."""
        return find_function(ufunc.__name__)(*args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        """A tensor's method."""
        if name in ("dtype", "shape"):
            return TRAITS[name]
        if name.startswith("_") or name not in FUNCTIONS:
            raise TracingError(f"a value of one element has no attribute {name!r}")
        function = FUNCTIONS[name]
        return lambda *args, **kwargs: function(self, *args, **kwargs)

    def __bool__(self) -> bool:
        """Not known while the function is traced."""
        raise TracingError(
            "a condition on an element cannot choose between branches of the function; write "
            "torch.where(condition, a, b), torch.minimum or torch.maximum"
        )

    def _number(self) -> Any:
        raise TracingError(
            "an element is no Python number while the function is fused; use operators, torch or "
            "math functions on it"
        )

    __float__ = __int__ = __index__ = __complex__ = _number

    def __iter__(self, *key: Any) -> Any:
        """Elements have no parts."""
        raise TracingError("an element cannot be unpacked; a fused function sees one at a time")

    __getitem__ = __iter__
    __hash__ = object.__hash__


# Set by rebind.py for Triton's functions, which look at the type they compute in.
TRAITS: dict[str, Any] = {"dtype": None, "shape": ()}


def lift(graph: Graph, operand: Any) -> Node:
    """The node of an operand: a value or a number."""
    if isinstance(operand, Value):
        if operand.graph is not graph:
            raise TracingError("a value of another function's call")
        return operand.node
    if isinstance(operand, torch.Tensor):
        if operand.dim() == 0 and not operand.is_complex():
            return graph.constant(operand.item())
        raise TracingError(
            "the function uses a tensor that is not one of its parameters; pass it as one"
        )
    operand = getattr(operand, "value", operand)  # tl.constexpr
    if isinstance(operand, (bool, int, float)):
        return graph.constant(operand)
    raise TracingError(f"{type(operand).__name__} cannot be computed with: {operand!r:.60}")


def apply(name: str, *operands: Any) -> Any:
    """The primitive `name` of values and numbers, at least one of them a value."""
    graph = next((operand.graph for operand in operands if isinstance(operand, Value)), None)
    if graph is None:
        raise TracingError(f"{name} of numbers alone")
    nodes = [lift(graph, operand) for operand in operands]
    return Value(graph, graph.apply(name, nodes, PRIMITIVES[name].category(*nodes)))


def power(x: Any, exponent: Any) -> Any:
    """`x ** exponent`, small integers by multiplication."""
    if not isinstance(exponent, Value):
        if exponent == 2:
            return x * x
        if exponent == 3:
            return x * x * x
        if exponent == 1:
            return x
        if exponent == 0.5:
            return apply("sqrt", x)
        if exponent == -1 and isinstance(exponent, float):
            return apply("reciprocal", x)
    return apply("power", x, exponent)


def _invert(x: Value) -> Any:
    return apply("bitwise_not", x) if x.node.category != "bbb" else apply("logical_not", x)


def _install_operators() -> None:
    for symbol, name in [
        ("add", "add"), ("sub", "sub"), ("mul", "mul"), ("truediv", "divide"),
        ("floordiv", "floor_divide"), ("mod", "remainder"), ("and", "bitwise_and"),
        ("or", "bitwise_or"), ("xor", "bitwise_xor"),
    ]:  # fmt: skip
        setattr(Value, f"__{symbol}__", lambda a, b, name=name: apply(name, a, b))
        setattr(Value, f"__r{symbol}__", lambda a, b, name=name: apply(name, b, a))
    for name in ["lt", "le", "gt", "ge", "eq", "ne"]:
        setattr(Value, f"__{name}__", lambda a, b, name=name: apply(name, a, b))
    for symbol, name in [
        ("neg", "neg"), ("abs", "absolute"), ("floor", "floor"), ("ceil", "ceil"),
        ("trunc", "trunc"), ("round", "round_half_even"),
    ]:  # fmt: skip
        setattr(Value, f"__{symbol}__", lambda a, name=name: apply(name, a))
    operators: dict[str, Callable[..., Any]] = {
        "__pos__": lambda a: a,
        "__invert__": _invert,
        "__pow__": power,
        "__rpow__": lambda a, b: power(b, a),
    }
    for name, function in operators.items():
        setattr(Value, name, function)


_install_operators()

FUNCTIONS: dict[str, Callable[..., Any]] = {}


def find_function(name: str) -> Callable[..., Any]:
    """What `name` means for values."""
    if name in FUNCTIONS:
        return FUNCTIONS[name]
    raise TracingError(f"{name} is not a function that can be fused")


def is_traced(*operands: Any) -> bool:
    """Whether a value is among them."""
    return any(isinstance(operand, Value) for operand in operands)


PI, E = math.pi, math.e
