# SPDX-License-Identifier: Apache-2.0
"""Compiles `@triton.jit` functions for the CPU and runs them on torch tensors, in this process.

    kernel = compile_kernel(add, {"x_ptr": "*fp32", "n": "i32"}, BLOCK=1024)
    kernel.run((cdiv(n, 1024),), x, n)

Uses Triton's front end, the compiler's C functions (TILEWISE_COMPILER_LIBRARY) and llvmlite;
nothing of the runtime.
"""

import ctypes
import functools
import os
import struct
from collections.abc import Sequence
from pathlib import Path

import llvmlite.binding as llvm
import pytest
import torch
import triton
from triton._C.libtriton import ir
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, make_backend

_DEFAULT = Path(__file__).parents[2] / "python" / "tilewise" / "lib" / "libtilewise.so"
LIBRARY = os.environ.get("TILEWISE_COMPILER_LIBRARY", str(_DEFAULT))
if not Path(LIBRARY).exists():
    pytest.skip("TILEWISE_COMPILER_LIBRARY names no library", allow_module_level=True)

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()


class CompileError(RuntimeError):
    """The compiler refused the kernel."""


@functools.cache
def _library() -> ctypes.CDLL:
    return ctypes.CDLL(LIBRARY)


def _call(name: str, *inputs: str, outputs: int) -> list[str]:
    texts = [ctypes.c_char_p() for _ in range(outputs)]
    error = ctypes.c_char_p()
    arguments = [text.encode() for text in inputs]
    status = getattr(_library(), name)(*arguments, *map(ctypes.byref, texts), ctypes.byref(error))
    if status:
        raise CompileError(error.value.decode())
    return [text.value.decode() for text in texts]


def compile_ttir(
    ttir: str, target: str = "x86-64-v4", kernel: str = "test"
) -> tuple[str, dict[str, str]]:
    """LLVM IR and metadata."""
    llvm_ir, metadata = _call("tilewise_compile_ttir", ttir, target, kernel, outputs=2)
    return llvm_ir, dict(line.split("=", 1) for line in metadata.splitlines())


def dump_stage(ttir: str, stage: str, target: str = "x86-64-v4") -> str:
    """The text after a stage: ttir, tile or llvm."""
    return _call("tilewise_dump_stage", ttir, target, stage, outputs=1)[0]


def make_ttir(function: triton.JITFunction, signature: dict[str, str], **constants: object) -> str:
    """The text of Triton's front end and its passes that do not depend on a target."""
    target = GPUTarget("cuda", 80, 32)
    backend = make_backend(target)
    types = {name: signature.get(name, "constexpr") for name in function.arg_names}
    values = {(function.arg_names.index(name),): value for name, value in constants.items()}
    source = ASTSource(function, types, values)
    options = backend.parse_options({})
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    module = source.make_ir(
        target,
        options,
        backend.get_codegen_implementation(options),
        backend.get_module_map(),
        context,
    )
    return str(backend.make_ttir(module, {}, options, 80))


def _slot(argument: object, kind: str) -> int:
    if isinstance(argument, torch.Tensor):
        return argument.data_ptr()
    if kind.startswith("fp"):
        code = {"fp32": "<f", "fp64": "<d"}[kind]
        return int.from_bytes(struct.pack(code, argument).ljust(8, b"\0"), "little")
    return int(argument) & (2**64 - 1)


class Kernel:
    """A kernel as machine code."""

    def __init__(self, llvm_ir: str, metadata: dict[str, str], kinds: Sequence[str]) -> None:
        """Verifies and optimizes the text as the CPU backend does."""
        cpu, features = "x86-64-v4", "-prefer-256-bit"
        target = llvm.Target.from_default_triple()
        machine = target.create_target_machine(
            cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small", jit=True
        )
        module = llvm.parse_assembly(llvm_ir)
        module.verify()
        tuning = llvm.create_pipeline_tuning_options(speed_level=3)
        tuning.loop_vectorization = True
        tuning.slp_vectorization = True
        builder = llvm.create_pass_builder(machine, tuning)
        builder.getModulePassManager().run(module, builder)
        self.module = module
        self.machine = machine
        self._kinds = kinds
        self._engine = llvm.create_mcjit_compiler(module, machine)
        self._engine.finalize_object()
        address = self._engine.get_function_address(metadata["entry"])
        self._function = ctypes.CFUNCTYPE(
            None, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 2, ctypes.c_void_p
        )(address)
        self._scratch = torch.empty(int(metadata["scratch_bytes"]) + 64, dtype=torch.uint8)

    def bind(self, grid: Sequence[int], *arguments: object) -> tuple:
        """The arguments of the entry point: build them once to measure `call`."""
        slots = [_slot(a, k) for a, k in zip(arguments, self._kinds, strict=True)]
        sizes = [*grid, 1, 1][:3]
        scratch = (self._scratch.data_ptr() + 63) // 64 * 64
        return (
            (ctypes.c_uint64 * len(slots))(*slots),
            (ctypes.c_int32 * 3)(*sizes),
            0,
            sizes[0] * sizes[1] * sizes[2],
            scratch,
        )

    def call(self, bound: tuple) -> None:
        """Runs all programs of the grid."""
        self._function(*bound)

    def run(self, grid: Sequence[int], *arguments: object) -> None:
        """Runs all programs of the grid on these arguments, without the constants."""
        self.call(self.bind(grid, *arguments))


def compile_kernel(
    function: triton.JITFunction, signature: dict[str, str], **constants: object
) -> Kernel:
    """A runnable kernel of a `@triton.jit` function; `constants` are its constexpr arguments."""
    ttir = make_ttir(function, signature, **constants)
    llvm_ir, metadata = compile_ttir(ttir, kernel=function.__name__)
    return Kernel(llvm_ir, metadata, [signature[n] for n in function.arg_names if n in signature])
