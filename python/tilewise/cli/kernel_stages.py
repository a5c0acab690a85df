# SPDX-License-Identifier: Apache-2.0
"""Every stage of a kernel as text, from Triton IR to machine code."""

import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tilewise import compile_client
from tilewise.compile_request import Request
from tilewise.triton_backend import native, object_file

CPU_STAGES = ("ttir", "prepared", "tile", "llvm", "asm")
GPU_STAGES = {
    "cuda": ("ttir", "ttgir", "llvm", "ptx", "sass"),
    "hip": ("ttir", "ttgir", "llvm", "amdgcn"),
}
ALL_STAGES = ("ttir", "prepared", "tile", "ttgir", "llvm", "asm", "ptx", "sass", "amdgcn")


def runtime_target(name: str) -> str:
    """The runtime's spelling of a target: "cpu:x86-64-v4", "cuda:90", "hip:gfx942"."""
    if name == "cpu":
        return "cpu:" + native.cpu_target()
    if name.startswith("sm_"):
        return "cuda:" + name.removeprefix("sm_").rstrip("a")
    if name.startswith("gfx"):
        return "hip:" + name
    return "cpu:" + name


def stages_of(target: str) -> tuple[str, ...]:
    """The names of the stages for a target in the runtime's spelling."""
    kind = target.partition(":")[0]
    return CPU_STAGES if kind == "cpu" else GPU_STAGES[kind]


def stages(request: Request) -> Iterator[tuple[str, str]]:
    """(stage, text), one after the other, so that early ones are seen where a later one fails."""
    kind, _, architecture = request.target.partition(":")
    for name, value in _triton_stages(request):
        if name == "cubin":
            yield "sass", _disassemble(value)
        elif name == "llir":
            yield "llvm", str(value)
            if kind == "cpu":
                yield "asm", object_file.assembly(value, **native.describe_cpu_target(architecture))
                return
        elif name != "hsaco":
            # Without the source locations, which are most of the text.
            yield name, value.str_nodebug() if hasattr(value, "str_nodebug") else str(value)
            if kind == "cpu":
                for stage in ("prepared", "tile"):
                    yield stage, native.dump_stage(str(value), architecture, stage)


def _triton_stages(request: Request) -> Iterator[tuple[str, Any]]:
    """Runs the stages of Triton's backend for the target, one at each step."""
    backend = compile_client._backend(request.target)
    from triton._C.libtriton import ir
    from triton.backends.compiler import Language

    source = compile_client._source(request)
    options = backend.parse_options(request.compiler_options())
    pipeline: dict[str, Any] = {}
    backend.add_stages(pipeline, options, Language.TRITON)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    described: dict[str, Any] = {"target": backend.target, **options.__dict__}
    module = source.make_ir(
        backend.target,
        options,
        backend.get_codegen_implementation(options),
        backend.get_module_map(),
        context,
    )
    for name, stage in pipeline.items():
        module = stage(module, described)
        yield name, module


def _disassemble(cubin: bytes) -> str:
    """SASS, by the nvdisasm of Triton's wheel, so no CUDA toolkit is needed."""
    import triton

    tool = Path(triton.__file__).parent / "backends/nvidia/bin/nvdisasm"
    if not tool.exists():
        return f"; {tool} does not exist: this Triton came without NVIDIA's tools\n"
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(cubin)
        file.flush()
        run = subprocess.run(
            [tool, "-c", "-plr", file.name], capture_output=True, text=True, check=False
        )
    if run.returncode != 0:
        return f"; nvdisasm: {run.stderr.strip()}\n"
    return run.stdout
