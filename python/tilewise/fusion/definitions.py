# SPDX-License-Identifier: Apache-2.0
"""What libtilewise is told of a function (src/ops/fusion/fused_function.h), and of its derivatives
when it asks for them.
"""

from __future__ import annotations

import ctypes
import hashlib
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from tilewise._library import library, take_text
from tilewise.fusion.derivative import differentiate
from tilewise.fusion.errors import FusionError
from tilewise.fusion.graph import FLOAT, Graph
from tilewise.fusion.text import triton_text


@dataclass
class Definition:
    """One fused function: everything that a call, its fake and its derivative need to know."""

    title: str
    parameters: int
    results: list[str]  # Categories, see graph.py.
    compute: str
    source: str
    function: str  # The name of the function in `source`.
    graph: Graph | None = None
    graph_of: Callable[[], Graph] | None = None  # Makes `graph` when it is first needed.
    not_traced: str = ""  # Why there is no graph.
    backward: Backward | None = None
    arguments: list[str] = field(default_factory=list)  # Of a derivative.
    source_is_traced: bool = True  # Not the user's own text.
    name: str = ""

    def __post_init__(self) -> None:
        """Names the function by what it does."""
        if not self.name:
            digest = hashlib.sha256(self._text().encode()).hexdigest()[:12]
            self.name = f"{self.title}_{digest}"

    def traced(self) -> Graph | None:
        """The function as a graph, if it can be."""
        if self.graph is None and self.graph_of is not None:
            self.graph = self.graph_of()
        return self.graph

    def _text(self) -> str:
        user = self.backward.source if self.backward else ""
        lines = [
            f"title={self.title}", f"function={self.function}", f"parameters={self.parameters}",
            f"compute={self.compute}", f"results={' '.join(self.results)}",
            f"arguments={' '.join(self.arguments)}",
        ]  # fmt: skip
        return "\n".join([*lines, user.replace("\n", " "), "source=", self.source])

    def publish(self) -> None:
        """Makes the function known to libtilewise and to this module."""
        head = self._text().split("\nsource=\n", 1)[0]
        text = f"name={self.name}\n{head}\nsource=\n{self.source}"
        error = ctypes.c_void_p()
        if library.tilewise_define_pointwise(text.encode(), ctypes.byref(error)):
            raise RuntimeError(take_text(error.value))
        with _lock:
            _known[self.name] = self


@dataclass
class Backward:
    """A derivative that the user gave: of (gradients of results, inputs), one result an input."""

    source: str
    function: str
    graph: Graph | None
    inputs: list[int]  # The parameters that its results belong to.


_lock = threading.Lock()
_known: dict[str, Definition] = {}


def identifier(name: str) -> str:
    """`name` as a name in a program: "<lambda>" becomes "lambda"."""
    return re.sub(r"\W+", "_", name).strip("_") or "function"


def traced(title: str, graph: Graph, **kwargs: Any) -> Definition:
    """The definition of a graph."""
    function = f"traced_{title}"
    return Definition(
        title=title,
        parameters=len(graph.parameters),
        results=[node.category for node in graph.results],
        compute=graph.compute_category(),
        source=triton_text(graph, function),
        function=function,
        graph=graph,
        **kwargs,
    )


def find(name: str) -> Definition:
    """The definition of that name; derivatives are derived here.

    Raises:
        FusionError: the function is unknown or has no derivative.
    """
    with _lock:
        known = _known.get(name)
    if known is not None:
        return known
    base, separator, needs = name.rpartition("|backward|")
    if not separator:
        raise FusionError(
            f"tilewise: no fused function is called {name!r}; the module that defines it with "
            "@tilewise.pointwise has to be imported before a program that uses it"
        )
    definition = _derivative(find(base), [digit == "1" for digit in needs], name)
    definition.publish()
    return definition


def _derivative(of: Definition, needs: Sequence[bool], name: str) -> Definition:
    title = f"{of.title}_backward"
    if of.backward is not None:
        return _given_derivative(of, of.backward, needs, name, title)
    primal = of.traced()
    if primal is None:
        raise FusionError(
            f"tilewise: {of.title} has no derivative; give one with "
            f"@tilewise.pointwise(backward=...), or let it be derived: {of.not_traced}"
        )
    graph, arguments = differentiate(primal, needs)
    return traced(title, graph, arguments=arguments, name=name)


def _given_derivative(
    of: Definition, backward: Backward, needs: Sequence[bool], name: str, title: str
) -> Definition:
    wanted = []
    for parameter, need in enumerate(needs):
        if need and parameter not in backward.inputs:
            raise FusionError(f"tilewise: the backward of {of.title} has no gradient for operand "
                              f"{parameter}")  # fmt: skip
        if need:
            wanted.append(backward.inputs.index(parameter))
    outputs = len(of.results)
    arguments = [f"g{i}" for i in range(outputs)] + [f"i{i}" for i in range(of.parameters)]
    if backward.graph is not None:
        graph = backward.graph
        chosen = Graph(len(graph.parameters))
        from tilewise.fusion.derivative import copy_into

        copies = copy_into(graph, chosen, chosen.parameters)
        chosen.results = [copies[graph.results[i].index] for i in wanted]
        used = {node.value for node in chosen.needed(chosen.results) if node.op == "parameter"}
        kept = [i for i in range(len(arguments)) if i in used] or [0]
        final = Graph(len(kept))
        spare = final.constant(0.0)
        place = dict(zip(kept, final.parameters, strict=True))
        copies = copy_into(chosen, final, [place.get(i, spare) for i in range(len(arguments))])
        final.results = [copies[node.index] for node in chosen.results]
        return traced(title, final, arguments=[arguments[i] for i in kept], name=name)
    parameters = [f"x{i}" for i in range(len(arguments))]
    results = [f"r{i}" for i in range(len(backward.inputs))]
    function = f"chosen_{title}"
    source = "\n".join(
        [
            backward.source,
            "\n",
            "@triton.jit",
            f"def {function}({', '.join(parameters)}):",
            f"    {', '.join(results)} = {backward.function}({', '.join(parameters)})",
            f"    return {', '.join(results[i] for i in wanted)}",
        ]
    )
    return Definition(
        title=title,
        parameters=len(arguments),
        results=[FLOAT] * len(wanted),
        compute=FLOAT,
        source=source,
        function=function,
        not_traced=f"the backward of {of.title} cannot be traced",
        arguments=arguments,
        name=name,
    )


def result_dtype(common: torch.dtype, category: str) -> torch.dtype | None:
    """The type that a category gives with the operands' common one; None: PyTorch decides."""
    if common.is_complex:
        return torch.bool if category == "bbb" else common
    column = 0 if common == torch.bool else 2 if common.is_floating_point else 1
    letter = category[column]
    if letter == "b":
        return torch.bool
    if letter == "i":
        return common if column == 1 else torch.int64
    if letter == "f":
        return common if column == 2 else torch.get_default_dtype()
    return None


_RESOLVER = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


@_RESOLVER
def _resolve(name: bytes, failure: int) -> int:
    try:
        find(name.decode())
        return 0
    except BaseException as error:  # An exception cannot pass through the C++ frames above.
        library.tilewise_pointwise_fail(failure, str(error).encode())
        return 1


library.tilewise_set_pointwise_resolver(_resolve)
