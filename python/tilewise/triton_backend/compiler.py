# SPDX-License-Identifier: Apache-2.0
"""Triton's compiler side of the CPU backend: Triton IR -> LLVM IR -> object file."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from types import ModuleType
from typing import Any

from triton._C.libtriton import ir, passes
from triton.backends.compiler import BaseBackend, GPUTarget, Language

from . import native, object_file


@dataclass(frozen=True)
class CPUOptions:
    """Options as Triton names them.

    Warps, stages and what else means nothing here is taken, so that the configurations of a kernel
    for GPUs serve on a CPU too.
    """

    num_warps: int = 1
    num_ctas: int = 1
    num_stages: int = 1
    warp_size: int = 1
    enable_fp_fusion: bool = True
    supported_fp8_dtypes: tuple[str, ...] = ("fp8e4nv", "fp8e5", "fp8e4b8", "fp8e5b16", "fp8e4b15")
    deprecated_fp8_dot_operand_dtypes: tuple[str, ...] = ()
    default_dot_input_precision: str = "ieee"
    allowed_dot_input_precisions: tuple[str, ...] = ("ieee", "tf32", "tf32x3", "bf16x3", "bf16x6")
    max_num_imprecise_acc_default: int = 0
    extern_libs: tuple[tuple[str, str], ...] = ()
    debug: bool = False
    sanitize_overflow: bool = True  # Of use only with debug.
    backend_name: str = "cpu"
    arch: str = ""
    instrumentation_mode: str = ""
    launch_cooperative_grid: bool = False
    launch_pdl: bool = False
    ir_override: str | None = None
    maxnreg: int | None = None
    cluster_dims: tuple[int, ...] = (1, 1, 1)
    waves_per_eu: int = 0
    matrix_instr_nonkdim: int = 0
    kpack: int = 1

    def hash(self) -> str:
        """All options are compile inputs."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


class CPUBackend(BaseBackend):
    """Compiles for GPUTarget("cpu", "x86-64-v4", 1)."""

    binary_ext = "obj"

    @staticmethod
    def supports_target(target: GPUTarget) -> bool:
        """Triton asks every backend; exactly one may say yes."""
        return bool(target.backend == "cpu")

    def hash(self) -> str:
        """Part of Triton's own cache key: a rebuilt compiler must not serve old objects."""
        digest = hashlib.sha256(native.library_path().read_bytes()).hexdigest()
        return f"tilewise-cpu-{self.target.arch}-{digest}"

    def parse_options(self, options: dict[str, Any]) -> CPUOptions:
        """Takes the options that this backend knows, as Triton's own backends do."""
        known = {field.name for field in fields(CPUOptions)}
        given = {k: v for k, v in options.items() if k in known and v is not None}
        return CPUOptions(**{**given, "arch": str(self.target.arch)})

    def pack_metadata(self, metadata: Any) -> tuple[int, int, int]:
        """What Triton hands to the launcher."""
        return (metadata.num_warps, metadata.num_ctas, metadata.shared)

    def get_codegen_implementation(self, options: CPUOptions) -> dict[str, Any]:
        """Every dot shape is served."""
        from .custom_types import convert_custom_types

        return {
            "min_dot_size": lambda lhs, rhs: (1, 1, 1),
            "convert_custom_types": convert_custom_types,
        }

    def get_module_map(self) -> dict[str, ModuleType]:
        """CUDA's libdevice names: the compiler has its own vector code for `__nv_exp` and kin."""
        from triton.language.extra.cuda import libdevice

        return {"triton.language.extra.libdevice": libdevice}

    def load_dialects(self, context: Any) -> None:
        """Triton's own dialects are enough."""

    def add_stages(self, stages: dict[str, Any], options: CPUOptions, language: Language) -> None:
        """The last stage gives the object file."""
        if language != Language.TRITON:
            raise NotImplementedError("Gluon kernels name GPU hardware and cannot run on a CPU")
        stages["ttir"] = lambda module, metadata: make_ttir(module)
        stages["llir"] = lambda module, metadata: self.make_llir(module, metadata)
        stages["obj"] = lambda text, metadata: make_object(text, str(self.target.arch))

    def make_llir(self, module: Any, metadata: dict[str, Any]) -> str:
        """Triton IR to LLVM IR, by libtilewise."""
        # Locations go along: the compiler's errors name the line of the kernel.
        ttir = module_text(module)
        name = str(module.get_entry_func_name())
        llvm_ir, described = native.compile_ttir(ttir, str(self.target.arch), name)
        found = dict(line.partition("=")[::2] for line in described.splitlines())
        metadata["name"] = found["entry"]
        # Scratch memory of one thread: Triton hands `shared` to the driver's load_binary.
        metadata["shared"] = int(found["scratch_bytes"])
        return llvm_ir


def module_text(module: Any) -> str:
    """The module with its locations, as text."""
    return str(module)


def make_ttir(module: Any) -> Any:
    """The passes that Triton runs for every target before it knows layouts."""
    manager = ir.pass_manager(module.context)
    manager.enable_debug()
    passes.common.add_inliner(manager)
    passes.ttir.add_rewrite_tensor_pointer(manager)
    passes.ttir.add_rewrite_tensor_descriptor_to_pointer(manager)
    passes.common.add_canonicalizer(manager)
    passes.ttir.add_combine(manager)
    passes.ttir.add_reorder_broadcast(manager)
    passes.common.add_cse(manager)
    passes.ttir.add_triton_licm(manager)
    passes.common.add_symbol_dce(manager)
    passes.ttir.add_loop_unroll(manager)
    manager.run(module, "make_ttir")
    return module


def make_object(llvm_ir: str, target: str) -> bytes:
    """LLVM IR to machine code."""
    return object_file.emit(llvm_ir, **native.describe_cpu_target(target))
