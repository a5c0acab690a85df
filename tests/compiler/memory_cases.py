# SPDX-License-Identifier: Apache-2.0
"""Kernels whose masked-off lanes point at memory that must not be touched.

cross/run_cases.cpp puts every buffer between two pages without access. The other lanes lie behind
its end, before its beginning, or at addresses that nothing has.
"""

import torch
import triton
import triton.language as tl
from case_file import Case
from test_codegen import TYPES, random_tensor

N = 203  # Of the elements that there are; tiles have 256.
NARROWED = (("i32", "i16"), ("i32", "i8"), ("i64", "i32"), ("i64", "i16"), ("i64", "i8"))


@triton.jit
def third_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = (offs < n) & (offs % 3 == 0)
    tl.store(y_ptr + offs, tl.load(x_ptr + offs, mask=mask, other=1), mask=mask)


@triton.jit
def window_kernel(x_ptr, y_ptr, first, last, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = (offs >= first) & (offs < last)
    # The pointers stand before the buffers: lane `first` is their first element.
    x = tl.load(x_ptr - first + offs, mask=mask, other=0)
    tl.store(y_ptr - first + offs, x, mask=mask)


@triton.jit
def strided_kernel(x_ptr, y_ptr, n, stride, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs * stride, mask=mask, other=0)
    tl.store(y_ptr + (n - 1 - offs) * stride, x, mask=mask)


@triton.jit
def backward_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + n - 1 - offs, mask=mask, other=0)
    tl.store(y_ptr + n - 1 - offs, x, mask=mask)


@triton.jit
def rectangle_kernel(x_ptr, y_ptr, m, n, M: tl.constexpr, N: tl.constexpr):
    r = tl.arange(0, M)[:, None]
    c = tl.arange(0, N)[None, :]
    mask = (r < m) & (c < n)
    row = tl.load(x_ptr + c, mask=c < n, other=0)
    column = tl.load(x_ptr + r * n, mask=r < m, other=0)
    x = tl.load(x_ptr + r * n + c, mask=mask, other=0)
    tl.store(y_ptr + c * m + r, x + row + column, mask=mask)


