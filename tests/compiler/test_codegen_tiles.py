# SPDX-License-Identifier: Apache-2.0
"""Reductions, loops, products, scans and other kernels on tiles, against torch."""

import pytest
import torch
import triton
import triton.language as tl
from sample_tensors import FLOATS, TYPES, guarded, random_tensor
from tile_compiler import CompileError, compile_kernel, compile_ttir, make_ttir


@triton.jit
def reduce_kernel(
    x_ptr,
    o_ptr,
    rows,
    columns,
    OP: tl.constexpr,
    AXIS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    r = tl.arange(0, ROWS)
    c = tl.arange(0, COLUMNS)
    mask = (r < rows)[:, None] & (c < columns)[None, :]
    other = 0 if OP == "sum" else float("-inf")
    x = tl.load(x_ptr + r[:, None] * columns + c[None, :], mask=mask, other=other)
    if OP == "sum":
        y = tl.sum(x, AXIS)
    elif OP == "max":
        y = tl.max(x, AXIS)
    else:
        y = tl.argmax(x, AXIS)
    if AXIS == 1:
        tl.store(o_ptr + r, y, mask=r < rows)
    else:
        tl.store(o_ptr + c, y, mask=c < columns)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("op", ["sum", "max", "argmax"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 64), (7, 200), (61, 3)])
def test_reductions(kind, op, axis, shape):
    x = guarded(random_tensor(kind, *shape))
    out_kind = "i32" if op == "argmax" else kind
    y = torch.zeros(shape[1 - axis], dtype=TYPES[out_kind])
    sizes = [triton.next_power_of_2(s) for s in shape]
    signature = {"x_ptr": "*" + kind, "o_ptr": "*" + out_kind, "rows": "i32", "columns": "i32"}
    kernel = compile_kernel(
        reduce_kernel, signature, OP=op, AXIS=axis, ROWS=sizes[0], COLUMNS=sizes[1]
    )
    kernel.run((1,), x, y, *shape)
    if op == "sum":
        # Every addition is rounded to the type.
        tolerance = {"bf16": 0.3, "fp16": 0.05}.get(kind, 1e-4)
        torch.testing.assert_close(y, x.sum(axis), rtol=tolerance, atol=tolerance)
    elif op == "max":
        assert torch.equal(y, x.amax(axis))
    else:
        assert torch.equal(x.gather(axis, y.long().unsqueeze(axis)), x.amax(axis, keepdim=True))


@triton.jit
def nan_max_kernel(x_ptr, o_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n, other=float("-inf"))
    tl.store(o_ptr, tl.max(x, 0))
    tl.store(o_ptr + 1, tl.sum(tl.where(offs < n, x, 0.0), 0))


def test_extrema_of_nothing_and_of_nan():
    kernel = compile_kernel(
        nan_max_kernel, {"x_ptr": "*fp32", "o_ptr": "*fp32", "n": "i32"}, BLOCK=128
    )
    out = torch.zeros(2)
    kernel.run((1,), torch.zeros(1), out, 0)
    assert out.tolist() == [float("-inf"), 0.0]
    kernel.run((1,), torch.full((128,), float("nan")), out, 128)
    assert out.isnan().all()


