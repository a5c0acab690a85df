# SPDX-License-Identifier: Apache-2.0
"""Compiles what the program print_generated prints, in this process, and gives its functions."""

import ctypes
import os
import subprocess

import llvmlite.binding as llvm
import pytest

PROGRAM = os.environ.get("TILEWISE_PRINT_GENERATED", "")  # Set by ctest.
if not PROGRAM:
    pytest.skip("TILEWISE_PRINT_GENERATED names no program", allow_module_level=True)

llvm.initialize_all_targets()
llvm.initialize_all_asmprinters()


def generate(*arguments: str) -> str:
    """What print_generated prints for these arguments."""
    done = subprocess.run([PROGRAM, *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(done.stderr)
    return done.stdout


def host_target() -> str:
    """The name of this machine's target."""
    return generate("host").strip()


def targets_here() -> list[str]:
    """This machine's target and those below it."""
    known = ["x86-64-v4+avx512bf16", "x86-64-v4", "x86-64-v3", "x86-64-v2"]
    host = host_target()
    return known[known.index(host) :] if host in known else [host]


def target_machine(target: str, *, jit: bool) -> llvm.TargetMachine:
    """LLVM's description of a Tilewise target."""
    triple, cpu, features = generate("describe", target).split("\n")[:3]
    return llvm.Target.from_triple(triple).create_target_machine(
        cpu=cpu, features=features, opt=3, reloc="pic", codemodel="small", jit=jit
    )


def optimize(text: str, machine: llvm.TargetMachine) -> llvm.ModuleRef:
    """The module of `text` after the O3 pipeline, verified."""
    module = llvm.parse_assembly(text)
    module.verify()
    options = llvm.create_pipeline_tuning_options(speed_level=3)
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    return module


class CompiledText:
    """Owns the code of one module; `function(name, ...)` gives a callable of C's types."""

    def __init__(self, text: str, target: str) -> None:
        """Compiles for `target`, which this machine must run."""
        machine = target_machine(target, jit=True)
        self._engine = llvm.create_mcjit_compiler(optimize(text, machine), machine)
        self._engine.finalize_object()

    def function(self, name: str, *types: type) -> ctypes._CFuncPtr:
        """A void function of arguments of these types."""
        return ctypes.CFUNCTYPE(None, *types)(self._engine.get_function_address(name))
