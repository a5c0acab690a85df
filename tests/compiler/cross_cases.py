# SPDX-License-Identifier: Apache-2.0
"""What is run on machines other than this one: kernels, inputs and references.

The sizes are odd, so that every kernel has masks and the last chunk of lanes is cut.
"""

from collections.abc import Callable

import test_codegen as kernels
import test_codegen_tiles as tiles
import torch
import triton
import triton.language as tl
from case_file import Case
from test_codegen import TYPES, random_tensor
from tile_compiler import compile_kernel
from triton.language.extra import libdevice

FLOATS = ["fp32", "fp64", "fp16", "bf16"]
# Of one rounding to the type of the result, and of the functions' own error before it.
RELATIVE = {"fp32": 4e-6, "fp64": 1e-13, "fp16": 1e-3, "bf16": 8e-3}


@triton.jit
def activation_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n)
    if x_ptr.dtype.element_ty != tl.float64:
        x = x.to(tl.float32)
    gelu = 0.5 * x * (1 + tl.erf(x * 0.7071067811865476))
    y = gelu + libdevice.tanh(x) * tl.exp(-x * x)
    tl.store(y_ptr + offs, y.to(y_ptr.dtype.element_ty), mask=offs < n)


@triton.jit
def layer_norm_kernel(x_ptr, weight_ptr, y_ptr, rows, n, eps, ROWS: tl.constexpr, N: tl.constexpr):
    row = tl.program_id(0) * ROWS + tl.arange(0, ROWS)[:, None]
    column = tl.arange(0, N)[None, :]
    mask = (row < rows) & (column < n)
    x = tl.load(x_ptr + row * n + column, mask=mask, other=0.0).to(tl.float32)
    mean = tl.sum(x, 1) / n
    centered = tl.where(mask, x - mean[:, None], 0.0)
    variance = tl.sum(centered * centered, 1) / n
    weight = tl.load(weight_ptr + column, mask=column < n, other=0.0).to(tl.float32)
    y = centered * tl.rsqrt(variance + eps)[:, None] * weight
    tl.store(y_ptr + row * n + column, y.to(y_ptr.dtype.element_ty), mask=mask)


def _activation(kind: str) -> Case:
    x = random_tensor(kind, 1003) * 2
    wide = x.double()
    expected = torch.nn.functional.gelu(wide) + torch.tanh(wide) * torch.exp(-wide * wide)
    signature = {"x_ptr": "*" + kind, "y_ptr": "*" + kind, "n": "i32"}
    return Case(
        f"activation_{kind}", activation_kernel, signature, {"BLOCK": 256}, (4,),
        [x, torch.zeros_like(x), 1003], {1: expected}, RELATIVE[kind], RELATIVE[kind],
    )  # fmt: skip


def _softmax(n: int) -> Case:
    x = torch.randn(5, n)
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32"}
    return Case(
        f"softmax_{n}", tiles.softmax_kernel, signature, {"BLOCK": 1024}, (5,),
        [x, torch.zeros_like(x), n], {1: torch.softmax(x.double(), 1)}, 2e-6, 1e-9,
    )  # fmt: skip


def _layer_norm(kind: str) -> Case:
    x, weight = random_tensor(kind, 7, 300), random_tensor(kind, 300)
    expected = torch.nn.functional.layer_norm(x.double(), (300,), weight.double())
    signature = {
        "x_ptr": "*" + kind, "weight_ptr": "*" + kind, "y_ptr": "*" + kind,
        "rows": "i32", "n": "i32", "eps": "fp32",
    }  # fmt: skip
    return Case(
        f"layer_norm_{kind}", layer_norm_kernel, signature, {"ROWS": 4, "N": 512}, (2,),
        [x, weight, torch.zeros_like(x), 7, 300, 1e-5], {2: expected},
        RELATIVE[kind], RELATIVE[kind],
    )  # fmt: skip


