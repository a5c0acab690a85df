# SPDX-License-Identifier: Apache-2.0
"""LLVM IR text to a relocatable object, by llvmlite."""

from __future__ import annotations

import functools
from typing import Any

from .errors import CompileError

LLVMLITE_VERSION = "0.50"


@functools.cache
def _llvm() -> Any:
    try:
        import llvmlite
        import llvmlite.binding as llvm
    except ImportError as error:
        raise CompileError(
            "CPU kernels are compiled by llvmlite, which is missing",
            remedy=f"pip install llvmlite=={LLVMLITE_VERSION}.*",
        ) from error
    if not llvmlite.__version__.startswith(LLVMLITE_VERSION + "."):
        raise CompileError(
            f"CPU kernels need llvmlite {LLVMLITE_VERSION}, not {llvmlite.__version__}",
            remedy=f"pip install llvmlite=={LLVMLITE_VERSION}.*",
        )
    llvm.initialize_all_targets()
    llvm.initialize_all_asmprinters()
    return llvm


def _optimized(llvm_ir: str, triple: str, cpu: str, features: str) -> tuple[Any, Any]:
    llvm = _llvm()
    module = llvm.parse_assembly(llvm_ir)
    machine = llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small"
    )
    module.triple = triple
    module.data_layout = str(machine.target_data)
    module.verify()
    tuning = llvm.create_pipeline_tuning_options(speed_level=3)
    tuning.loop_vectorization = True
    tuning.slp_vectorization = True
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return machine, module


def emit(llvm_ir: str, triple: str, cpu: str, features: str) -> bytes:
    """Optimizes a module (O3) and returns its object file."""
    machine, module = _optimized(llvm_ir, triple, cpu, features)
    return bytes(machine.emit_object(module))


def assembly(llvm_ir: str, triple: str, cpu: str, features: str) -> str:
    """The machine code of a module as text, for `inspect`."""
    machine, module = _optimized(llvm_ir, triple, cpu, features)
    return str(machine.emit_assembly(module))