@triton.jit
def narrow_kernel(x_ptr, y_ptr, COUNT: tl.constexpr, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < COUNT
    x = tl.load(x_ptr + offs, mask=mask, other=0)
    tl.store(y_ptr + offs, x.to(y_ptr.dtype.element_ty), mask=mask)


@triton.jit
def scatter_kernel(x_ptr, index_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    inside = offs < n
    index = tl.load(index_ptr + offs, mask=inside, other=1 << 40)
    valid = (index >= 0) & (index < n)
    x = tl.load(x_ptr + index, mask=valid, other=0)
    tl.store(y_ptr + index, x, mask=valid)


@triton.jit
def atomic_kernel(index_ptr, y_ptr, old_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    inside = offs < n
    index = tl.load(index_ptr + offs, mask=inside, other=-(1 << 40))
    valid = (index >= 0) & (index < n)
    one = tl.full((BLOCK,), 1, y_ptr.dtype.element_ty)
    tl.atomic_add(y_ptr + index, one, mask=valid)
    tl.atomic_max(old_ptr + index, one, mask=valid & (index % 2 == 0))


@triton.jit
def nothing_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask, other=3.0)
    tl.store(x_ptr + offs, x, mask=mask)
    tl.atomic_add(x_ptr + offs, x, mask=mask)
    scalar = tl.load(x_ptr + 7, mask=n > 0, other=4.0)
    tl.store(x_ptr + 9, scalar, mask=n > 0)
    tl.atomic_add(x_ptr + 11, scalar, mask=n > 0)
    tl.store(y_ptr, tl.sum(x, 0) + scalar)


@triton.jit
def one_address_kernel(x_ptr, y_ptr, lane, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs)
    tl.store(tl.broadcast_to(y_ptr, (BLOCK,)), x, mask=offs == lane)


@triton.jit
def loop_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0)
        total += x
        tl.store(y_ptr + start + lanes, x * 2, mask=mask)
    tl.store(y_ptr + n, tl.sum(total, 0))


def _copy_cases(kind: str) -> list[Case]:
    x = random_tensor(kind, N)
    zero = torch.zeros_like(x)
    pointers = {"x_ptr": "*" + kind, "y_ptr": "*" + kind}
    block = {"BLOCK": 256}
    third = torch.where(torch.arange(N) % 3 == 0, x, zero)
    strided, strided_out = random_tensor(kind, 3 * N - 2), torch.zeros(3 * N - 2, dtype=x.dtype)
    expected = strided_out.clone()
    expected[::3] = strided[::3].flip(0)
    return [
        Case(f"third_{kind}", third_kernel, pointers | {"n": "i32"}, block, (1,),
             [x, zero, N], {1: third}),
        Case(f"window_{kind}", window_kernel, pointers | {"first": "i32", "last": "i32"}, block,
             (1,), [x, zero, 21, 21 + N], {1: x}),
        Case(f"backward_{kind}", backward_kernel, pointers | {"n": "i32"}, block, (1,),
             [x, zero, N], {1: x}),
        Case(f"strided_{kind}", strided_kernel, pointers | {"n": "i32", "stride": "i32"}, block,
             (1,), [strided, strided_out, N, 3], {1: expected}),
    ]  # fmt: skip


def _narrow_cases(wide: str, narrow: str) -> list[Case]:
    pointers = {"x_ptr": "*" + wide, "y_ptr": "*" + narrow}
    x = torch.randint(-(1 << 31), 1 << 31, (3,)).to(TYPES[wide])
    y = x.to(TYPES[narrow])
    return [
        Case(f"narrow_{wide}_{narrow}_{count}_of_{block}", narrow_kernel, pointers,
             {"COUNT": count, "BLOCK": block}, (1,),
             [x[:count], torch.zeros_like(y[:count])], {1: y[:count]})
        for count, block in ((1, 2), (1, 16), (3, 16), (1, 64))
    ]  # fmt: skip


def memory_cases() -> list[Case]:
    """The same for every target."""
    torch.manual_seed(11)
    x = torch.randint(-9, 9, (7, 29)).float()
    index = torch.randperm(N)
    index[::5] = torch.randint(-(1 << 50), 1 << 50, index[::5].shape)
    valid = (index >= 0) & (index < N)
    values = torch.randn(N)
    scattered = torch.zeros(N)
    scattered[index[valid]] = values[index[valid]]
    counts = torch.zeros(N)
    counts[index[valid]] = 1
    even = torch.where(torch.arange(N) % 2 == 0, counts, torch.zeros(N))
    rows = torch.randint(-9, 9, (1000,)).float()
    f = "*fp32"
    one = {"BLOCK": 256}
    return [
        *(case for kind in TYPES for case in _copy_cases(kind)),
        *(case for wide, narrow in NARROWED for case in _narrow_cases(wide, narrow)),
        Case("rectangle", rectangle_kernel, {"x_ptr": f, "y_ptr": f, "m": "i32", "n": "i32"},
             {"M": 8, "N": 32}, (1,), [x, torch.zeros(29, 7), 7, 29],
             {1: (x + x[0] + x[:, :1]).t()}),
        Case("scatter", scatter_kernel, {"x_ptr": f, "index_ptr": "*i64", "y_ptr": f, "n": "i32"},
             one, (1,), [values, index, torch.zeros(N), N], {2: scattered}),
        *(Case(f"masked_atomic_{kind}", atomic_kernel,
               {"index_ptr": "*i64", "y_ptr": "*" + kind, "old_ptr": "*" + kind, "n": "i32"}, one,
               (1,), [index, *torch.zeros(2, N, dtype=TYPES[kind]), N], {1: counts, 2: even})
          for kind in ("fp32", "i32", "i64")),
        Case("nothing", nothing_kernel, {"x_ptr": f, "y_ptr": f, "n": "i32"}, one, (1,),
             [0, torch.zeros(1), 0], {1: torch.tensor([256 * 3.0 + 4])}),
        Case("one_address", one_address_kernel, {"x_ptr": f, "y_ptr": f, "lane": "i32"}, one, (1,),
             [rows[:256], torch.zeros(1), 77], {1: rows[77:78]}),
        Case("loop", loop_kernel, {"x_ptr": f, "y_ptr": f, "n": "i32"}, {"BLOCK": 128}, (1,),
             [rows, torch.zeros(1001), 1000], {1: torch.cat([rows * 2, rows.sum().reshape(1)])}),
    ]  # fmt: skip
