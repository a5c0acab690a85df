# SPDX-License-Identifier: Apache-2.0
"""Scalar functions as graphs of primitive operations.

Equal nodes are one node, so common subexpressions are found where they arise. A node knows, for
each category that the operands of a call may have in common (bool, integer, float), its own: "bif"
keeps it, "fff" is always a float, "iif" at least an integer.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

KEEP = "bif"
BOOL = "bbb"
INTEGER = "iif"
FLOAT = "fff"
# PyTorch decides for bools, which a kernel computes as the integers 0 and 1.
NO_BOOL = "-if"

_ORDER = "bif-"

Constant = bool | int | float


def join(*categories: str) -> str:
    """What operands of these categories promote to."""
    return "".join(max(column, key=_ORDER.index) for column in zip(*categories, strict=True))


@dataclass(frozen=True, eq=False)
class Node:
    """A value: a parameter, a constant, or a primitive of other values."""

    index: int  # Of creation, after that of its arguments.
    op: str  # "parameter", "constant" or the name of a primitive.
    args: tuple[Node, ...]
    category: str
    value: Constant = 0  # A constant's; a parameter's position.

    def is_constant(self, value: Constant) -> bool:
        """Whether this is that number, of whatever type."""
        return self.op == "constant" and self.value == value


class Graph:
    """The nodes of one function and its results."""

    def __init__(self, parameters: int) -> None:
        self.nodes: list[Node] = []
        self._known: dict[object, Node] = {}
        self.parameters = [self._make("parameter", (), KEEP, i) for i in range(parameters)]
        self.results: list[Node] = []

    def constant(self, value: Constant) -> Node:
        """A number of the function's text."""
        category = BOOL if isinstance(value, bool) else INTEGER if isinstance(value, int) else FLOAT
        return self._make("constant", (), category, value)

    def apply(self, op: str, args: Iterable[Node], category: str) -> Node:
        """A primitive of nodes of this graph."""
        return self._make(op, tuple(args), category, 0)

    def _make(self, op: str, args: tuple[Node, ...], category: str, value: Constant) -> Node:
        # repr tells 0.0 from -0.0, 1 from True and 1.0, and makes nan equal to itself.
        key = (op, tuple(arg.index for arg in args), repr(value))
        node = self._known.get(key)
        if node is None:
            node = Node(len(self.nodes), op, args, category, value)
            self._known[key] = node
            self.nodes.append(node)
        return node

    def needed(self, results: Iterable[Node]) -> list[Node]:
        """The nodes that `results` are made of, arguments first."""
        wanted = {node.index for node in results}
        for node in reversed(self.nodes):
            if node.index in wanted:
                wanted.update(arg.index for arg in node.args)
        return [node for node in self.nodes if node.index in wanted]

    def compute_category(self) -> str:
        """The category in which everything can be computed."""
        used = [node for node in self.needed(self.results) if node.op != "constant"]
        operands = [arg.category for node in used for arg in node.args]
        return join(KEEP, *(node.category for node in used), *operands)
