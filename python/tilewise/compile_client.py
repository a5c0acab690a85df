# SPDX-License-Identifier: Apache-2.0
"""The compiler of this process: a callback that libtilewise calls on a miss.

Triton is imported at the first miss, so a process whose kernels are all in the store never pays
for it. Compilations run one at a time: Triton's front end is Python, and its module loading is not
made for threads.
"""

from __future__ import annotations

import _thread
import ctypes
import functools
import threading
import time
from importlib import metadata as distributions
from typing import Any

from tilewise import kernel_modules
from tilewise.compile_request import Request, parse_request
from tilewise.triton_backend import native

TRITON_VERSION = "3.6"

_COMPILE_FUNCTION = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)
_KINDS = {"cuda": ("cubin", "cubin"), "hip": ("hsaco", "hsaco"), "cpu": ("obj", "elf")}

# Reentrant: compiling may run code of a library that launches one of our kernels in this thread.
_one_at_a_time = threading.RLock()


def _installed(*names: str) -> str:
    for name in names:
        try:
            return distributions.version(name)
        except distributions.PackageNotFoundError:
            continue
    return ""


def compiler_identity() -> str:
    """Versions that shape a binary; the part after `;` counts for CPU targets only."""
    triton = _installed("triton", "pytorch-triton", "pytorch-triton-rocm") or "missing"
    llvmlite = _installed("llvmlite") or "missing"
    return f"triton={triton};llvmlite={llvmlite}"


@functools.cache
def _triton() -> Any:
    """Triton, of the version whose interfaces this file knows."""
    version = _installed("triton", "pytorch-triton", "pytorch-triton-rocm")
    if not version:
        raise RuntimeError(
            "kernels are compiled by Triton, which is missing: "
            f"pip install triton=={TRITON_VERSION}.*"
        )
    if not version.startswith(TRITON_VERSION + "."):
        raise RuntimeError(
            f"Tilewise needs Triton {TRITON_VERSION}, not {version}: "
            f"pip install triton=={TRITON_VERSION}.*"
        )
    import triton

    return triton


def _backend(target: str) -> Any:
    """Triton's backend for "cuda:90", "hip:gfx942" or "cpu:x86-64-v4"."""
    _triton()
    from triton.backends.compiler import GPUTarget
    from triton.compiler.compiler import make_backend

    kind, _, architecture = target.partition(":")
    if kind == "cuda":
        return make_backend(GPUTarget("cuda", int(architecture), 32))
    if kind == "hip":
        # CDNA chips run 64 lanes, RDNA chips 32.
        return make_backend(GPUTarget("hip", architecture, 64 if architecture[3] == "9" else 32))
    from tilewise.triton_backend.compiler import CPUBackend

    return CPUBackend(GPUTarget("cpu", architecture, 1))


def _constant(words: list[str]) -> Any:
    """The value of a `constexpr KIND VALUE` parameter."""
    kind = words[0]
    if kind == "one":
        return 1
    if kind == "none":
        return None
    if kind == "int":
        return int(words[1])
    if kind == "float":
        return float.fromhex(words[1])
    if kind == "bool":
        return words[1] == "1"
    if kind == "dtype":
        from triton.language import str_to_ty

        return str_to_ty(words[1], None)
    raise ValueError(f"unknown constexpr {words}")


def _source(request: Request) -> Any:
    """What Triton compiles: the function with its signature, constants and traits."""
    from triton.compiler.compiler import ASTSource

    kernels_dir = native.kernels_dir()
    if request.source:
        module = kernel_modules.load_source(request.kernel, request.source, kernels_dir)
    else:
        module = kernel_modules.load_file(request.kernel, kernels_dir)
    function = getattr(module, request.function, None)
    if function is None or not hasattr(function, "arg_names"):
        raise ValueError(f"{request.kernel} has no Triton function {request.function}")
    names = function.arg_names
    if len(names) != len(request.parameters):
        raise ValueError(
            f"{request.name} has {len(names)} parameters ({', '.join(names)}) and is launched with "
            f"{len(request.parameters)} arguments"
        )
    signature: dict[str, str] = {}
    constants: dict[tuple[int], Any] = {}
    attributes: dict[tuple[int], list[list[Any]]] = {}
    for i, (name, parameter) in enumerate(zip(names, request.parameters, strict=True)):
        type_name, *words = parameter.split()
        signature[name] = type_name
        if type_name == "constexpr":
            constants[(i,)] = _constant(words)
        elif words:  # "aligned" and "divisible": both are multiples of 16.
            attributes[(i,)] = [["tt.divisibility", 16]]
    return ASTSource(function, signature, constants, attributes)


