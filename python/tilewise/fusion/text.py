# SPDX-License-Identifier: Apache-2.0
"""From a graph to the text of a Triton function, or to PyTorch's operators."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from tilewise.fusion.graph import BOOL, Constant, Graph, Node
from tilewise.fusion.primitives import ALWAYS_BITS, MODULES, PRIMITIVES


def _literal(value: Constant) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    # A bool among numbers is one; Triton has no sum of True and a float.
    return repr(int(value)) if isinstance(value, bool) else f"({value!r})"


class _Writer:
    def __init__(self, graph: Graph, name: str) -> None:
        self.graph = graph
        self.name = name
        self.names: dict[int, str] = {}

    def operand(self, node: Node, in_operator: bool, keeps_bool: bool) -> str:
        if node.op == "constant":
            if node.category == BOOL and keeps_bool:
                return f"tl.full((), {int(node.value)}, tl.int1)"
            literal = _literal(node.value)
            is_finite = math.isfinite(node.value)
            return literal if in_operator and is_finite else f"tl.full((), {literal}, dtype)"
        name = self.names[node.index]
        if node.category == BOOL and node.op != "parameter" and not keeps_bool:
            return f"{name}.to(dtype)"
        return name

    def expression(self, node: Node) -> str:
        primitive = PRIMITIVES[node.op]
        arguments = []
        # Two constants (of a derivative) have no type that an operator could take from them.
        bare = primitive.is_operator and any(arg.op != "constant" for arg in node.args)
        for position, arg in enumerate(node.args):
            is_condition = node.op == "where" and position == 0
            text = self.operand(arg, bare, primitive.takes_bools or is_condition)
            if is_condition and (arg.category != BOOL or arg.op == "parameter"):
                text = f"{text} != 0"
            arguments.append(text)
        text = primitive.text.format(*arguments)
        if node.category == BOOL and primitive.category not in ALWAYS_BITS:
            return f"({text}) != 0"  # A sum of bools is one of numbers here.
        return text

    def write(self) -> str:
        nodes = self.graph.needed(self.graph.results)
        called = sorted({node.op for node in nodes} & MODULES.keys())
        lines = []
        for module in sorted({MODULES[op] for op in called}):
            names = [op for op in called if MODULES[op] == module]
            lines.append(f"from {module} import {', '.join(names)}")
        lines += ["", ""] if called else []
        parameters = [f"x{i}" for i in range(len(self.graph.parameters))]
        lines += ["@triton.jit", f"def {self.name}({', '.join(parameters)}):"]
        lines.append("    dtype: tl.constexpr = x0.dtype")
        for node in nodes:
            if node.op == "parameter":
                self.names[node.index] = f"x{node.value}"
            elif node.op != "constant":
                name = f"v{node.index}"
                lines.append(f"    {name} = {self.expression(node)}")
                self.names[node.index] = name
        results = [self.operand(node, False, True) for node in self.graph.results]
        lines.append(f"    return {', '.join(results)}")
        return "\n".join(lines)


def triton_text(graph: Graph, name: str) -> str:
    """The module text of a Triton function `name` that computes the graph's results.

    All parameters have one type, the one to compute in.
    """
    return _Writer(graph, name).write()


def compose(graph: Graph, operands: Sequence[Any]) -> list[torch.Tensor]:
    """The graph's results by PyTorch's operators; operands are tensors and numbers."""
    values: dict[int, Any] = {}
    for node in graph.needed(graph.results):
        if node.op == "parameter":
            values[node.index] = operands[int(node.value)]
        elif node.op == "constant":
            values[node.index] = node.value
        else:
            arguments = [values[arg.index] for arg in node.args]
            if not any(isinstance(argument, torch.Tensor) for argument in arguments):
                # float64 as Python's numbers; what meets a tensor promotes as a number would.
                arguments = [torch.tensor(argument) for argument in arguments]
            values[node.index] = PRIMITIVES[node.op].torch(*arguments)
    return [
        value if isinstance(value, torch.Tensor) else torch.tensor(value)
        for value in (values[node.index] for node in graph.results)
    ]