@triton.jit
def softmax_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * n + offs, mask=offs < n, other=float("-inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(y_ptr + row * n + offs, e / tl.sum(e, 0), mask=offs < n)


@pytest.mark.parametrize("n", [1, 30, 64, 129, 1000, 1024])
def test_softmax_of_rows(n):
    x = guarded(torch.randn(5, n))
    y = guarded(torch.zeros(5, n))
    compile_kernel(
        softmax_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32"}, BLOCK=1024
    ).run((5,), x, y, n)
    torch.testing.assert_close(y, torch.softmax(x, 1))


@triton.jit
def carried_kernel(x_ptr, y_ptr, n, rows, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    pointers = x_ptr + offs
    total = tl.zeros((BLOCK,), tl.float32)
    largest = tl.full((BLOCK,), float("-inf"), tl.float32)
    for _ in range(rows):
        x = tl.load(pointers, mask=offs < n, other=0.0)
        total = total + x * (largest > 0).to(tl.float32)
        largest = tl.maximum(largest, x)
        pointers += n
    tl.store(y_ptr + offs, total, mask=offs < n)
    tl.store(y_ptr + n + offs, largest, mask=offs < n)


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_loop_carries_tensors_and_pointers(rows):
    x = torch.randn(max(rows, 1), 100)
    y = torch.zeros(2, 100)
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "rows": "i32"}
    compile_kernel(carried_kernel, signature, BLOCK=128).run((1,), x, y, 100, rows)
    total, largest = torch.zeros(100), torch.full((100,), float("-inf"))
    for i in range(rows):
        total = total + x[i] * (largest > 0)
        largest = torch.maximum(largest, x[i])
    assert torch.equal(y, torch.stack([total, largest]))


@triton.jit
def swap_kernel(y_ptr, steps, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    a = offs.to(tl.float32)
    b = (offs * 2).to(tl.float32)
    for _ in range(steps):
        t = a
        a = b + tl.sum(a, 0)
        b = t
    tl.store(y_ptr + offs, a)
    tl.store(y_ptr + BLOCK + offs, b)


def test_carried_tensors_change_at_once():
    y = torch.zeros(2, 64)
    compile_kernel(swap_kernel, {"y_ptr": "*fp32", "steps": "i32"}, BLOCK=64).run((1,), y, 3)
    a, b = torch.arange(64.0), torch.arange(64.0) * 2
    for _ in range(3):
        a, b = b + a.sum(), a
    assert torch.equal(y, torch.stack([a, b]))


@triton.jit
def branch_kernel(x_ptr, y_ptr, n, limit, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    if pid >= limit:
        return
    offs = pid * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n, other=0.0)
    i = 0
    while i < pid + 1:
        if i % 2 == 0:
            x = x + 1
        else:
            x = x * 2
        i += 1
    tl.store(y_ptr + offs, x, mask=offs < n)


def test_return_while_and_if():
    x = torch.randn(500)
    y = torch.full((500,), -7.0)
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "limit": "i32"}
    compile_kernel(branch_kernel, signature, BLOCK=128).run((4,), x, y, 500, 3)
    expected = torch.full((500,), -7.0)
    for pid in range(3):
        part = x[pid * 128 : pid * 128 + 128]
        for i in range(pid + 1):
            part = part + 1 if i % 2 == 0 else part * 2
        expected[pid * 128 : pid * 128 + 128] = part
    assert torch.equal(y, expected)


@triton.jit
def matmul_kernel(
    a_ptr, b_ptr, c_ptr, M, N, K,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, TRANSPOSED: tl.constexpr,
):  # fmt: skip
    rm = tl.program_id(0) * BM + tl.arange(0, BM)
    rn = tl.program_id(1) * BN + tl.arange(0, BN)
    rk = tl.arange(0, BK)
    a = a_ptr + rm[:, None] * K + rk[None, :]
    if TRANSPOSED:
        b = b_ptr + rk[:, None] + rn[None, :] * K
    else:
        b = b_ptr + rk[:, None] * N + rn[None, :]
    acc = tl.zeros((BM, BN), tl.float32)
    for k in range(0, K, BK):
        x = tl.load(a, mask=(rm < M)[:, None] & (k + rk < K)[None, :], other=0.0)
        y = tl.load(b, mask=(k + rk < K)[:, None] & (rn < N)[None, :], other=0.0)
        acc = tl.dot(x, y, acc, input_precision="ieee")
        a += BK
        b += BK if TRANSPOSED else BK * N
    mask = (rm < M)[:, None] & (rn < N)[None, :]
    tl.store(c_ptr + rm[:, None] * N + rn[None, :], acc.to(c_ptr.dtype.element_ty), mask=mask)


@pytest.mark.parametrize("kind", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (32, 32, 32), (100, 77, 93)])
@pytest.mark.parametrize("transposed", [False, True])
def test_matrix_product(kind, shape, transposed):
    m, n, k = shape
    a, b = guarded(random_tensor(kind, m, k)), guarded(random_tensor(kind, k, n))
    stored = guarded(b.t().contiguous()) if transposed else b
    c = guarded(torch.zeros(m, n))
    signature = {
        "a_ptr": "*" + kind,
        "b_ptr": "*" + kind,
        "c_ptr": "*fp32",
        "M": "i32",
        "N": "i32",
        "K": "i32",
    }
    kernel = compile_kernel(matmul_kernel, signature, BM=32, BN=32, BK=16, TRANSPOSED=transposed)
    kernel.run((triton.cdiv(m, 32), triton.cdiv(n, 32)), a, stored, c, m, n, k)
    torch.testing.assert_close(c, a.float() @ b.float(), rtol=1e-4, atol=1e-4)


