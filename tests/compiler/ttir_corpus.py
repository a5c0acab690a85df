# SPDX-License-Identifier: Apache-2.0
"""Triton IR of every kernel of the repository, as files: python ttir_corpus.py FOLDER.

Needs Triton but not libtilewise, so that a build with sanitizers can use it.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import test_codegen as kernels
import test_codegen_tiles as tiles
import triton
from tile_compiler import make_ttir

from tilewise import compile_client, kernel_modules
from tilewise.cli import kernel_requests

KERNELS = Path(__file__).parents[2] / "kernels"

# What the repository's kernels do not use.
_OTHERS: list[tuple[triton.JITFunction, dict[str, str], dict[str, Any]]] = [
    (tiles.scan_kernel, {"x_ptr": "*i32", "y_ptr": "*i32"},
     {"AXIS": 1, "REVERSE": True, "R": 8, "C": 32}),
    (tiles.sort_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32"}, {"N": 16}),
    (tiles.branch_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "limit": "i32"},
     {"BLOCK": 128}),
    (tiles.regroup_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "z_ptr": "*fp32"}, {"N": 64}),
    (tiles.swap_kernel, {"y_ptr": "*fp32", "steps": "i32"}, {"BLOCK": 64}),
    (tiles.transpose_kernel, {"x_ptr": "*bf16", "y_ptr": "*bf16", "m": "i32", "n": "i32"},
     {"BLOCK": 16}),
    (tiles.table_kernel, {"table_ptr": "*i64", "n": "i32"}, {"BLOCK": 128}),
    (kernels.unary_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32"},
     {"OP": "lgamma", "BLOCK": 64}),
    (tiles.attention_kernel,
     {"q_ptr": "*fp32", "k_ptr": "*fp32", "v_ptr": "*fp32", "o_ptr": "*fp32", "n": "i32"},
     {"BLOCK": 16, "D": 16}),
]  # fmt: skip


def _kernels() -> Iterator[tuple[str, str, Any]]:
    """(file, name, function) of all that are launched; helpers have names with an underscore."""
    for path in sorted(KERNELS.glob("*/*.py")):
        family = path.relative_to(KERNELS).with_suffix("").as_posix()
        if family.startswith(("common/", "pointwise/")):  # Functions of scalars and helpers.
            continue
        module = kernel_modules.load_file(family, str(KERNELS))
        for name, value in vars(module).items():
            is_own = getattr(value, "__module__", None) == module.__name__
            if isinstance(value, triton.JITFunction) and is_own and not name.startswith("_"):
                yield family, name, value


def write_corpus(folder: Path) -> int:
    """Writes the kernels with arguments by their names; returns how many they are."""
    count = 0
    for family, name, function in _kernels():
        parameters = kernel_requests.made_up(family, name, function, {}).parameters
        signature: dict[str, str] = {}
        constants: dict[str, Any] = {}
        for argument, parameter in zip(function.arg_names, parameters, strict=True):
            kind, *words = parameter.split()
            if kind == "constexpr":
                constants[argument] = compile_client._constant(words)
            else:
                signature[argument] = kind
        try:
            text = make_ttir(function, signature, **constants)
        except Exception:  # Some need constants that their names do not tell.
            continue
        (folder / f"{family.replace('/', '-')}-{name}.ttir").write_text(text)
        count += 1
    for function, signature, constants in _OTHERS:
        (folder / f"{function.__name__}.ttir").write_text(
            make_ttir(function, signature, **constants)
        )
    written = sorted((Path(__file__).parent / "filecheck").glob("*.ttir"))
    for path in written:
        (folder / f"filecheck-{path.name}").write_text(path.read_text())
    return count + len(_OTHERS) + len(written)


if __name__ == "__main__":
    print(write_corpus(Path(sys.argv[1])), "kernels")
