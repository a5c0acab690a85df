# SPDX-License-Identifier: Apache-2.0
"""Derivatives of graphs: a graph again, so that it can be differentiated once more.

The chain rule runs backwards over the graph; what one primitive contributes is differentiated by
sympy, once per process, and put back into the terms of the graph (its arguments and its own value,
which are there anyway). Deriving the whole expression in sympy instead would let its automatic
simplifications across primitives change what is rounded and what overflows: silu's derivative
becomes inf / inf for large negative inputs. At kinks the conventions are PyTorch's: abs 0 at 0,
relu 0 at 0, maximum and minimum half each at ties, clamp 1 on its bounds.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from tilewise.fusion.errors import FusionError
from tilewise.fusion.graph import Graph, Node
from tilewise.fusion.primitives import PRIMITIVES

# Whose derivatives are zero everywhere that they exist.
_CONSTANT = {
    "lt", "le", "gt", "ge", "eq", "ne", "logical_not", "logical_and", "logical_or", "isnan",
    "bitwise_and", "bitwise_or", "bitwise_xor", "bitwise_not", "detach", "floor", "ceil", "trunc",
    "round_half_even", "sign", "floor_divide",
}  # fmt: skip


class Builder:
    """Expressions in a graph, with the simplifications that derivatives need."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph

    def make(self, op: str, *args: Node | float | int) -> Node:
        """A primitive of nodes and numbers."""
        nodes = [arg if isinstance(arg, Node) else self.graph.constant(arg) for arg in args]
        return self.graph.apply(op, nodes, PRIMITIVES[op].category(*nodes))

    def add(self, a: Node, b: Node) -> Node:
        """a + b; parts that are zero where the other is not are put together without a sum."""
        for left, right in ((a, b), (b, a)):
            if left.is_constant(0):
                return right
        if a.op == b.op == "where" and a.args[0] is b.args[0]:
            if a.args[2].is_constant(0) and b.args[1].is_constant(0):
                return self.make("where", a.args[0], a.args[1], b.args[2])
            if b.args[2].is_constant(0) and a.args[1].is_constant(0):
                return self.make("where", a.args[0], b.args[1], a.args[2])
        if b.op == "neg":
            return self.make("sub", a, b.args[0])
        return self.make("add", a, b)

    def multiply(self, a: Node, b: Node) -> Node:
        """a * b, inside of a selection: what was not selected must not become 0 * inf."""
        for left, right in ((a, b), (b, a)):
            if left.is_constant(0):
                return left
            if left.is_constant(1):
                return right
            if left.is_constant(-1):
                return self.make("neg", right)
        for left, right in ((a, b), (b, a)):
            if left.op == "where" and (left.args[1].is_constant(0) or left.args[2].is_constant(0)):
                condition, x, y = left.args
                return self.make(
                    "where",
                    condition,
                    x if x.is_constant(0) else self.multiply(x, right),
                    y if y.is_constant(0) else self.multiply(y, right),
                )
        return self.make("mul", a, b)

    def select(self, condition: Node, a: Node | float, b: Node | float) -> Node:
        """where(condition, a, b)"""
        return self.make("where", condition, a, b)


def _extremum(is_maximum: bool) -> Callable[..., Any]:
    def rule(b: Builder, node: Node, g: Node) -> list[Node | None]:
        x, y = node.args
        shared = b.select(b.make("eq", x, y), b.make("mul", g, 0.5), g)
        loses = ("lt", "gt") if is_maximum else ("gt", "lt")
        return [b.select(b.make(loses[0], x, y), 0.0, shared),
                b.select(b.make(loses[1], x, y), 0.0, shared)]  # fmt: skip

    return rule


def _bound(inside: str, outside: str) -> Callable[..., Any]:
    def rule(b: Builder, node: Node, g: Node) -> list[Node | None]:
        x, limit = node.args
        return [b.select(b.make(inside, x, limit), g, 0.0),
                b.select(b.make(outside, x, limit), g, 0.0)]  # fmt: skip

    return rule


def _where(b: Builder, node: Node, g: Node) -> list[Node | None]:
    condition = node.args[0]
    return [None, b.select(condition, g, 0.0), b.select(condition, 0.0, g)]


def _power(b: Builder, node: Node, g: Node) -> list[Node | None]:
    """As PyTorch: d/dx is 0 for an exponent of 0, d/dy is 0 where x is 0 and y is not negative."""
    x, y = node.args
    slope = b.multiply(y, b.make("power", x, b.make("sub", y, 1.0)))
    if y.op == "constant":
        by_x = b.multiply(g, slope)
    else:
        by_x = b.select(b.make("eq", y, 0.0), 0.0, b.multiply(g, slope))
    vanishes = b.make("logical_and", b.make("eq", x, 0.0), b.make("ge", y, 0.0))
    by_y = b.select(vanishes, 0.0, b.multiply(g, b.make("mul", node, b.make("log", x))))
    return [by_x, by_y]


