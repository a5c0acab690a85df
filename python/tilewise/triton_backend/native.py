# SPDX-License-Identifier: Apache-2.0
"""libtilewise.so through ctypes: the functions that compiling and launching need."""

from __future__ import annotations

import ctypes
import functools
import json
import os
from ctypes import POINTER, byref, c_char_p, c_int, c_int32, c_int64, c_uint64, c_void_p
from pathlib import Path

from .errors import from_compiler


class NativeError(RuntimeError):
    """libtilewise refused; the text is its own."""


def library_path() -> Path:
    """Where libtilewise.so is: TILEWISE_LIBRARY, else in the package."""
    if path := os.environ.get("TILEWISE_LIBRARY"):
        return Path(path)
    return Path(__file__).resolve().parent.parent / "lib" / "libtilewise.so"


@functools.cache
def library() -> ctypes.CDLL:
    """Loads libtilewise.so once and declares its functions."""
    path = library_path()
    if path.name == "libtilewise.so":
        import torch  # noqa: F401  # libtilewise.so links PyTorch's libraries, which this loads.
    try:
        lib = ctypes.CDLL(str(path))
    except OSError as error:
        raise NativeError(
            f"cannot load {path} ({error}); build Tilewise with `make setup` or install its wheel"
        ) from error
    try:
        _declare(lib)
    except AttributeError as error:
        raise NativeError(
            f"{path} and this package are of different builds ({error}): run `make setup`"
        ) from error
    return lib


def _declare(lib: ctypes.CDLL) -> None:
    text_out = POINTER(c_void_p)
    lib.tilewise_free.argtypes = [c_void_p]
    lib.tilewise_free.restype = None
    lib.tilewise_load_object.argtypes = [
        c_char_p,
        c_int64,
        c_char_p,
        c_int64,
        text_out,
        text_out,
    ]
    lib.tilewise_cpu_launch.argtypes = [
        c_void_p,
        POINTER(c_uint64),
        c_int,
        POINTER(c_int32),
        text_out,
    ]
    lib.tilewise_cpu_target.argtypes = [POINTER(c_char_p), text_out]
    lib.tilewise_describe_cpu_target.argtypes = [c_char_p, text_out, text_out]
    lib.tilewise_kernels_dir.restype = c_char_p
    lib.tilewise_set_host_lock.argtypes = [c_void_p] * 3
    lib.tilewise_set_compiler_identity.argtypes = [c_char_p]
    lib.tilewise_artifact_finish.argtypes = [c_void_p, c_char_p, c_char_p, c_int64]
    lib.tilewise_artifact_fail.argtypes = [c_void_p, c_char_p]


def take_text(pointer: c_void_p) -> str:
    """The string behind a `char*` of libtilewise, which is freed."""
    if not pointer.value:
        return ""
    text = ctypes.string_at(pointer.value).decode()
    library().tilewise_free(pointer)
    return text


def cpu_target() -> str:
    """The target that this process compiles for, e.g. "x86-64-v4+avx512bf16"."""
    target, error = c_char_p(), c_void_p()
    if library().tilewise_cpu_target(byref(target), byref(error)) != 0:
        raise NativeError(take_text(error))
    assert target.value is not None
    return target.value.decode()


@functools.cache
def describe_cpu_target(name: str) -> dict[str, str]:
    """LLVM's names of a CPU target: triple, cpu and features."""
    described, error = c_void_p(), c_void_p()
    if library().tilewise_describe_cpu_target(name.encode(), byref(described), byref(error)) != 0:
        raise from_compiler(take_text(error))
    return dict(json.loads(take_text(described)))


def kernels_dir() -> str:
    """The folder of Triton sources; empty if none was found."""
    return str(library().tilewise_kernels_dir().decode())


def compile_ttir(ttir: str, target: str, kernel: str) -> tuple[str, str]:
    """Triton IR text to LLVM IR text and metadata (`key=value` lines)."""
    compile_function = library().tilewise_compile_ttir
    compile_function.argtypes = [c_char_p] * 3 + [POINTER(c_void_p)] * 3
    llvm_ir, metadata, error = c_void_p(), c_void_p(), c_void_p()
    status = compile_function(
        ttir.encode(),
        target.encode(),
        kernel.encode(),
        byref(llvm_ir),
        byref(metadata),
        byref(error),
    )
    if status != 0:
        raise from_compiler(take_text(error))
    return take_text(llvm_ir), take_text(metadata)


def dump_stage(ttir: str, target: str, stage: str) -> str:
    """The text after a stage of the CPU compiler: "ttir", "tile" or "llvm"."""
    dump = library().tilewise_dump_stage
    dump.argtypes = [c_char_p] * 3 + [POINTER(c_void_p)] * 2
    text, error = c_void_p(), c_void_p()
    if dump(ttir.encode(), target.encode(), stage.encode(), byref(text), byref(error)) != 0:
        raise from_compiler(take_text(error))
    return take_text(text)


def load_object(payload: bytes, entry: str, scratch_bytes: int) -> int:
    """Loads a compiled object; the handle is what cpu_launch takes. It lives for the process."""
    kernel, error = c_void_p(), c_void_p()
    status = library().tilewise_load_object(
        payload, len(payload), entry.encode(), scratch_bytes, byref(kernel), byref(error)
    )
    if status != 0:
        raise NativeError(take_text(error))
    assert kernel.value is not None
    return kernel.value


def cpu_launch(kernel: int, slots: ctypes.Array[c_uint64], grid: tuple[int, int, int]) -> None:
    """Runs all programs of the grid on the calling thread and PyTorch's pool."""
    error = c_void_p()
    status = library().tilewise_cpu_launch(
        kernel, slots, len(slots), (c_int32 * 3)(*grid), byref(error)
    )
    if status != 0:
        raise NativeError(take_text(error))
