# SPDX-License-Identifier: Apache-2.0
"""Every scalar function that an operator names compiles for GPUs, on a machine without one.

On GPUs a function that does not compile would only show as a fallback, call by call.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path

import pytest

from tilewise.cli import kernel_stages
from tilewise.compile_request import Request
from tilewise.triton_backend import native

pytestmark = pytest.mark.skipif(
    os.environ.get("TILEWISE_TEST_FULL") != "1", reason="minutes of compilation: make test-full"
)

SOURCES = Path(__file__).parents[2] / "src" / "ops"
# What the constants of scalar functions may be.
CONSTANTS = {
    **{"approximate": "'tanh'", "mode": "'floor'", "is_result": "True", "P": "3"},
    **{"FORMAT": "'e4m3fn'", "TO": "'e5m2'", "SATURATES": "True"},
}
ON_INTEGERS = ("bitwise:", "float8:decode", "float8:convert", "division:greatest", "division:least")


def _declarations() -> str:
    return "".join(path.read_text() for path in sorted(SOURCES.glob("pointwise/*.cpp")))


def _declared() -> list[str]:
    """ "activation:gelu" of every declaration in C++."""
    return sorted(set(re.findall(r'"(\w+:\w+)"', _declarations())))


def _lanes(name: str) -> int:
    """Of a tile, as src/ops/framework/pointwise_tiles.cpp chooses it."""
    return 128 if re.search(f'"{name}"[^\n]*kIterates', _declarations()) else 1024


def _definition(name: str) -> ast.FunctionDef:
    module, _, function = name.partition(":")
    path = Path(native.kernels_dir()) / "pointwise" / f"{module}.py"
    found = [
        node
        for node in ast.parse(path.read_text()).body
        if isinstance(node, ast.FunctionDef) and node.name == function
    ]
    assert found, f"{path} has no function {function}"
    return found[0]


def _request(name: str, dtype: str) -> Request:
    """A kernel that calls the function on tensors of one type."""
    module, _, function = name.partition(":")
    definition = _definition(name)
    tuples = [n for n in ast.walk(definition)
              if isinstance(n, ast.Return) and isinstance(n.value, ast.Tuple)]  # fmt: skip
    count = len(tuples[0].value.elts) if tuples else 1
    arguments, inputs = [], 0
    lanes = _lanes(name)
    for argument in definition.args.args:
        if argument.annotation is not None:
            arguments.append(CONSTANTS[argument.arg])
        else:
            arguments.append(f"tl.load(in{inputs} + index)")
            inputs += 1
    pointers = [f"out{i}" for i in range(count)] + [f"in{i}" for i in range(inputs)]
    lines = [
        "import triton",
        "import triton.language as tl",
        f"from pointwise.{module} import {function}",
        "",
        "@triton.jit",
        f"def kernel({', '.join(pointers)}):",
        f"    index = tl.program_id(0) * {lanes} + tl.arange(0, {lanes})",
        f"    {', '.join(f'y{i}' for i in range(count))} = {function}({', '.join(arguments)})",
    ]
    lines += [f"    tl.store(out{i} + index, y{i}.to(tl.{dtype}))" for i in range(count)]
    short = {"float32": "fp32", "float64": "fp64", "int32": "i32"}[dtype]
    return Request(
        kernel=f"pointwise/{module}",
        function="kernel",
        target="cuda:90",
        options={"num_warps": 4, "num_stages": 1},
        parameters=[f"*{short} aligned"] * len(pointers),
        source="\n".join(lines) + "\n",
    )


@pytest.mark.parametrize("name", _declared())
def test_compiles_for_sm_90(name: str) -> None:
    dtypes: tuple[str, ...] = ("float32", "float64")
    if name.startswith(ON_INTEGERS):
        dtypes = ("int32",)
    elif name == "float8:encode":  # takes the bits of fp32
        dtypes = ("float32",)
    for dtype in dtypes:
        stages = dict(kernel_stages.stages(_request(name, dtype)))
        assert ".entry kernel" in stages["ptx"]
        # Local memory is spilled registers, or the slow path of sin and cos for large arguments.
        print(f"{name} {dtype}: {stages['ptx'].count('.local')} local declarations")
