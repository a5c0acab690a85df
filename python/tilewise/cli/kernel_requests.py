# SPDX-License-Identifier: Apache-2.0
"""Specializations of a kernel to look at: those in the artifact store, or one made up.

The store keeps the request of every binary, generated sources included, so what ran on this
machine can be inspected as it ran. A kernel that never ran gets arguments by the names of its
parameters.
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tilewise.compile_request import Request, parse_request

# src/runtime/disk_cache.h: magic, version, header bytes, then the three lengths.
_HEADER = struct.Struct("<8sIIQQQ")

# What a parameter gets by its name where nothing else is known.
_CONSTANTS = {
    "ACC": "dtype fp32",
    "DTYPE": "dtype fp32",
    "BLOCK": "int 256",
    "BLOCK_M": "int 32",
    "BLOCK_N": "int 32",
    "BLOCK_K": "int 32",
    "CHUNK": "int 256",
    "CHUNKS": "int 4",
    "COLUMNS": "int 64",
    "GROUP_M": "int 8",
    "ROWS": "int 4",
}
_FLAGS = ("HAS_", "IS_", "WANT_", "EVEN_")
_FLOATS = frozenset("alpha beta eps p scalar scale value norm_type max_norm lower upper".split())
_INTEGER_POINTERS = ("index", "indices", "target", "offset", "table", "map")


def stored(folder: Path, kernel: str, function: str, jit_function: Any) -> list[Request]:
    """The requests in the store for this kernel, newest first; not those of an earlier version of
    `jit_function`, which take other arguments. (None: there are generated ones alone, which hold
    their source.)
    """
    found = []
    for path, request in _files(folder):
        if (request.kernel, request.function) == (kernel, function):
            if request.source or _takes(jit_function, request.parameters):
                found.append((path.stat().st_mtime, path.name, request))
    return [request for _, _, request in sorted(found, key=lambda item: item[:2], reverse=True)]


def _takes(jit_function: Any, parameters: list[str]) -> bool:
    """Whether constants stand where the function has them; any argument may be 1 or absent."""
    if jit_function is None or len(jit_function.params) != len(parameters):
        return False
    return all(
        parameter in ("constexpr one", "constexpr none")
        or parameter.startswith("constexpr") == declared.is_constexpr
        for declared, parameter in zip(jit_function.params, parameters, strict=True)
    )


def stored_requests(folder: Path) -> Iterator[Request]:
    """The request of every file in the store."""
    return (request for _, request in _files(folder))


def stored_names(folder: Path) -> Iterator[str]:
    """ "kernel:function" of every file in the store."""
    return (request.name for _, request in _files(folder))


def _files(folder: Path) -> Iterator[tuple[Path, Request]]:
    for path in (folder / "artifacts").rglob("*"):
        if path.is_file() and (request := _read(path)) is not None:
            yield path, request


def _read(path: Path) -> Request | None:
    with path.open("rb") as file:
        head = file.read(_HEADER.size)
        if len(head) < _HEADER.size:
            return None
        magic, _, header_bytes, request_bytes, _, _ = _HEADER.unpack(head)
        if magic != b"TILEWISE" or request_bytes > 1 << 24:
            return None
        file.seek(header_bytes)
        return parse_request(file.read(request_bytes).decode(errors="replace"))


def made_up(kernel: str, function: str, jit_function: Any, settings: dict[str, str]) -> Request:
    """A request with arguments by the parameters' names; `settings` overrides them by name."""
    unknown = settings.keys() - set(jit_function.arg_names)
    if unknown:
        raise ValueError(
            f"{kernel}:{function} has no parameter {', '.join(sorted(unknown))}; it has "
            f"{', '.join(jit_function.arg_names)}"
        )
    parameters = []
    for parameter in jit_function.params:
        name = parameter.name
        if name in settings:
            parameters.append(_setting(settings[name], parameter.is_constexpr))
        elif parameter.is_constexpr:
            parameters.append("constexpr " + _constant(name, parameter.default))
        else:
            parameters.append(_argument(name))
    return Request(kernel=kernel, function=function, parameters=parameters)


def _setting(text: str, is_constexpr: bool) -> str:
    """A constexpr's value ("1024", "true", "fp32", "0.5", "none"), else type and traits."""
    if not is_constexpr:
        return text
    if text.lower() in ("true", "false"):
        return f"constexpr bool {int(text.lower() == 'true')}"
    if text.lower() == "none":
        return "constexpr none"
    try:
        return f"constexpr int {int(text)}"
    except ValueError:
        pass
    try:
        return f"constexpr float {float(text).hex()}"
    except ValueError:
        return f"constexpr dtype {text}"


def _constant(name: str, default: Any) -> str:
    if isinstance(default, bool):
        return f"bool {int(default)}"
    if isinstance(default, int):
        return f"int {default}"
    if name in _CONSTANTS:
        return _CONSTANTS[name]
    return "bool 1" if name.startswith(_FLAGS) else "int 0"


def _argument(name: str) -> str:
    if name.endswith("_ptr") or name.startswith(("in", "out")) and name[-1:].isdigit():
        integers = any(part in name for part in _INTEGER_POINTERS)
        return "*i64 aligned" if integers else "*fp32 aligned"
    if name in _FLOATS:
        return "fp32"
    if name.startswith("stride"):
        # The last dimension lies densely, as it mostly does.
        return "constexpr one" if name.endswith(("_dim", "_k", "_inner")) else "i32 divisible"
    return "i32"
