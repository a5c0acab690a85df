# SPDX-License-Identifier: Apache-2.0
"""Fused operators whose function is in a file of kernels/, which is imported only if it has to be
compiled or differentiated.
"""

from __future__ import annotations

import functools

from tilewise import kernel_modules
from tilewise.fusion.call import FusedCallable
from tilewise.fusion.definitions import Definition
from tilewise.fusion.graph import FLOAT, Graph
from tilewise.fusion.rebind import trace
from tilewise.triton_backend import native


def _graph(module: str, function: str, parameters: int) -> Graph:
    loaded = kernel_modules.load_file(module, native.kernels_dir())
    return trace(getattr(loaded, function), parameters)


class KernelFunction(FusedCallable):
    """A function of kernels/<module>.py as a fused operator; it computes in floats."""

    def __init__(self, module: str, function: str, parameters: int, results: int = 1) -> None:
        """Imports nothing."""
        definition = Definition(
            title=function,
            parameters=parameters,
            results=[FLOAT] * results,
            compute=FLOAT,
            source=f"from {module.replace('/', '.')} import {function}",
            function=function,
            graph_of=functools.partial(_graph, module, function, parameters),
        )
        super().__init__(definition, function, [f"operand {i}" for i in range(parameters)], {})

    @property
    def name(self) -> str:
        """What operators of tilewise:: know the function by."""
        return self._name