_RULES: dict[str, Callable[..., Any]] = {
    "maximum": _extremum(True),
    "minimum": _extremum(False),
    "at_least": _bound("ge", "lt"),
    "at_most": _bound("le", "gt"),
    "where": _where,
    "power": _power,
    "absolute": lambda b, node, g: [b.multiply(g, b.make("sign", node.args[0]))],
    "relu": lambda b, node, g: [b.select(b.make("le", node.args[0], 0.0), 0.0, g)],
    "remainder": lambda b, node, g: [
        g,
        b.multiply(b.make("neg", g), b.make("floor_divide", *node.args)),
    ],
    "fmod": lambda b, node, g: [
        g,
        b.multiply(b.make("neg", g), b.make("trunc", b.make("divide", *node.args))),
    ],
}


@functools.cache
def _local(op: str) -> tuple[Any, tuple[Any, ...]]:
    """Symbols (u, v, y) and y's derivatives by the arguments u, v, by sympy."""
    import sympy

    u, v, y = symbols = sympy.symbols("u v y", real=True)
    formulas = {
        "add": u + v, "sub": u - v, "mul": u * v, "neg": -u, "log2": sympy.log(u) / sympy.log(2),
        "log10": sympy.log(u) / sympy.log(10), "log1p": sympy.log(1 + u), "exp2": 2**u,
        "expm1": sympy.exp(u) - 1, "atan2": sympy.atan2(u, v), "sqrt": sympy.sqrt(u),
        **{name: getattr(sympy, name)(u) for name in [
            "exp", "log", "sin", "cos", "tan", "sinh", "cosh", "tanh", "asin", "acos", "atan",
            "asinh", "acosh", "atanh", "erf", "erfc"]},
    }  # fmt: skip
    # In terms of the value itself, where sympy's own form would overflow before it.
    logistic = sympy.Function("sigmoid")
    by_value = {
        "sigmoid": (y * (1 - y),),
        "log1p_exp": (logistic(u),),
        "reciprocal": (-y * y,),
        "rsqrt": (-(y**3) / 2,),
        "divide": (1 / v, -y / v),
    }
    if op in by_value:
        return symbols, by_value[op]
    if op not in formulas:
        raise FusionError(f"tilewise: {op} has no derivative")
    formula = formulas[op]
    arguments = (u, v) if formula.has(v) else (u,)
    parts = [sympy.diff(formula, argument) for argument in arguments]
    if formula.is_Function or formula.is_Pow:
        parts = [part.subs(formula, y) for part in parts]
    return symbols, tuple(parts)


def _from_sympy(b: Builder, expression: Any, values: dict[Any, Node]) -> Node:
    """A derivative of _local in nodes."""
    import sympy

    if expression in values:
        return values[expression]
    if expression.is_number:
        number = float(expression)
        return b.graph.constant(int(number) if number in (0, 1, -1) else number)
    if expression.is_Add:
        terms = [_from_sympy(b, part, values) for part in expression.args]
        return functools.reduce(b.add, terms)
    if expression.is_Mul:
        factor = sympy.Mul(*[arg for arg in expression.args if arg.is_number])
        variable = [arg for arg in expression.args if not arg.is_number]
        inverse = [arg for arg in variable if arg.is_Pow and arg.exp.is_negative]
        over = [_from_sympy(b, 1 / arg, values) for arg in inverse]
        rest = [_from_sympy(b, arg, values) for arg in variable if arg not in inverse]
        top = functools.reduce(b.multiply, [_from_sympy(b, factor, values), *rest])
        return b.make("divide", top, functools.reduce(b.multiply, over)) if over else top
    if expression.is_Pow:
        exponent = expression.exp
        if exponent.is_negative:
            return b.make("divide", 1, _from_sympy(b, 1 / expression, values))
        if exponent == sympy.Rational(1, 2):
            return b.make("sqrt", _from_sympy(b, expression.base, values))
        if exponent.is_Integer and exponent <= 4:
            base = _from_sympy(b, expression.base, values)
            return functools.reduce(b.multiply, [base] * int(exponent))
    arguments = [_from_sympy(b, part, values) for part in expression.args]
    return b.make("power" if expression.is_Pow else type(expression).__name__, *arguments)


def _contributions(b: Builder, node: Node, g: Node, wanted: set[int]) -> list[Node | None]:
    if node.op in _RULES:
        rule: list[Node | None] = _RULES[node.op](b, node, g)
        return rule
    symbols, parts = _local(node.op)
    values = dict(zip(symbols, [*node.args, node][: len(node.args)], strict=False))
    values[symbols[2]] = node
    result: list[Node | None] = []
    for arg, part in zip(node.args, parts, strict=True):
        if arg.index not in wanted:
            result.append(None)
            continue
        by_quotient = node.op == "divide" and part == parts[0]
        result.append(
            b.make("divide", g, node.args[1])
            if by_quotient
            else b.multiply(g, _from_sympy(b, part, values))
        )
    return result