def _matmul(kind: str, transposed: bool) -> Case:
    m, n, k = 70, 45, 51
    a, b = random_tensor(kind, m, k), random_tensor(kind, k, n)
    signature = {
        "a_ptr": "*" + kind, "b_ptr": "*" + kind, "c_ptr": "*fp32",
        "M": "i32", "N": "i32", "K": "i32",
    }  # fmt: skip
    return Case(
        f"matmul_{kind}{'_transposed' if transposed else ''}", tiles.matmul_kernel, signature,
        {"BM": 32, "BN": 32, "BK": 16, "TRANSPOSED": transposed}, (3, 2),
        [a, b.t().contiguous() if transposed else b, torch.zeros(m, n), m, n, k],
        {2: a.double() @ b.double()}, 1e-5, 1e-5,
    )  # fmt: skip


def _attention() -> Case:
    q, k, v = (torch.randn(50, 16).double() for _ in range(3))
    signature = {name: "*fp32" for name in ("q_ptr", "k_ptr", "v_ptr", "o_ptr")} | {"n": "i32"}
    return Case(
        "attention", tiles.attention_kernel, signature, {"BLOCK": 16, "D": 16}, (4,),
        [q.float(), k.float(), v.float(), torch.zeros(50, 16), 50],
        {3: torch.softmax(q @ k.t() * 0.25, 1) @ v}, 1e-5, 1e-6,
    )  # fmt: skip


def _cast(source: str, target: str) -> Case:
    x = random_tensor(source, 777)
    signature = {"x_ptr": "*" + source, "y_ptr": "*" + target, "n": "i32"}
    return Case(
        f"cast_{source}_{target}", kernels.cast_kernel, signature, {"BLOCK": 256}, (4,),
        [x, torch.zeros(777, dtype=TYPES[target]), 777], {1: x.to(TYPES[target])},
    )  # fmt: skip


def _binary(op: str, kind: str) -> Case:
    x, y = random_tensor(kind, 1000), random_tensor(kind, 1000)
    out = torch.zeros_like(x)
    signature = {"x_ptr": "*" + kind, "y_ptr": "*" + kind, "o_ptr": "*" + kind, "n": "i32"}
    return _like_here(
        f"{op}_{kind}", kernels.binary_kernel, signature, {"OP": op, "BLOCK": 256}, (4,),
        [x, y, out, 1000], 2,
    )  # fmt: skip


def _reduction(op: str, kind: str, axis: int) -> Case:
    # Whole numbers, whose sums are exact in any order.
    x = torch.randint(-4, 5, (7, 200)).to(TYPES[kind])
    out_kind = "i32" if op == "argmax" else kind
    signature = {"x_ptr": "*" + kind, "o_ptr": "*" + out_kind, "rows": "i32", "columns": "i32"}
    return _like_here(
        f"{op}_{kind}_{axis}", tiles.reduce_kernel, signature,
        {"OP": op, "AXIS": axis, "ROWS": 8, "COLUMNS": 256}, (1,),
        [x, torch.zeros(200 if axis == 0 else 7, dtype=TYPES[out_kind]), 7, 200], 1,
    )  # fmt: skip


def _like_here(
    name: str,
    function: triton.JITFunction,
    signature: dict[str, str],
    constants: dict[str, object],
    grid: tuple[int, ...],
    arguments: list[object],
    *outputs: int,
    relative: float = 0.0,
) -> Case:
    """The reference is what this machine computes, where test_codegen.py compares it to torch."""
    copies = [a.clone() if isinstance(a, torch.Tensor) else a for a in arguments]
    compile_kernel(function, signature, **constants).run(grid, *copies)
    expected = {i: copies[i] for i in outputs}
    return Case(name, function, signature, constants, grid, arguments, expected, relative, relative)


