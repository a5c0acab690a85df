# SPDX-License-Identifier: Apache-2.0
"""A launch from Python: the arguments of a kernel as the 8-byte slots that it reads."""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Callable, Iterator
from typing import Any

from . import native


def _float_packer(code: str, integer: str) -> Callable[[float], int]:
    pack, unpack = struct.Struct("<" + code).pack, struct.Struct("<" + integer).unpack
    return lambda value: int(unpack(pack(value))[0])


def _bf16_bits(value: float) -> int:
    """Round to nearest even, as a conversion from fp32 does."""
    bits = _float_packer("f", "I")(value)
    if value != value:
        return 0x7FC0
    return (bits + 0x7FFF + (bits >> 16 & 1)) >> 16


_FLOAT_BITS: dict[str, Callable[[float], int]] = {
    "fp16": _float_packer("e", "H"),
    "bf16": _bf16_bits,
    "fp32": _float_packer("f", "I"),
    "f32": _float_packer("f", "I"),
    "fp64": _float_packer("d", "Q"),
}


def slot(type_name: str, value: Any) -> int:
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
        return _FLOAT_BITS[type_name](float(value))
    return int(value) & 0xFFFFFFFFFFFFFFFF


def _descriptor_slots(descriptor: Any) -> list[int]:
    """A host-side TensorDescriptor.

    Triton's rewriting to pointers leaves base, shape, strides and padding; its front end adds shape
    and strides again, for `descriptor.shape`.
    """
    if not hasattr(descriptor, "base"):
        raise TypeError(f"a TensorDescriptor is expected, not {type(descriptor).__name__}")
    sizes = [int(size) for size in (*descriptor.shape, *descriptor.strides)]
    padding = int(descriptor.padding == "nan")
    return [slot("*", descriptor.base), *sizes, padding, *sizes]


def _slots(
    types: Any, values: Any, constant: set[tuple[int, ...]], path: tuple[int, ...] = ()
) -> Iterator[int]:
    """The slots of arguments; tuples are passed element by element, constants not at all."""
    for i, (type_name, value) in enumerate(zip(types, values, strict=True)):
        here = (*path, i)
        if isinstance(type_name, (tuple, list)):
            yield from _slots(type_name, value, constant, here)
        elif type_name == "constexpr" or here in constant:
            continue
        elif type_name.startswith("tensordesc"):
            yield from _descriptor_slots(value)
        else:
            yield slot(type_name, value)


class CPULauncher:
    """What Triton calls to run a compiled kernel; made once per compiled kernel."""

    def __init__(self, source: Any, metadata: Any) -> None:
        """`source.signature` names each parameter's type; constexpr ones take no slot."""
        self.types = tuple(source.signature.values())
        self.constant = {tuple(path) for path in getattr(source, "constants", {})}
        self.variable_types = tuple(
            t for i, t in enumerate(self.types) if t != "constexpr" and (i,) not in self.constant
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
        # `triton.compile(...)[grid](...)` may be called without the constants.
        if len(args) == len(self.types):
            values = list(_slots(self.types, args, self.constant))
        elif len(args) == len(self.variable_types):
            values = list(_slots(self.variable_types, args, set()))
        else:
            raise TypeError(f"the kernel takes {len(self.types)} arguments and got {len(args)}")
        native.cpu_launch(
            function, (ctypes.c_uint64 * len(values))(*values), (grid_x, grid_y, grid_z)
        )
        if exit_hook is not None:
            exit_hook(launch_metadata)