def _run_stages(request: Request) -> tuple[dict[str, Any], dict[str, Any], dict[str, float]]:
    """Runs Triton's stages in memory; its own cache folder is not used.

    Returns what each stage made as text (the last one bytes), the metadata, and the seconds of
    each phase. Texts are taken at once, since a stage may change the module before it in place.
    """
    begin = time.perf_counter()
    backend = _backend(request.target)
    from triton._C.libtriton import ir
    from triton.backends.compiler import Language

    source = _source(request)
    options = backend.parse_options(request.compiler_options())
    stages: dict[str, Any] = {}
    backend.add_stages(stages, options, Language.TRITON)
    context = ir.context()
    ir.load_dialects(context)
    backend.load_dialects(context)
    metadata: dict[str, Any] = {"target": backend.target, **options.__dict__}
    module = source.make_ir(
        backend.target,
        options,
        backend.get_codegen_implementation(options),
        backend.get_module_map(),
        context,
    )
    binary = _KINDS[request.target.partition(":")[0]][0]
    seconds = {"frontend": 0.0, "lowering": 0.0, "assemble": 0.0}
    made: dict[str, Any] = {}
    for name, stage in stages.items():
        module = stage(module, metadata)
        phase = {"ttir": "frontend", binary: "assemble"}.get(name, "lowering")
        now = time.perf_counter()
        seconds[phase] += now - begin
        made[name] = module if isinstance(module, (str, bytes)) else str(module)
        begin = time.perf_counter()
    return made, metadata, seconds


def _compile(request: Request) -> tuple[bytes, dict[str, Any]]:
    made, metadata, seconds = _run_stages(request)
    binary, kind = _KINDS[request.target.partition(":")[0]]
    cpu = kind == "elf"
    return made[binary], {
        "kind": kind,
        "entry": metadata["name"],
        "num_warps": 0 if cpu else metadata["num_warps"],
        "shared_bytes": 0 if cpu else metadata["shared"],
        "scratch_bytes": metadata["shared"] if cpu else 0,
        "global_scratch_bytes": metadata.get("global_scratch_size") or 0,
        "profile_scratch_bytes": metadata.get("profile_scratch_size") or 0,
        **{f"{phase}_seconds": f"{spent:.6f}" for phase, spent in seconds.items()},
    }


def stages_of(text: str) -> dict[str, str | bytes]:
    """Every stage of a request, by Triton's names: "ttir", "llir", "ptx", ..., the binary last."""
    with _one_at_a_time:
        return _run_stages(parse_request(text))[0]


def compile_text(text: str) -> tuple[bytes, dict[str, Any]]:
    """Compiles a request as libtilewise writes it; `warm` and tests call this too."""
    with _one_at_a_time:
        return _compile(parse_request(text))


def _error_text(error: BaseException) -> str:
    """One paragraph: what went wrong, and where in the kernel if Triton knows."""
    text = str(error).strip()
    cause = error.__cause__
    if cause is not None and str(cause).strip() not in text:
        text = f"{text}\n{type(cause).__name__}: {cause}"
    return (
        text if isinstance(error, (RuntimeError, ValueError)) else f"{type(error).__name__}: {text}"
    )


@_COMPILE_FUNCTION
def _callback(text: bytes, result: int) -> int:
    library = native.library()
    try:
        payload, described = compile_text(text.decode())
        lines = "".join(f"{key}={value}\n" for key, value in described.items())
        return int(library.tilewise_artifact_finish(result, lines.encode(), payload, len(payload)))
    except BaseException as error:  # An exception cannot pass through the C++ frames above.
        if isinstance(error, KeyboardInterrupt):
            _thread.interrupt_main()  # Raised again as soon as Python code runs.
        library.tilewise_artifact_fail(result, _error_text(error).encode())
        return 1


def connect() -> None:
    """Makes this the compiler of the process's kernels. Imports neither Triton nor llvmlite."""
    library = native.library()
    api = ctypes.pythonapi
    # A thread that waits for another thread's compilation gives the GIL up meanwhile.
    library.tilewise_set_host_lock(
        ctypes.cast(api.PyGILState_Check, ctypes.c_void_p),
        ctypes.cast(api.PyEval_SaveThread, ctypes.c_void_p),
        ctypes.cast(api.PyEval_RestoreThread, ctypes.c_void_p),
    )
    library.tilewise_set_compiler_identity(compiler_identity().encode())
    library.tilewise_set_compiler(_callback)
