# SPDX-License-Identifier: Apache-2.0
"""Wall time where Triton's tuner and `triton.testing.do_bench` ask a GPU for events."""

from __future__ import annotations

import statistics
import time
from typing import Any


class Event:
    """A point in time. CPU launches are synchronous, so it has come when it is recorded."""

    def __init__(self, enable_timing: bool = True, **_: Any) -> None:
        """The arguments of torch.cuda.Event."""
        self.seconds = 0.0

    def record(self, stream: Any = None) -> None:
        """Now."""
        self.seconds = time.perf_counter()

    def synchronize(self) -> None:
        """It has come."""

    def query(self) -> bool:
        """It has come."""
        return True

    def elapsed_time(self, later: Event) -> float:
        """Milliseconds."""
        return (later.seconds - self.seconds) * 1e3


class DeviceInterface:
    """What Triton uses of torch.cuda, for the CPU."""

    Event = Event

    @staticmethod
    def synchronize(device: Any = None) -> None:
        """Launches have ended when they return."""

    @staticmethod
    def current_device() -> int:
        """There is one CPU."""
        return 0

    @staticmethod
    def is_available() -> bool:
        """There is one."""
        return True


def benchmark(kernel_call: Any, *, quantiles: list[float] | None = None, **_: Any) -> Any:
    """Milliseconds per call: quantiles as asked, else the mean."""
    kernel_call()
    samples: list[float] = []
    begin = time.perf_counter()
    while len(samples) < 5 or (time.perf_counter() - begin < 0.1 and len(samples) < 1000):
        start = time.perf_counter()
        kernel_call()
        samples.append((time.perf_counter() - start) * 1e3)
    if not quantiles:
        return statistics.fmean(samples)
    samples.sort()
    return [samples[min(len(samples) - 1, int(q * len(samples)))] for q in quantiles]
