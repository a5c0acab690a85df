# SPDX-License-Identifier: Apache-2.0
"""Who serves the operators of a run: Tilewise, or stock PyTorch for comparison."""

import contextlib
from collections import Counter
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch


@dataclass
class Tally:
    """Calls with a kernel: served, given back to PyTorch, and never seen by Tilewise."""

    served: int = 0
    fallbacks: int = 0
    unknown: Counter[str] = field(default_factory=Counter)

    def fraction(self) -> float:
        """Share of the calls that Tilewise served."""
        total = self.served + self.fallbacks + sum(self.unknown.values())
        return self.served / total if total else 0.0


class Serving(Protocol):
    """What the demo needs to know of a backend."""

    name: str

    def scope(self) -> AbstractContextManager[object]:
        """Inside of it this backend serves."""

    def taken_over(self, device: torch.device) -> frozenset[str]:
        """The overloads that reach this backend."""

    def reset(self) -> None:
        """Sets the counters to zero."""

    def tally(self, calls: Counter[str]) -> Tally:
        """What was counted since `reset`; `calls` is the census of the same work."""

    def table(self) -> str | None:
        """The counters as a table, if there are any."""

    def compiled(self) -> tuple[int, float]:
        """Kernels compiled by this process and the seconds that took."""

    def compilations(self) -> dict[str, Any]:
        """Each kernel of this process, for the record."""


class StockServing:
    """Stock PyTorch in Tilewise's place: for a look at the demo without the library."""

    name = "stock again"

    def scope(self) -> AbstractContextManager[object]:
        """Does nothing."""
        return contextlib.nullcontext()

    def taken_over(self, device: torch.device) -> frozenset[str]:
        """None."""
        return frozenset()

    def reset(self) -> None:
        """Does nothing."""

    def tally(self, calls: Counter[str]) -> Tally:
        """Nothing is served."""
        return Tally(unknown=Counter(calls))

    def table(self) -> str | None:
        """There is none."""
        return None

    def compiled(self) -> tuple[int, float]:
        """Nothing is compiled."""
        return 0, 0.0

    def compilations(self) -> dict[str, Any]:
        """Nothing is compiled."""
        return {}
