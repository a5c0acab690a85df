# SPDX-License-Identifier: Apache-2.0
"""Triton's driver side of the CPU backend: `kernel[grid](...)` on CPU tensors."""

from __future__ import annotations

from typing import Any

from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

from . import device_choice, native, timing
from .launcher import CPULauncher

# Not the number of a GPU: Triton keeps the kernels of each device by it.
_CPU_DEVICE = -1


class _Utils:
    """The module that Triton's GPU drivers compile in C."""

    def get_device_properties(self, device: int) -> dict[str, int]:
        """What a GPU calls shared memory is scratch of the thread here, and ample."""
        return {"max_shared_mem": 1 << 30, "multiprocessor_count": 1}

    def load_binary(
        self, name: str, kernel: bytes, shared: int, device: int
    ) -> tuple[int, int, int, int, int]:
        """Returns module, function, registers, spills and the most threads of a program."""
        handle = native.load_object(kernel, name, shared)
        return handle, handle, 0, 0, 1 << 30


class CPUDriver(DriverBase):
    """The active driver where no GPU is."""

    def __init__(self) -> None:
        """Triton's device API is served by PyTorch's CPU module where it asks for one."""
        super().__init__()
        self.utils = _Utils()
        self.launcher_cls = CPULauncher

    @classmethod
    def is_active(cls) -> bool:
        """Only where no other backend has a device: Triton wants exactly one active driver."""
        from triton.backends import backends

        if not any(b.driver.is_active() for b in backends.values() if b.driver is not cls):
            return True
        # Triton asks this once, before the first launch.
        device_choice.install()
        return False

    def map_python_to_cpp_type(self, ty: str) -> str:
        """Unused by this launcher; Triton's interface asks for it."""
        return "void*" if ty.startswith("*") else "uint64_t"

    def get_current_target(self) -> GPUTarget:
        """The running chip."""
        return GPUTarget("cpu", native.cpu_target(), 1)

    def get_current_device(self) -> int:
        """There is one CPU."""
        return _CPU_DEVICE

    def set_current_device(self, device: int) -> None:
        """There is one CPU."""

    def get_current_stream(self, device: int) -> int:
        """Launches are synchronous."""
        return 0

    def get_active_torch_device(self) -> Any:
        """Where Triton's own tests and tuner allocate."""
        import torch

        return torch.device("cpu")

    def get_device_interface(self) -> Any:
        """Events and `synchronize`, as torch.cuda has them."""
        return timing.DeviceInterface

    def get_benchmarker(self) -> Any:
        """Wall time: there are no events."""
        return timing.benchmark

    def get_empty_cache_for_benchmark(self) -> Any:
        """Larger than the last-level cache of most chips."""
        import torch

        return torch.empty(256 << 20, dtype=torch.int8)

    def clear_cache(self, cache: Any) -> None:
        """Writes the buffer above, which evicts what a kernel left in the caches."""
        cache.zero_()
