# SPDX-License-Identifier: Apache-2.0
"""Triton's driver side of the CPU backend: `kernel[grid](...)` on CPU tensors."""

from __future__ import annotations

import ctypes
import struct
from typing import Any

from triton.backends.compiler import GPUTarget
from triton.backends.driver import DriverBase

from . import native


def _float_packer(code: str, integer: str) -> Any:
    pack, unpack = struct.Struct("<" + code).pack, struct.Struct("<" + integer).unpack
    return lambda value: unpack(pack(value))[0]


def _bf16_bits(value: float) -> int:
    """Round to nearest even, as a conversion from fp32 does."""
    bits = int(_float_packer("f", "I")(value))
    if value != value:
        return 0x7FC0
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


_FLOAT_BITS = {
    "fp16": _float_packer("e", "H"),
    "bf16": _bf16_bits,
    "fp32": _float_packer("f", "I"),
    "f32": _float_packer("f", "I"),
    "fp64": _float_packer("d", "Q"),
}


def _slot(type_name: str, value: Any) -> int:
    """One argument as the 8 bytes that the kernel reads."""
    if type_name.startswith("*"):
        if value is None:
            return 0
        if hasattr(value, "data_ptr"):
            if hasattr(value, "device") and value.device.type != "cpu":
                raise ValueError(
                    f"the kernel runs on the CPU and got a tensor on {value.device}: "
                    "move it to the CPU"
                )
            return int(value.data_ptr())
        return int(value)
    if type_name in _FLOAT_BITS:
        return int(_FLOAT_BITS[type_name](float(value)))
    return int(value) & 0xFFFFFFFFFFFFFFFF


class CPULauncher:
    """What Triton calls to run a compiled kernel; made once per compiled kernel."""

    def __init__(self, source: Any, metadata: Any) -> None:
        """`source.signature` names each parameter's type; constexpr ones take no slot."""
        types = list(source.signature.values())
        constant = {path[0] for path in getattr(source, "constants", {})}
        self.passed = [
            (i, t) for i, t in enumerate(types) if t != "constexpr" and i not in constant
        ]
        unsupported = [t for _, t in self.passed if not isinstance(t, str) or "tensordesc" in t]
        if unsupported:
            raise NotImplementedError(
                f"parameters of type {unsupported[0]} are not supported on CPUs"
            )

    def __call__(
        self,
        grid_x: int,
        grid_y: int,
        grid_z: int,
        stream: int,
        function: int,
        packed_metadata: Any,
        launch_metadata: Any,
        enter_hook: Any,
        exit_hook: Any,
        *args: Any,
    ) -> None:
        """Launches and waits: a CPU launch is synchronous."""
        if enter_hook is not None:
            enter_hook(launch_metadata)
        slots = (ctypes.c_uint64 * len(self.passed))(*[_slot(t, args[i]) for i, t in self.passed])
        native.cpu_launch(function, slots, (grid_x, grid_y, grid_z))
        if exit_hook is not None:
            exit_hook(launch_metadata)


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

        return not any(b.driver.is_active() for b in backends.values() if b.driver is not cls)

    def map_python_to_cpp_type(self, ty: str) -> str:
        """Unused by this launcher; Triton's interface asks for it."""
        return "void*" if ty.startswith("*") else "uint64_t"

    def get_current_target(self) -> GPUTarget:
        """The running chip."""
        return GPUTarget("cpu", native.cpu_target(), 1)

    def get_current_device(self) -> int:
        """There is one CPU."""
        return 0

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
        """`synchronize` and the like."""
        import torch

        return torch.cpu

    def get_benchmarker(self) -> Any:
        """Wall time: there are no events."""
        return benchmark

    def get_empty_cache_for_benchmark(self) -> Any:
        """Larger than the last-level cache of most chips."""
        import torch

        return torch.empty(256 << 20, dtype=torch.int8)

    def clear_cache(self, cache: Any) -> None:
        """Writes the buffer above, which evicts what a kernel left in the caches."""
        cache.zero_()


def benchmark(kernel_call: Any, *, quantiles: list[float] | None = None, **_: Any) -> Any:
    """Milliseconds per call: quantiles as asked, else the mean."""
    import statistics
    import time

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
