# SPDX-License-Identifier: Apache-2.0
"""Compiles `@triton.jit` functions for the CPU and runs them on torch tensors, in this process.

    kernel = compile_kernel(add, {"x_ptr": "*fp32", "n": "i32"}, BLOCK=1024)
    kernel.run((cdiv(n, 1024),), x, n)

Uses Triton's front end, the compiler, llvmlite and the loader as the CPU backend does, without its
caches. The target is the process's (TILEWISE_CPU_TARGET) unless a test asks for another.
"""

import ctypes
import struct
from collections.abc import Sequence

import pytest
import torch
import triton
from triton._C.libtriton import ir
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tilewise.triton_backend import errors, native, object_file
from tilewise.triton_backend.compiler import CPUBackend
from tilewise.triton_backend.compiler import make_ttir as run_ttir_passes

if not native.library_path().exists():
    pytest.skip("libtilewise is not built", allow_module_level=True)

CompileError = errors.CompileError


def compile_ttir(
    ttir: str, target: str | None = None, kernel: str = "test"
) -> tuple[str, dict[str, str]]:
    """LLVM IR and metadata."""
    llvm_ir, metadata = native.compile_ttir(ttir, target or native.cpu_target(), kernel)
    return llvm_ir, dict(line.split("=", 1) for line in metadata.splitlines())


def make_ttir(function: triton.JITFunction, signature: dict[str, str], **constants: object) -> str:
    """The text of Triton's front end and its passes, which is the same for all CPUs."""
    target = GPUTarget("cpu", "x86-64-v4", 1)
    backend = CPUBackend(target)
    types = {name: signature.get(name, "constexpr") for name in function.arg_names}
    values = {(function.arg_names.index(name),): value for name, value in constants.items()}
    options = backend.parse_options({})
    context = ir.context()
    ir.load_dialects(context)
    module = ASTSource(function, types, values).make_ir(
        target,
        options,
        backend.get_codegen_implementation(options),
        backend.get_module_map(),
        context,
    )
    return str(run_ttir_passes(module))


def argument_slot(argument: object, kind: str) -> int:
    if isinstance(argument, torch.Tensor):
        return argument.data_ptr()
    if kind.startswith("fp"):
        code = {"fp32": "<f", "fp64": "<d"}[kind]
        return int.from_bytes(struct.pack(code, argument).ljust(8, b"\0"), "little")
    return int(argument) & (2**64 - 1)


class Kernel:
    """A kernel as machine code."""

    def __init__(self, llvm_ir: str, metadata: dict[str, str], kinds: Sequence[str]) -> None:
        """Assembles and loads the text as the CPU backend does."""
        target = native.describe_cpu_target(native.cpu_target())
        self._kinds = kinds
        self._handle = native.load_object(
            object_file.emit(llvm_ir, **target), metadata["entry"], int(metadata["scratch_bytes"])
        )

    def run(self, grid: Sequence[int], *arguments: object) -> None:
        """Runs all programs of the grid on these arguments, without the constants."""
        slots = [argument_slot(a, k) for a, k in zip(arguments, self._kinds, strict=True)]
        x, y, z = [*grid, 1, 1][:3]
        native.cpu_launch(self._handle, (ctypes.c_uint64 * len(slots))(*slots), (x, y, z))


def compile_kernel(
    function: triton.JITFunction, signature: dict[str, str], **constants: object
) -> Kernel:
    """A runnable kernel of a `@triton.jit` function; `constants` are its constexpr arguments."""
    ttir = make_ttir(function, signature, **constants)
    llvm_ir, metadata = compile_ttir(ttir, kernel=function.__name__)
    return Kernel(llvm_ir, metadata, [signature[n] for n in function.arg_names if n in signature])
