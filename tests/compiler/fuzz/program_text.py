# SPDX-License-Identifier: Apache-2.0
"""Kernels as lists of statements: Triton's text and what it does to torch tensors."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import torch

Env = dict[str, torch.Tensor]
Shape = tuple[int, ...]

DTYPES = {
    "int1": torch.bool,
    "int8": torch.int8,
    "uint8": torch.uint8,
    "int16": torch.int16,
    "int32": torch.int32,
    "int64": torch.int64,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
INTEGERS = ["int8", "uint8", "int16", "int32", "int64"]
NARROW_FLOATS = ["float16", "bfloat16"]
EXACT_FLOATS = ["float32", "float64"]
WIDE = ["int32", "int64", "float32", "float64"]  # What reductions keep as it is.
BITS = {"int8": 8, "uint8": 8, "int16": 16, "int32": 32, "int64": 64}
BUFFER = 4096  # Elements of each input.
LARGEST = 2**22  # Of the integers in float32 and float64.
CARRIED = 64  # The same of what a loop carries.

HELPERS = """import triton
import triton.language as tl


@triton.jit
def add(a, b):
    return a + b


@triton.jit
def largest(a, b):
    return tl.where(a > b, a, b)


@triton.jit
def smaller_first(a, i, b, j):
    first = (a < b) | ((a == b) & (i < j))
    return tl.where(first, a, b), tl.where(first, i, j)
"""


@dataclass
class Value:
    """A variable of the kernel; `bound` limits the magnitude of exact floats."""

    name: str
    dtype: str
    shape: Shape
    bound: int = 0

    def of(self, env: Env) -> torch.Tensor:
        return env[self.name]


@dataclass
class Statement:
    """`text` on one line, or the head of the blocks."""

    text: str
    run: Callable[[Env], None]
    defines: set[str]
    uses: set[str]
    # (head, statements) of if, else, for and while.
    blocks: list[tuple[str, list["Statement"]]] = field(default_factory=list)
    is_output: bool = False

    def lines(self, indent: str) -> list[str]:
        if not self.blocks:
            return [indent + line for line in self.text.splitlines()]
        result = []
        for head, body in self.blocks:
            result.append(indent + head)
            inner = [line for statement in body for line in statement.lines(indent + "    ")]
            result += inner or [indent + "    pass"]
        return result


def run_all(statements: Sequence[Statement], env: Env) -> None:
    for statement in statements:
        statement.run(env)


class Stop(Exception):
    """The program returned early."""


@dataclass
class Kernel:
    """Parameters are in0.. (BUFFER elements each), out0.., n and s (int32)."""

    seed: int
    inputs: list[str]
    outputs: list[tuple[str, int]]  # dtype and elements per program
    statements: list[Statement]
    grid: int
    n: int
    s: int

    def source(self) -> str:
        names = [f"in{i}" for i in range(len(self.inputs))]
        names += [f"out{i}" for i in range(len(self.outputs))]
        head = f"@triton.jit\ndef kernel({', '.join([*names, 'n', 's'])}):\n"
        body = [line for statement in self.statements for line in statement.lines("    ")]
        return HELPERS + "\n\n" + head + "\n".join(["    pid = tl.program_id(0)", *body]) + "\n"

    def arguments(self) -> list[torch.Tensor]:
        """Inputs and untouched outputs."""
        generator = torch.Generator().manual_seed(self.seed)
        return [random_data(dtype, BUFFER, generator) for dtype in self.inputs] + [
            torch.full((count * self.grid,), 77).to(DTYPES[dtype]) for dtype, count in self.outputs
        ]

    def reference(self, arguments: Sequence[torch.Tensor]) -> None:
        """Does to the tensors what the kernel shall do."""
        for pid in range(self.grid):
            env = {
                "pid": torch.tensor(pid, dtype=torch.int32),
                "n": torch.tensor(self.n, dtype=torch.int32),
                "s": torch.tensor(self.s, dtype=torch.int32),
            }
            for i, tensor in enumerate(arguments):
                is_input = i < len(self.inputs)
                env[f"in{i}" if is_input else f"out{i - len(self.inputs)}"] = tensor
            try:
                run_all(self.statements, env)
            except Stop:
                continue

    def with_output(self, index: int) -> "Kernel":
        """The statements that output `index` needs, for a shorter text of the same fault."""
        wanted = {f"out{index}"}
        kept = _needed(self.statements, wanted)
        return Kernel(self.seed, self.inputs, self.outputs, kept, self.grid, self.n, self.s)


def _needed(statements: Sequence[Statement], wanted: set[str]) -> list[Statement]:
    kept: list[Statement] = []
    for statement in reversed(statements):
        if statement.text == "return" or statement.defines & wanted:
            wanted |= statement.uses
            kept.append(statement)
    return kept[::-1]


def random_data(dtype: str, count: int, generator: torch.Generator) -> torch.Tensor:
    kind = DTYPES[dtype]
    if kind == torch.bool:
        return torch.randint(0, 2, (count,), generator=generator).bool()
    if dtype in EXACT_FLOATS:
        return torch.randint(-8, 9, (count,), generator=generator).to(kind)
    if kind.is_floating_point:
        data = (torch.randn(count, generator=generator) * 4).to(kind)
        special = torch.tensor([float("inf"), float("-inf"), float("nan"), -0.0, 6e-8, 300.0])
        where = torch.randint(0, 40, (count,), generator=generator)
        return torch.where(where < 6, special[where.clamp(max=5)].to(kind), data)
    info = torch.iinfo(kind)
    small = torch.randint(max(info.min, -9), 10, (count,), generator=generator)
    full = torch.randint(info.min, info.max, (count,), generator=generator)
    return torch.where(torch.rand(count, generator=generator) < 0.5, small, full).to(kind)


def product(shape: Shape) -> int:
    result = 1
    for extent in shape:
        result *= extent
    return result