def _others() -> list[Case]:
    f = "*fp32"
    x = torch.randn(64, 64)
    index = torch.randint(0, 10, (300,))
    return [
        _like_here("carried", tiles.carried_kernel,
                   {"x_ptr": f, "y_ptr": f, "n": "i32", "rows": "i32"}, {"BLOCK": 128}, (1,),
                   [torch.randn(6, 100), torch.zeros(2, 100), 100, 6], 1, relative=1e-6),
        _like_here("branches", tiles.branch_kernel,
                   {"x_ptr": f, "y_ptr": f, "n": "i32", "limit": "i32"}, {"BLOCK": 128}, (4,),
                   [torch.randn(500), torch.zeros(500), 500, 3], 1),
        _like_here("transpose", tiles.transpose_kernel,
                   {"x_ptr": f, "y_ptr": f, "m": "i32", "n": "i32"}, {"BLOCK": 32}, (3, 2),
                   [torch.randn(70, 45), torch.zeros(45, 70), 70, 45], 1),
        _like_here("scan", tiles.scan_kernel, {"x_ptr": "*i32", "y_ptr": "*i32"},
                   {"AXIS": 1, "REVERSE": True, "R": 8, "C": 32}, (1,),
                   [torch.randint(-9, 9, (8, 32), dtype=torch.int32),
                    torch.zeros(8, 32, dtype=torch.int32)], 1),
        _like_here("gather", tiles.gather_kernel,
                   {"x_ptr": f, "index_ptr": "*i64", "y_ptr": f, "n": "i32"}, {"BLOCK": 128}, (3,),
                   [torch.randn(50), torch.randint(-2, 50, (300,)), torch.zeros(300), 300], 2),
        *(_like_here(f"atomic_{kind}", tiles.atomic_kernel,
                     {"index_ptr": "*i64", "y_ptr": "*" + kind, "n": "i32"}, {"BLOCK": 128}, (3,),
                     [index, torch.zeros(10, dtype=TYPES[kind]), 300], 1)
          for kind in ("fp32", "fp16", "bf16", "i32")),
        _like_here("regroup", tiles.regroup_kernel, {"x_ptr": f, "y_ptr": f, "z_ptr": f},
                   {"N": 64}, (1,), [x[0], x[1], torch.zeros(320)], 2),
        _like_here("sort", tiles.sort_kernel, {"x_ptr": f, "y_ptr": f}, {"N": 128}, (1,),
                   [torch.randn(128), torch.zeros(128)], 1),
        _like_here("random", tiles.random_kernel, {"y_ptr": f, "seed": "i64"}, {"BLOCK": 256},
                   (1,), [torch.zeros(256), 42], 0),
        *(_like_here(f"{op}_{kind}", kernels.unary_kernel,
                     {"x_ptr": "*" + kind, "y_ptr": "*" + kind, "n": "i32"},
                     {"OP": op, "BLOCK": 256}, (4,),
                     [random_tensor(kind, 1000) * 3, torch.zeros(1000, dtype=TYPES[kind]), 1000],
                     1, relative=RELATIVE[kind])
          for op, kind in (("log", "fp32"), ("sin", "fp32"), ("exp", "fp64"), ("lgamma", "fp32"))),
    ]  # fmt: skip


def all_cases() -> list[Case]:
    """The same for every target."""
    torch.manual_seed(5)
    casts = [("fp32", "fp16"), ("fp16", "fp32"), ("fp32", "bf16"), ("bf16", "fp16"),
             ("fp16", "fp64"), ("fp64", "fp16"), ("i8", "fp16"), ("fp16", "i16"), ("fp32", "i1"),
             ("i1", "i64"), ("i64", "i8"), ("fp64", "i64"), ("bf16", "i32")]  # fmt: skip
    make: list[Callable[[], Case]] = [
        *(lambda kind=kind: _activation(kind) for kind in FLOATS),
        *(lambda n=n: _softmax(n) for n in (1, 129, 1000)),
        *(lambda kind=kind: _layer_norm(kind) for kind in ("fp32", "fp16", "bf16")),
        *(lambda kind=kind: _matmul(kind, False) for kind in ("fp32", "bf16", "fp16")),
        lambda: _matmul("fp32", True),
        _attention,
        *(lambda pair=pair: _cast(*pair) for pair in casts),
        *(lambda op=op: _binary(op, "i8") for op in ("floordiv", "mod", "shl", "shr", "max")),
        *(lambda kind=kind: _binary("where", kind) for kind in ("fp16", "bf16")),
        *(lambda kind=kind: _binary("floordiv", kind) for kind in ("i16", "i64")),
        *(lambda op=op, kind=kind, axis=axis: _reduction(op, kind, axis)
          for op in ("sum", "argmax") for kind in ("fp32", "fp16") for axis in (0, 1)),
    ]  # fmt: skip
    return [case() for case in make] + _others()