@triton.jit
def attention_kernel(q_ptr, k_ptr, v_ptr, o_ptr, n, BLOCK: tl.constexpr, D: tl.constexpr):
    r = tl.arange(0, BLOCK)
    d = tl.arange(0, D)
    rows = tl.program_id(0) * BLOCK + r
    q = tl.load(q_ptr + rows[:, None] * D + d[None, :], mask=rows[:, None] < n, other=0.0)
    m = tl.full((BLOCK,), float("-inf"), tl.float32)
    l = tl.zeros((BLOCK,), tl.float32)  # noqa: E741
    acc = tl.zeros((BLOCK, D), tl.float32)
    for start in range(0, n, BLOCK):
        columns = start + r
        k = tl.load(k_ptr + columns[None, :] * D + d[:, None], mask=columns[None, :] < n, other=0.0)
        v = tl.load(v_ptr + columns[:, None] * D + d[None, :], mask=columns[:, None] < n, other=0.0)
        s = tl.dot(q, k) * 0.25
        s = tl.where(columns[None, :] < n, s, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, 1))
        alpha = tl.exp(m - m_new)
        p = tl.exp(s - m_new[:, None])
        l = l * alpha + tl.sum(p, 1)  # noqa: E741
        acc = tl.dot(p.to(v.dtype), v, acc * alpha[:, None])
        m = m_new
    tl.store(o_ptr + rows[:, None] * D + d[None, :], acc / l[:, None], mask=rows[:, None] < n)


@pytest.mark.parametrize("n", [16, 50])
def test_flash_attention(n):
    q, k, v = torch.randn(n, 16), torch.randn(n, 16), torch.randn(n, 16)
    o = guarded(torch.zeros(n, 16))
    signature = {"q_ptr": "*fp32", "k_ptr": "*fp32", "v_ptr": "*fp32", "o_ptr": "*fp32", "n": "i32"}
    compile_kernel(attention_kernel, signature, BLOCK=16, D=16).run(
        (triton.cdiv(n, 16),), q, k, v, o, n
    )
    torch.testing.assert_close(o, torch.softmax(q @ k.t() * 0.25, 1) @ v, rtol=1e-4, atol=1e-5)


@triton.jit
def transpose_kernel(x_ptr, y_ptr, m, n, BLOCK: tl.constexpr):
    r = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    c = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + r[:, None] * n + c[None, :], mask=(r < m)[:, None] & (c < n)[None, :])
    tl.store(
        y_ptr + c[:, None] * m + r[None, :], tl.trans(x), mask=(c < n)[:, None] & (r < m)[None, :]
    )


def test_transpose():
    x, y = guarded(torch.randn(70, 45)), guarded(torch.zeros(45, 70))
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "m": "i32", "n": "i32"}
    compile_kernel(transpose_kernel, signature, BLOCK=32).run((3, 2), x, y, 70, 45)
    assert torch.equal(y, x.t())


@triton.jit
def _add(a, b):
    return a + b


@triton.jit
def scan_kernel(
    x_ptr, y_ptr, AXIS: tl.constexpr, REVERSE: tl.constexpr, R: tl.constexpr, C: tl.constexpr
):
    offs = tl.arange(0, R)[:, None] * C + tl.arange(0, C)[None, :]
    x = tl.load(x_ptr + offs)
    tl.store(y_ptr + offs, tl.associative_scan(x, AXIS, _add, reverse=REVERSE))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan(axis, reverse):
    x = torch.randint(-9, 9, (8, 32), dtype=torch.int32)
    y = torch.zeros_like(x)
    compile_kernel(
        scan_kernel, {"x_ptr": "*i32", "y_ptr": "*i32"}, AXIS=axis, REVERSE=reverse, R=8, C=32
    ).run((1,), x, y)
    expected = x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis)
    assert torch.equal(y, expected.int())


