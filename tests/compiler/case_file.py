# SPDX-License-Identifier: Apache-2.0
"""Writes kernels and their data for cross/run_cases.cpp: objects, and one file of cases."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import triton
from tile_compiler import argument_slot, compile_ttir, make_ttir

from tilewise.triton_backend import native, object_file

_FORMATS = {torch.float16: 1, torch.bfloat16: 2, torch.float32: 3, torch.float64: 4}


@dataclass
class Case:
    """One launch; `expected` has the results of those tensor arguments that are compared."""

    name: str
    function: triton.JITFunction
    signature: dict[str, str]
    constants: dict[str, object]
    grid: Sequence[int]
    arguments: Sequence[object]
    expected: dict[int, torch.Tensor]
    relative: float = 0.0
    absolute: float = 0.0


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def _argument(argument: object, kind: str, expected: torch.Tensor | None) -> bytes:
    if not isinstance(argument, torch.Tensor):
        return struct.pack("<IQ", 0, argument_slot(argument, kind))
    initial = _bytes(argument)
    reference = b"" if expected is None else _bytes(expected.to(argument.dtype))
    assert len(reference) in (0, len(initial)), kind
    return (
        struct.pack("<IIQ", 1, _FORMATS.get(argument.dtype, 0), len(initial))
        + initial
        + struct.pack("<Q", len(reference))
        + reference
    )


def _text(text: str) -> bytes:
    return struct.pack("<I", len(text)) + text.encode()


def write_cases(cases: Sequence[Case], target: str, folder: Path) -> Path:
    """Compiles for `target` into folder/CASE.o and returns the file of cases."""
    records = [_text("tilewise cases 1"), struct.pack("<I", len(cases))]
    described = native.describe_cpu_target(target)
    for case in cases:
        ttir = make_ttir(case.function, case.signature, **case.constants)
        llvm_ir, metadata = compile_ttir(ttir, target, case.name)
        # One function may serve many cases, which are linked into one program with the C library.
        llvm_ir = llvm_ir.replace(
            f"define void @{metadata['entry']}(", f"define void @case_{case.name}("
        )
        (folder / f"{case.name}.o").write_bytes(object_file.emit(llvm_ir, **described))
        x, y, z = [*case.grid, 1, 1][:3]
        records.append(_text(case.name))
        records.append(struct.pack("<iiiQ", x, y, z, int(metadata["scratch_bytes"])))
        records.append(struct.pack("<ddI", case.relative, case.absolute, len(case.arguments)))
        kinds = [case.signature[n] for n in case.function.arg_names if n in case.signature]
        for i, (argument, kind) in enumerate(zip(case.arguments, kinds, strict=True)):
            records.append(_argument(argument, kind, case.expected.get(i)))
    path = folder / "cases"
    path.write_bytes(b"".join(records))
    return path