def copy_into(source: Graph, target: Graph, parameters: Sequence[Node]) -> dict[int, Node]:
    """The nodes of `source` in `target`, with `parameters` for its own."""
    copies: dict[int, Node] = {}
    for node in source.nodes:
        if node.op == "parameter":
            copies[node.index] = parameters[int(node.value)]
        elif node.op == "constant":
            copies[node.index] = target.constant(node.value)
        else:
            arguments = [copies[arg.index] for arg in node.args]
            copies[node.index] = target.apply(
                node.op, arguments, PRIMITIVES[node.op].category(*arguments)
            )
    return copies


def _gradients(graph: Graph, needs: Sequence[bool]) -> tuple[Graph, dict[int, Node]]:
    """A graph of (gradients, inputs), its results the gradients of the inputs that need one."""
    outputs, inputs = len(graph.results), len(graph.parameters)
    derived = Graph(outputs + inputs)
    b = Builder(derived)
    copies = copy_into(graph, derived, derived.parameters[outputs:])
    primal = len(derived.nodes)  # Nodes below this belong to the function itself.
    wanted = {derived.parameters[outputs + i].index for i in range(inputs) if needs[i]}
    for node in derived.nodes[:primal]:
        if any(arg.index in wanted for arg in node.args) and node.op not in _CONSTANT:
            wanted.add(node.index)
    adjoints: dict[int, Node] = {}

    def contribute(node: Node, value: Node) -> None:
        if node.index in wanted:
            known = adjoints.get(node.index)
            adjoints[node.index] = value if known is None else b.add(known, value)

    for i, result in enumerate(graph.results):
        contribute(copies[result.index], derived.parameters[i])
    for node in reversed(derived.nodes[outputs:primal]):
        if node.args and node.index in adjoints:
            parts = _contributions(b, node, adjoints[node.index], wanted)
            for arg, part in zip(node.args, parts, strict=True):
                if part is not None:
                    contribute(arg, part)
    zero = derived.constant(0.0)
    derived.results = [
        adjoints.get(derived.parameters[outputs + i].index, zero) for i in range(inputs) if needs[i]
    ]
    return derived, {i: copies[result.index] for i, result in enumerate(graph.results)}


def differentiate(graph: Graph, needs: Sequence[bool]) -> tuple[Graph, list[str]]:
    """The gradients of the inputs that need one, and where each parameter comes from.

    "g0" is the gradient of result 0, "i1" input 1, "o0" result 0 itself: whichever choice of
    inputs and results makes the fewest tensors to keep for backward. Equal choices keep inputs,
    which are exact where a 16-bit result is rounded.
    """
    derived, results = _gradients(graph, needs)
    outputs = len(graph.results)

    def sources(cut: dict[int, str]) -> list[str]:
        wanted = {node.index for node in derived.results}
        for node in reversed(derived.nodes):
            if node.index in wanted and node.index not in cut:
                wanted.update(arg.index for arg in node.args)
        found = []
        for i, node in enumerate(derived.parameters):
            if node.index in wanted:
                found.append(f"g{i}" if i < outputs else f"i{i - outputs}")
        return found + sorted({cut[index] for index in wanted if index in cut})

    by_inputs = sources({})
    cut = {
        node.index: f"o{i}"
        for i, node in reversed(results.items())
        if node.op not in ("parameter", "constant")
    }
    by_results = sources(cut)

    def kept(names: list[str]) -> int:
        return sum(name[0] != "g" for name in names)

    chosen, cut = (by_results, cut) if kept(by_results) < kept(by_inputs) else (by_inputs, {})
    if not chosen:
        chosen = ["g0"]
    final = Graph(len(chosen))
    given = dict(zip(chosen, final.parameters, strict=True))
    copies: dict[int, Node] = {}
    for node in derived.nodes:
        position = int(node.value)
        if node.index in cut and cut[node.index] in given:
            copies[node.index] = given[cut[node.index]]
        elif node.op == "parameter":
            name = f"g{position}" if position < outputs else f"i{position - outputs}"
            if name in given:
                copies[node.index] = given[name]
        elif node.op == "constant":
            copies[node.index] = final.constant(node.value)
        elif all(arg.index in copies for arg in node.args):
            arguments = [copies[arg.index] for arg in node.args]
            copies[node.index] = final.apply(
                node.op, arguments, PRIMITIVES[node.op].category(*arguments)
            )
    final.results = [copies[node.index] for node in derived.results]
    return final, chosen
