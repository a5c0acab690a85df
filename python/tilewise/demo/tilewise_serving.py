# SPDX-License-Identifier: Apache-2.0
"""Tilewise as the backend of the demo, counted with its own report."""

from collections import Counter
from contextlib import AbstractContextManager
from typing import Any

import torch

import tilewise
from tilewise.demo.serving import Tally


class TilewiseServing:
    """Serves inside `tilewise.use()` and reads `tilewise.report()`."""

    name = "Tilewise"

    def scope(self) -> AbstractContextManager[object]:
        """A block that Tilewise serves, backward passes included."""
        return tilewise.use()

    def reset(self) -> None:
        """Sets the report's counters to zero."""
        tilewise.reset()

    def taken_over(self, device: torch.device) -> frozenset[str]:
        """The registered overloads; work on a GPU also touches scalars on the CPU."""
        return frozenset(tilewise.registered(device.type)) | frozenset(tilewise.registered("cpu"))

    def tally(self, calls: Counter[str]) -> Tally:
        """The report's totals, and from the census what went past Tilewise."""
        taken_over = set(tilewise.registered("cpu")) | set(tilewise.registered("cuda"))
        unknown = Counter({name: count for name, count in calls.items() if name not in taken_over})
        counted = tilewise.report()
        return Tally(counted["served"], counted["fell_back"], unknown)

    def table(self) -> str | None:
        """The report as it prints."""
        return str(tilewise.report())

    def compiled(self) -> tuple[int, float]:
        """From the runtime's statistics."""
        runtime = tilewise.report()["runtime"]
        return int(runtime["kernels_compiled"]), float(runtime["compile_seconds"])

    def compilations(self) -> dict[str, Any]:
        """Counts, seconds and bytes, and of each kernel its name, stages and launches."""
        runtime = tilewise.report()["runtime"]
        kernels = [{k: v for k, v in one.items() if k != "key"} for one in runtime["kernels"]]
        return {**runtime, "kernels": kernels}
