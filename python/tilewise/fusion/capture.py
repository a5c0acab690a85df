# SPDX-License-Identifier: Apache-2.0
"""The text of a function in Triton's language, with everything that it refers to.

The function's own lines are used as they are, and so are those of the functions that it calls;
numbers and types it takes from its module or from an enclosing function become constants. The
result is a module by itself, so that a kernel is known by all that shapes it.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import io
import textwrap
import tokenize
import types
from typing import Any

from tilewise.fusion.errors import FusionError, place
from tilewise.fusion.rebind import is_triton, names_of, plain_function, value_module

# Names of the module around the function.
_RESERVED = {"kernel", "triton", "tl"}
# Objects of Triton's that a function uses by value.
_TYPES = ("constexpr", "dtype")


def _source_of(function: types.FunctionType) -> tuple[str, ast.FunctionDef]:
    """The lines from `def` on, and their syntax tree."""
    try:
        text = textwrap.dedent(inspect.getsource(function))
    except (OSError, TypeError) as error:
        raise FusionError(
            f"tilewise.pointwise: the source of {place(function.__code__)} cannot be read, and a "
            "function in Triton's language is compiled from its source; put it into a file, or "
            "write it with operators and torch functions"
        ) from error
    try:
        node = ast.parse(text).body[0]
    except SyntaxError:
        node = None
    if not isinstance(node, ast.FunctionDef):
        raise FusionError(
            f"tilewise.pointwise: {place(function.__code__)} uses Triton's language and has to be "
            "written with `def`"
        )
    lines = text.splitlines()[node.lineno - 1 :]
    return "\n".join(lines), ast.parse("\n".join(lines)).body[0]  # type: ignore[return-value]


def _rename(text: str, names: dict[str, str]) -> str:
    """`text` with whole names replaced, attributes left alone, lines kept."""
    if not names:
        return text
    tokens, previous = [], ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.NAME and token.string in names and previous != ".":
            tokens.append((token, names[token.string]))
        previous = token.string
    lines = text.splitlines()
    for token, new in reversed(tokens):
        row, column = token.start
        line = lines[row - 1]
        lines[row - 1] = line[:column] + new + line[column + len(token.string) :]
    return "\n".join(lines)


class _Capture:
    def __init__(self) -> None:
        self.imports: dict[str, str] = {}
        self.constants: dict[str, str] = {}
        self.texts: list[str] = []
        self.names: dict[types.FunctionType, str] = {}
        self.taken = set(_RESERVED)

    def free_name(self, name: str) -> str:
        new, count = name, 1
        while new in self.taken:
            count += 1
            new = f"{name}_{count}"
        self.taken.add(new)
        return new

    def add_function(self, function: types.FunctionType) -> str:
        """The name under which the module has `function`."""
        if function in self.names:
            return self.names[function]
        text, node = _source_of(function)
        name = self.names[function] = self.free_name(node.name)
        renamed = {node.name: name} if name != node.name else {}
        known = names_of(function)
        for used, line in _global_names(node).items():
            where = place(function.__code__, function.__code__.co_firstlineno + line - 1)
            if used in known:
                new = self.add_name(used, known[used], where)
                if new != used:
                    renamed[used] = new
            elif not hasattr(builtins, used):
                raise FusionError(
                    f"tilewise.pointwise: {where} uses {used!r}, which is not defined"
                )
        self.texts.append("@triton.jit\n" + _rename(text, renamed))
        return name

    def add_name(self, name: str, value: Any, where: str) -> str:
        function = plain_function(value)
        if isinstance(value, types.ModuleType):
            return self.add_module(name, value, where)
        if is_triton(value) and callable(value) and type(value).__name__ not in _TYPES:
            exported = getattr(value, "__name__", name)
            return self.add_import(name, f"from {value_module(value)} import {exported} as {{}}")
        if function is not None:
            return self.add_function(function)
        constant = getattr(value, "value", value) if type(value).__name__ == "constexpr" else value
        if type(constant).__name__ == "dtype" and is_triton(type(constant)):
            text = f"tl.constexpr(tl.{_dtype_name(constant)})"
        elif isinstance(constant, (bool, int, float, str)) or constant is None:
            text = f"tl.constexpr({constant!r})"
        else:
            raise FusionError(
                f"tilewise.pointwise: {where} uses {name!r}, a {type(value).__name__}; a function "
                "in Triton's language may use numbers, Triton's modules and functions"
            )
        return self.add_constant(name, text)

    def add_module(self, name: str, module: types.ModuleType, where: str) -> str:
        full = module.__name__
        if full == "triton.language" and name == "tl":
            return name
        if full.endswith(".libdevice"):
            return self.add_import(name, "from triton.language.extra import libdevice as {}")
        if is_triton(module) or full == "math":
            return self.add_import(name, f"import {full} as {{}}")
        raise FusionError(
            f"tilewise.pointwise: {where} uses the module {full}, which kernels do not have"
        )

    def add_import(self, name: str, statement: str) -> str:
        return self._add(self.imports, name, statement)

    def add_constant(self, name: str, text: str) -> str:
        return self._add(self.constants, name, f"{{}} = {text}")

    def _add(self, table: dict[str, str], name: str, template: str) -> str:
        for candidate in (name, *(f"{name}_{i}" for i in range(2, 100))):
            statement = template.format(candidate)
            if table.get(candidate) == statement:
                return candidate
            if candidate not in self.taken:
                break
        new = self.free_name(name)
        table[new] = template.format(new)
        return new

    def module(self) -> str:
        head = [*self.imports.values(), *self.constants.values()]
        return "\n\n\n".join(["\n".join(head), *self.texts] if head else self.texts)


def _dtype_name(dtype: Any) -> str:
    names = {"fp16": "float16", "bf16": "bfloat16", "fp32": "float32", "fp64": "float64"}
    return names.get(str(dtype), str(dtype))


def _global_names(node: ast.FunctionDef) -> dict[str, int]:
    """Names that the function reads and does not set, with the line of their first use."""
    arguments = node.args
    local = {
        argument.arg
        for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    }
    found: dict[str, int] = {}
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store):
            local.add(part.id)
    for part in ast.walk(node):
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load) and part.id not in local:
            found.setdefault(part.id, part.lineno)
    found.pop(node.name, None)
    return found


def triton_source(function: types.FunctionType) -> tuple[str, str]:
    """(module text, name of the function in it)."""
    capture = _Capture()
    name = capture.add_function(function)
    return capture.module(), name


def count_results(function: types.FunctionType) -> int:
    """How many values the function's `return` statements give."""
    _, node = _source_of(function)
    counts = {
        len(part.value.elts) if isinstance(part.value, ast.Tuple) else 1
        for part in ast.walk(node)
        if isinstance(part, ast.Return) and part.value is not None
    }
    if len(counts) != 1:
        raise FusionError(
            f"tilewise.pointwise: {place(function.__code__)} has to return the same number of "
            "values everywhere"
        )
    return counts.pop()
