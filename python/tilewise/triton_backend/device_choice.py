# SPDX-License-Identifier: Apache-2.0
"""On a machine with a GPU: kernels whose tensors are on the CPU run on the CPU.

Triton has one active driver per process, the GPU's where there is one. `install` makes a launch
look at its arguments first. If it has tensors and all of them are ordinary CPU tensors, it runs
with the CPU driver, in this thread only; every other launch takes the same path as without
Tilewise. (Pinned tensors stay with the GPU, which reads them.)
"""

from __future__ import annotations

import contextlib
import copy
import functools
import threading
from collections.abc import Iterable, Iterator
from typing import Any

from triton.backends.driver import DriverBase


class _Choice(threading.local):
    driver: DriverBase | None = None


_choice = _Choice()


@functools.cache
def _cpu_driver() -> DriverBase:
    from .driver import CPUDriver

    return CPUDriver()


@contextlib.contextmanager
def cpu_chosen() -> Iterator[None]:
    """The CPU driver is this thread's active one inside."""
    before = _choice.driver
    _choice.driver = _cpu_driver()
    try:
        yield
    finally:
        _choice.driver = before


def _devices(arguments: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for argument in arguments:
        if isinstance(argument, tuple):
            yield from _devices(argument)
            continue
        tensor = getattr(argument, "base", argument)  # A TensorDescriptor's tensor.
        if tensor is None or not hasattr(tensor, "data_ptr"):
            tensor = argument
        device = getattr(tensor, "device", None)
        if device is not None and hasattr(tensor, "data_ptr"):
            yield getattr(device, "type", str(device)), tensor


def on_cpu(arguments: Iterable[Any]) -> bool:
    """True if there are tensors, and all of them are ordinary CPU tensors."""
    found = False
    for kind, tensor in _devices(arguments):
        if kind != "cpu" or tensor.is_pinned():
            return False
        found = True
    return found


def _routed_launch(run: Any) -> Any:
    @functools.wraps(run)
    def routed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _choice.driver is None and on_cpu((*args, *kwargs.values())):
            with cpu_chosen():
                return run(self, *args, **kwargs)
        return run(self, *args, **kwargs)

    return routed


def _routed_tuning(run: Any) -> Any:
    """What a tuner finds out on one device does not count on another: the CPU has its own copy."""

    @functools.wraps(run)
    def routed(self: Any, *args: Any, **kwargs: Any) -> Any:
        if _choice.driver is not None or not on_cpu((*args, *kwargs.values())):
            return run(self, *args, **kwargs)
        twin = self.__dict__.get("_tilewise_cpu")
        if twin is None:
            twin = copy.copy(self)
            twin.cache = {}
            twin.__dict__.pop("do_bench", None)  # Cached from the GPU's driver.
            self._tilewise_cpu = twin
        with cpu_chosen():
            result = run(twin, *args, **kwargs)
        self.best_config = twin.best_config
        return result

    return routed


def _routed_compiled(method: Any) -> Any:
    """Kernels of triton.compile say themselves what they were compiled for."""

    @functools.wraps(method)
    def routed(self: Any, *args: Any) -> Any:
        if self.metadata.target.backend != "cpu":
            return method(self, *args)
        with cpu_chosen():
            result = method(self, *args)
        if not callable(result):
            return result

        def launch(*values: Any, **kwargs: Any) -> Any:
            with cpu_chosen():
                return result(*values, **kwargs)

        return launch

    return routed


def install() -> None:
    """Once per process, where another driver is the active one."""
    from triton.compiler.compiler import CompiledKernel
    from triton.runtime.autotuner import Autotuner
    from triton.runtime.driver import DriverConfig
    from triton.runtime.driver import driver as config
    from triton.runtime.jit import JITFunction

    if type(config) is not DriverConfig:
        return

    class RoutedDriverConfig(DriverConfig):
        """The thread's choice, else the process's."""

        @property
        def active(self) -> Any:
            return _choice.driver or super().active

    config.__class__ = RoutedDriverConfig
    JITFunction.run = _routed_launch(JITFunction.run)
    Autotuner.run = _routed_tuning(Autotuner.run)
    CompiledKernel._init_handles = _routed_compiled(CompiledKernel._init_handles)
    CompiledKernel.__getitem__ = _routed_compiled(CompiledKernel.__getitem__)
