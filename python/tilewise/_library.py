# SPDX-License-Identifier: Apache-2.0
"""Loads libtilewise and declares the C functions that Python calls."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import torch

_LIBRARY = Path(__file__).parent / "lib" / "libtilewise.so"

_SIGNATURES: dict[str, tuple[list[type], type | None]] = {
    "tilewise_install": ([ctypes.POINTER(ctypes.c_void_p)], ctypes.c_int),
    "tilewise_make_scope": (
        [
            ctypes.c_char_p,
            ctypes.c_char_p,
            ctypes.c_int,
            ctypes.POINTER(ctypes.c_void_p),
            ctypes.POINTER(ctypes.c_void_p),
        ],
        ctypes.c_int,
    ),
    "tilewise_make_stock_scope": ([], ctypes.c_void_p),
    "tilewise_release_scope": ([ctypes.c_void_p], None),
    "tilewise_set_process_scope": ([ctypes.c_void_p], None),
    "tilewise_push_scope": ([ctypes.c_void_p], None),
    "tilewise_pop_scope": ([], None),
    "tilewise_operator_counters": ([], ctypes.c_void_p),
    "tilewise_reset_counters": ([], None),
    "tilewise_runtime_statistics": ([ctypes.POINTER(ctypes.c_void_p)], ctypes.c_int),
    "tilewise_store_stats": ([ctypes.POINTER(ctypes.c_void_p)], ctypes.c_int),
    "tilewise_set_compile_mode": ([ctypes.c_char_p], ctypes.c_int),
    "tilewise_compile_mode": ([], ctypes.c_char_p),
    "tilewise_define_pointwise": (
        [ctypes.c_char_p, ctypes.POINTER(ctypes.c_void_p)],
        ctypes.c_int,
    ),
    "tilewise_set_pointwise_resolver": ([ctypes.c_void_p], None),
    "tilewise_pointwise_fail": ([ctypes.c_void_p, ctypes.c_char_p], None),
    "tilewise_free": ([ctypes.c_void_p], None),
}


def _load() -> ctypes.PyDLL:
    path = Path(os.environ.get("TILEWISE_LIBRARY", _LIBRARY))
    if not path.exists():
        raise ImportError(f"tilewise: {path} does not exist; run `make setup` to build it")
    try:
        # PyDLL keeps the GIL during a call: entering a scope takes 0.3 us and must not let other
        # threads run in between. Compilation is never reached through these functions.
        library = ctypes.PyDLL(str(path))
    except OSError as error:
        raise ImportError(
            f"tilewise: {path} cannot be loaded with PyTorch {torch.__version__} ({error}); "
            "run `make setup` to build it for this PyTorch"
        ) from error
    for name, (arguments, result) in _SIGNATURES.items():
        function = getattr(library, name)
        function.argtypes = arguments
        function.restype = result
    return library


library = _load()


def take_text(pointer: int | None) -> str:
    """Copies a C string that the library allocated, and frees it."""
    if not pointer:
        return ""
    text = ctypes.string_at(pointer).decode()
    library.tilewise_free(pointer)
    return text


def install() -> None:
    """Takes the operators over; they stay as they were until a scope is in force."""
    error = ctypes.c_void_p()
    if library.tilewise_install(ctypes.byref(error)) != 0:
        raise RuntimeError(take_text(error.value))
