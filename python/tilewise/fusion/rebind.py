# SPDX-License-Identifier: Apache-2.0
"""Calls a user's function with traced values.

The function is called as it is, but for the names it uses: `math`, Triton's modules and the
functions of both stand for those of functions.py, helper functions and `@triton.jit` functions are
treated the same way, and a fused operator stands for its function. The user's own module is not
changed: the call sees a copy of its names.
"""

from __future__ import annotations

import builtins
import math
import types
from collections.abc import Callable, Iterator
from typing import Any

from tilewise.fusion.errors import FusionError, place, place_of_error
from tilewise.fusion.functions import install
from tilewise.fusion.graph import Graph
from tilewise.fusion.values import TRAITS, Value, find_function, is_traced, lift

install()

# Kernel files may call the primitives themselves (kernels/fused/primitives.py).
PRIMITIVE_FILES = ("fused.primitives", "pointwise.exponential")


class _Module:
    """Stands for `math` or a Triton module."""

    def __init__(self, module: types.ModuleType) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return _stand_in(name, getattr(self._module, name))


def _stand_in(name: str, original: Any) -> Any:
    """A function that goes by what it is given; anything else as it is."""
    if not callable(original) or isinstance(original, type):
        return getattr(original, "value", original)  # tl.constexpr

    def function(*args: Any, **kwargs: Any) -> Any:
        is_of_triton = getattr(original, "__module__", "").startswith(("triton", *PRIMITIVE_FILES))
        if is_of_triton or is_traced(*args, *kwargs.values()):
            return find_function(name)(*args, **kwargs)
        return original(*args, **kwargs)

    return function


def is_triton(value: Any) -> bool:
    """Whether a name stands for a module or a function of Triton's language."""
    name = value.__name__ if isinstance(value, types.ModuleType) else value_module(value)
    return name == "triton" or name.startswith("triton.language")


def value_module(value: Any) -> str:
    """The module that a function or type comes from, "" if there is none."""
    module = getattr(value, "__module__", None)
    return module if isinstance(module, str) else ""


def plain_function(function: Any) -> types.FunctionType | None:
    """The Python function in a function, a `@triton.jit` function or a fused operator."""
    inner = getattr(function, "fn", None) if hasattr(function, "arg_names") else None
    inner = getattr(function, "python_function", None) or inner or function
    return inner if isinstance(inner, types.FunctionType) else None


def codes_of(code: types.CodeType) -> Iterator[types.CodeType]:
    """A function's code and that of the functions inside it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes_of(constant)


def names_of(function: types.FunctionType) -> dict[str, Any]:
    """The names from outside that a function uses and has, with their values."""
    names = {name for code in codes_of(function.__code__) for name in code.co_names}
    found = {name: function.__globals__[name] for name in names & function.__globals__.keys()}
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        try:
            found[name] = cell.cell_contents
        except ValueError:  # Not assigned yet.
            continue
    return found


def uses_triton(function: types.FunctionType) -> bool:
    """Whether the function is written in Triton's language."""
    return any(is_triton(value) for value in names_of(function).values())


class _Rebinding:
    def __init__(self) -> None:
        self.done: dict[types.FunctionType, types.FunctionType] = {}
        self.codes: set[types.CodeType] = set()

    def replacement(self, name: str, value: Any) -> Any:
        if value is math or (isinstance(value, types.ModuleType) and is_triton(value)):
            return _Module(value)
        if type(value).__name__ == "constexpr":
            return value.value
        if isinstance(value, types.BuiltinFunctionType) and value.__module__ == "math":
            return _stand_in(value.__name__, value)
        if is_triton(value) and callable(value) and not isinstance(value, type):
            return _stand_in(getattr(value, "__name__", name), value)
        function = plain_function(value)
        if function is not None and value_module(function) in PRIMITIVE_FILES:
            return _stand_in(function.__name__, function)
        if function is not None and not value_module(function).startswith(("torch", "numpy")):
            return self.rebind(function)
        return value

    def rebind(self, function: types.FunctionType) -> types.FunctionType:
        if function in self.done:
            return self.done[function]
        self.codes.update(codes_of(function.__code__))
        names = dict(function.__globals__)
        free = function.__code__.co_freevars
        cells = {name: types.CellType() for name in free}
        rebound = types.FunctionType(
            function.__code__, names, function.__name__, function.__defaults__,
            tuple(cells.values()),
        )  # fmt: skip
        rebound.__kwdefaults__ = function.__kwdefaults__
        self.done[function] = rebound
        for name, value in names_of(function).items():
            if name in cells:
                cells[name].cell_contents = self.replacement(name, value)
            else:
                names[name] = self.replacement(name, value)
        for name in ("min", "max"):
            names.setdefault(name, _stand_in(name, getattr(builtins, name)))
        return rebound


def trace(function: Callable[..., Any], parameters: int) -> Graph:
    """The graph of a function of so many parameters.

    Raises:
        FusionError: it does something that values of one element cannot do; the sentence names the
            function and the line.
    """
    plain = plain_function(function)
    if plain is None:
        raise FusionError(
            f"tilewise.pointwise fuses Python functions, and {function!r:.80} is none"
        )
    rebinding = _Rebinding()
    rebound = rebinding.rebind(plain)
    graph = Graph(parameters)
    values = [Value(graph, node) for node in graph.parameters]
    if uses_triton(plain):
        import triton.language as tl

        TRAITS["dtype"] = tl.float32
    try:
        results = rebound(*values)
        listed = list(results) if isinstance(results, (tuple, list)) else [results]
        if not listed or any(result is None for result in listed):
            raise TypeError("it returns nothing; a fused function returns its results")
        graph.results = [lift(graph, result) for result in listed]
    except Exception as error:
        where = place_of_error(error.__traceback__, rebinding.codes) or place(plain.__code__)
        raise FusionError(f"tilewise.pointwise cannot trace {where}: {error}") from error
    finally:
        TRAITS["dtype"] = None
    return graph