@triton.jit
def gather_kernel(x_ptr, index_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    index = tl.load(index_ptr + offs, mask=mask, other=0)
    tl.store(y_ptr + offs, tl.load(x_ptr + index, mask=mask & (index >= 0), other=-1.0), mask=mask)


def test_gather():
    x = guarded(torch.randn(50))
    index = torch.randint(-2, 50, (300,))
    y = guarded(torch.zeros(300))
    signature = {"x_ptr": "*fp32", "index_ptr": "*i64", "y_ptr": "*fp32", "n": "i32"}
    compile_kernel(gather_kernel, signature, BLOCK=128).run((3,), x, index, y, 300)
    assert torch.equal(y, torch.where(index >= 0, x[index.clamp(min=0)], -1.0))


@triton.jit
def atomic_kernel(index_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    one = tl.full((BLOCK,), 1, y_ptr.dtype.element_ty)
    tl.atomic_add(y_ptr + tl.load(index_ptr + offs, mask=mask, other=0), one, mask=mask)


@pytest.mark.parametrize("kind", ["fp32", "fp16", "bf16", "fp64", "i32"])
def test_atomic_add(kind):
    index = torch.randint(0, 10, (300,))
    y = torch.zeros(10, dtype=TYPES[kind])
    signature = {"index_ptr": "*i64", "y_ptr": "*" + kind, "n": "i32"}
    compile_kernel(atomic_kernel, signature, BLOCK=128).run((3,), index, y, 300)
    assert torch.equal(y, torch.bincount(index, minlength=10).to(TYPES[kind]))


@triton.jit
def flip_kernel(x_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask)
    tl.store(x_ptr + (n - 1 - offs), x, mask=mask)


def test_flip_in_place_loads_the_tile_first():
    x = torch.randn(200)
    y = x.clone()
    compile_kernel(flip_kernel, {"x_ptr": "*fp32", "n": "i32"}, BLOCK=256).run((1,), y, 200)
    assert torch.equal(y, x.flip(0))


@triton.jit
def in_place_kernel(x_ptr, mean_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / n
    tl.store(x_ptr + offs, x - mean, mask=mask)
    tl.store(mean_ptr, tl.sum(x * x, 0))


def test_a_load_is_not_repeated_behind_a_store():
    x = torch.randn(200)
    y, out = x.clone(), torch.zeros(1)
    compile_kernel(
        in_place_kernel, {"x_ptr": "*fp32", "mean_ptr": "*fp32", "n": "i32"}, BLOCK=256
    ).run((1,), y, out, 200)
    torch.testing.assert_close(y, x - x.mean())
    torch.testing.assert_close(out[0], (x * x).sum())


@triton.jit
def regroup_kernel(x_ptr, y_ptr, z_ptr, N: tl.constexpr):
    offs = tl.arange(0, N)
    x = tl.load(x_ptr + offs)
    y = tl.load(y_ptr + offs)
    both = tl.join(x, y)
    a, b = tl.split(both)
    flat = tl.reshape(both, (2 * N,))
    tl.store(z_ptr + tl.arange(0, 2 * N), flat)
    tl.store(z_ptr + 2 * N + offs, a - b)
    tl.store(z_ptr + 3 * N + tl.arange(0, 2 * N), tl.cat(x, y, can_reorder=True))


def test_join_split_reshape_cat():
    x, y, z = torch.randn(64), torch.randn(64), torch.zeros(5 * 64)
    compile_kernel(
        regroup_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "z_ptr": "*fp32"}, N=64
    ).run((1,), x, y, z)
    assert torch.equal(z, torch.cat([torch.stack([x, y], 1).reshape(-1), x - y, x, y]))


@triton.jit
def random_kernel(y_ptr, seed, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    tl.store(y_ptr + offs, tl.rand(seed, offs))


def test_random_numbers_are_uniform():
    y = torch.zeros(4096)
    compile_kernel(random_kernel, {"y_ptr": "*fp32", "seed": "i64"}, BLOCK=4096).run((1,), y, 42)
    assert 0.48 < y.mean() < 0.52 and 0.28 < y.std() < 0.30 and y.min() >= 0 and y.max() < 1


@triton.jit
def sort_kernel(x_ptr, y_ptr, N: tl.constexpr):
    offs = tl.arange(0, N)
    tl.store(y_ptr + offs, tl.sort(tl.load(x_ptr + offs)))


def test_sort():
    x, y = torch.randn(128), torch.zeros(128)
    compile_kernel(sort_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32"}, N=128).run((1,), x, y)
    assert torch.equal(y, x.sort().values)


@triton.jit
def table_kernel(table_ptr, n, BLOCK: tl.constexpr):
    x_ptr = tl.load(table_ptr + tl.program_id(0)).to(tl.pointer_type(tl.float32))
    offs = tl.arange(0, BLOCK)
    tl.store(x_ptr + offs, tl.load(x_ptr + offs, mask=offs < n) + 1, mask=offs < n)


def test_pointers_from_a_table():
    tensors = [torch.zeros(100), torch.ones(100)]
    table = torch.tensor([t.data_ptr() for t in tensors])
    compile_kernel(table_kernel, {"table_ptr": "*i64", "n": "i32"}, BLOCK=128).run((2,), table, 100)
    assert torch.equal(tensors[0], torch.ones(100)) and torch.equal(
        tensors[1], torch.full((100,), 2.0)
    )


@triton.jit
def unsupported_kernel(x_ptr, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs)
    y = tl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [x], tl.float32, is_pure=True, pack=1)
    tl.store(x_ptr + offs, y)


def test_an_unsupported_operation_names_its_source_line():
    with pytest.raises(
        CompileError, match=r'kernel "unsupported".*test_codegen_tiles\.py:\d+:\d+.*inline assembly'
    ):
        compile_ttir(
            make_ttir(unsupported_kernel, {"x_ptr": "*fp32"}, BLOCK=16), kernel="unsupported"
        )


@triton.jit
def program_number_kernel(out_ptr):
    x = tl.program_id(0)
    y = tl.program_id(1)
    z = tl.program_id(2)
    program = x + tl.num_programs(0) * (y + tl.num_programs(1) * z)
    tl.store(out_ptr + program, x + 100 * y + 10000 * z)


def test_program_indices():
    """Threads run ranges of programs, which start anywhere in the grid."""
    kernel = compile_kernel(program_number_kernel, {"out_ptr": "*i32"})
    for x, y, z in [(3, 5, 4), (1, 1, 7), (1, 9, 2), (8, 1, 1)]:
        out = torch.full((x * y * z,), -1, dtype=torch.int32)
        kernel.run((x, y, z), out)
        expected = [i + 100 * j + 10000 * k for k in range(z) for j in range(y) for i in range(x)]
        assert out.tolist() == expected


@triton.jit
def carried_tile_kernel(x_ptr, out_ptr, n, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Two tiles carried by a loop, exchanged in every iteration; masks on some chunks only."""
    rows = tl.arange(0, ROWS)[:, None]
    columns = tl.arange(0, BLOCK)[None, :]
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    last = tl.full((ROWS, BLOCK), -1.0, tl.float32)
    for start in range(0, n, BLOCK):
        offsets = start + columns
        x = tl.load(x_ptr + rows * n + offsets, mask=offsets < n, other=7.0)
        total, last = last + x, total
    tl.store(out_ptr + rows * BLOCK + columns, total - last)


@pytest.mark.parametrize("rows, block", [(1, 128), (2, 128), (4, 16), (8, 64)])
@pytest.mark.parametrize("n", [1, 70, 128, 300, 640])
def test_carried_tiles(rows, block, n):
    """In registers (the first three) and in scratch memory (the last)."""
    kernel = compile_kernel(
        carried_tile_kernel, {"x_ptr": "*fp32", "out_ptr": "*fp32", "n": "i32"},
        ROWS=rows, BLOCK=block,
    )  # fmt: skip
    x = guarded(torch.randn(rows, n))
    out = guarded(torch.zeros(rows, block))
    kernel.run((1,), x, out, n)
    total, last = torch.zeros(rows, block), torch.full((rows, block), -1.0)
    for start in range(0, n, block):
        chunk = torch.full((rows, block), 7.0)
        width = min(block, n - start)
        chunk[:, :width] = x[:, start : start + width]
        total, last = last + chunk, total
    assert torch.equal(out, total - last)


@triton.jit
def round_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n)
    tl.store(y_ptr + offs, x.to(y_ptr.dtype.element_ty), mask=offs < n)


@pytest.mark.parametrize("block", [1, 16, 256])
def test_bf16_rounding_of_all_kinds_of_numbers(block):
    """Ties, overflow, denormals, infinities and NaN, in vectors of any width."""
    kernel = compile_kernel(
        round_kernel, {"x_ptr": "*fp32", "y_ptr": "*bf16", "n": "i32"}, BLOCK=block
    )
    upper = torch.arange(0, 1 << 16, 37, dtype=torch.int32)
    lower = torch.tensor([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=torch.int32)
    x = ((upper[:, None] << 16) | lower).reshape(-1).view(torch.float32)
    y = torch.zeros(x.numel(), dtype=torch.bfloat16)
    kernel.run((triton.cdiv(x.numel(), block),), x, y, x.numel())
    is_nan = torch.isnan(x)
    assert torch.equal(torch.isnan(y), is_nan)
    assert torch.equal(y[~is_nan].view(torch.int16), x[~is_nan].bfloat16().view(torch.int16))


@triton.jit
def shared_offsets_kernel(x_ptr, y_ptr, width, stride, n, N: tl.constexpr):
    lanes = tl.arange(0, N)
    first = lanes // width * stride + lanes % width
    column = tl.load(x_ptr + first * 2)
    row = tl.expand_dims(first, 0)
    total = tl.zeros((1, N), tl.float32)
    for i in range(n):
        total += tl.load(x_ptr + row + i) * tl.expand_dims(column, 0)
    tl.store(y_ptr + tl.expand_dims(lanes, 0), total)


# Two nests of different shapes are put just before the loop, and both read `first`. Which of them
# computed it once followed the addresses of their descriptions in the heap.
def test_nests_that_share_a_value_have_one_order():
    x, y = torch.randn(300), torch.zeros(64)
    pointers = {"x_ptr": "*fp32", "y_ptr": "*fp32"}
    signature = pointers | {"width": "i32", "stride": "i32", "n": "i32"}
    ttir = make_ttir(shared_offsets_kernel, signature, N=64)
    assert len({compile_ttir(ttir)[0] for _ in range(50)}) == 1
    compile_kernel(shared_offsets_kernel, signature, N=64).run((1,), x, y, 10, 20, 3)
    lanes = torch.arange(64)
    first = lanes // 10 * 20 + lanes % 10
    expected = (x[first] + x[first + 1] + x[first + 2]) * x[first * 2]
    torch.testing.assert_close(y, expected)


@triton.jit
def load_between_stores_kernel(x_ptr, y_ptr, z_ptr, sum_ptr, N: tl.constexpr):
    lanes = tl.arange(0, N)
    y = tl.load(y_ptr + lanes)
    tl.store(x_ptr + lanes, y)
    x = tl.load(x_ptr + lanes)
    tl.store(z_ptr + lanes, y * 2)
    tl.store(sum_ptr, tl.sum(x, 0))


@pytest.mark.parametrize("in_place", [False, True])
def test_a_load_between_two_stores_sees_the_first_only(in_place):
    x, y = torch.zeros(64), torch.arange(64.0)
    z, total = x if in_place else torch.zeros(64), torch.zeros(1)
    signature = dict.fromkeys(("x_ptr", "y_ptr", "z_ptr", "sum_ptr"), "*fp32")
    compile_kernel(load_between_stores_kernel, signature, N=64).run((1,), x, y, z, total)
    assert total.item() == y.sum()
    assert torch.equal(z, y * 2)


@triton.jit
def load_for_another_block_kernel(x_ptr, y_ptr, z_ptr, n, R: tl.constexpr, C: tl.constexpr):
    lanes = tl.arange(0, R * C)
    rows = tl.arange(0, R)[:, None]
    columns = tl.arange(0, C)[None, :]
    tl.store(x_ptr + rows * C + columns, (rows + columns).to(tl.float32))
    x = tl.load(x_ptr + lanes)
    total = tl.sum(tl.sum(tl.exp(-columns.to(tl.float32)) + rows, 1), 0)
    tl.store(z_ptr, total)
    if n > 3:
        return
    tl.store(y_ptr + lanes, x * 2)


def test_a_load_for_another_block_stays_behind_the_store():
    x, y, z = torch.full((128,), -7.0), torch.zeros(128), torch.zeros(1)
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "z_ptr": "*fp32", "n": "i32"}
    compile_kernel(load_for_another_block_kernel, signature, R=4, C=32).run((1,), x, y, z, 0)
    assert torch.equal(y, 2.0 * (torch.arange(4)[:, None] + torch.arange(32)).flatten())


@triton.jit
def uniform_mask_kernel(flag_ptr, y_ptr, z_ptr, N: tl.constexpr):
    lanes = tl.arange(0, N)
    flag = tl.load(flag_ptr + tl.zeros((N,), tl.int32))
    tl.store(y_ptr + tl.expand_dims(lanes, 0), tl.expand_dims(lanes.to(tl.float32), 0))
    tl.store(z_ptr + lanes, lanes.to(tl.float32), mask=flag != 0)


# The store before has the flags kept in a buffer, but they still bound the loop behind it.
@pytest.mark.parametrize("flag", [0, 1])
def test_one_address_loaded_by_all_lanes_is_a_mask(flag):
    flags = torch.tensor([flag], dtype=torch.int32)
    y, z = torch.zeros(128), torch.zeros(128)
    signature = {"flag_ptr": "*i32", "y_ptr": "*fp32", "z_ptr": "*fp32"}
    compile_kernel(uniform_mask_kernel, signature, N=128).run((1,), flags, y, z)
    assert torch.equal(y, torch.arange(128.0))
    assert torch.equal(z, y * flag)
