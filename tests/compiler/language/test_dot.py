# SPDX-License-Identifier: Apache-2.0
"""tl.dot: operand and accumulator types, batches, every input precision."""

import pytest
import torch
import triton
import triton.language as tl


@triton.jit
def product(
    a_ptr, b_ptr, c_ptr, steps,
    M: tl.constexpr, N: tl.constexpr, K: tl.constexpr, OUT: tl.constexpr, PRECISION: tl.constexpr,
):  # fmt: skip
    m, n, k = tl.arange(0, M), tl.arange(0, N), tl.arange(0, K)
    acc = tl.zeros((M, N), OUT)
    for step in range(steps):
        a = tl.load(a_ptr + step * M * K + m[:, None] * K + k[None, :])
        b = tl.load(b_ptr + step * K * N + k[:, None] * N + n[None, :])
        acc = tl.dot(a, b, acc, input_precision=PRECISION, out_dtype=OUT)
    tl.store(c_ptr + m[:, None] * N + n[None, :], acc)


def run(a, b, out, triton_out, precision=None, steps=2):
    m, k, n = a.shape[1], a.shape[2], b.shape[2]
    c = torch.empty(m, n, dtype=out)
    product[(1,)](a, b, c, steps, m, n, k, triton_out, precision)
    return c


@pytest.mark.parametrize("shape", [(16, 16, 16), (32, 8, 64), (1, 4, 2)])
def test_int8(shape):
    m, n, k = shape
    a = torch.randint(-128, 128, (2, m, k), dtype=torch.int8)
    b = torch.randint(-128, 128, (2, k, n), dtype=torch.int8)
    expected = (a.long() @ b.long()).sum(0).int()
    assert torch.equal(run(a, b, torch.int32, tl.int32), expected)


@pytest.mark.parametrize("shape", [(16, 16, 16), (32, 8, 64), (1, 1, 4)])
def test_float64(shape):
    m, n, k = shape
    a, b = torch.randn(2, m, k).double(), torch.randn(2, k, n).double()
    torch.testing.assert_close(run(a, b, torch.float64, tl.float64), (a @ b).sum(0))


def test_an_f16_accumulator_is_rounded_after_every_product():
    a, b = torch.randn(2, 16, 32).half(), torch.randn(2, 32, 16).half()
    expected = torch.zeros(16, 16)
    for step in range(2):
        expected = (expected + a[step].float() @ b[step].float()).half().float()
    torch.testing.assert_close(
        run(a, b, torch.float16, tl.float16).float(), expected, rtol=1e-3, atol=4e-3
    )


@pytest.mark.parametrize("precision", ["ieee", "tf32", "tf32x3", "bf16x3", "bf16x6"])
def test_every_input_precision_gives_at_least_its_own(precision):
    a, b = torch.randn(2, 32, 32), torch.randn(2, 32, 32)
    torch.testing.assert_close(run(a, b, torch.float32, tl.float32, precision), (a @ b).sum(0))


@triton.jit
def overwritten(a_ptr, b_ptr, c_ptr, N: tl.constexpr):
    tile = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    a, b = tl.load(a_ptr + tile), tl.load(b_ptr + tile)
    tl.store(a_ptr + tile, tl.zeros((N, N), a.dtype))
    tl.store(b_ptr + tile, tl.zeros((N, N), b.dtype))
    tl.store(c_ptr + tile, tl.dot(a, b, input_precision="ieee"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_operands_are_what_was_loaded_not_what_was_stored_since(dtype):
    a, b, c = torch.randn(32, 32).to(dtype), torch.randn(32, 32).to(dtype), torch.empty(32, 32)
    expected = a.float() @ b.float()
    overwritten[(1,)](a, b, c, 32)
    torch.testing.assert_close(c, expected)
    assert not a.any() and not b.any()


@triton.jit
def edge(
    a_ptr, b_ptr, c_ptr, m, n, k,
    N: tl.constexpr, K: tl.constexpr, MASKED: tl.constexpr, OTHER: tl.constexpr,
):  # fmt: skip
    rows, columns = tl.arange(0, N)[:, None], tl.arange(0, N)[None, :]
    acc = tl.zeros((N, N), tl.float32)
    for start in range(0, k, K):
        step, down = start + tl.arange(0, K)[None, :], start + tl.arange(0, K)[:, None]
        a = tl.load(a_ptr + rows * k + step, mask=(rows < m) & (step < k), other=OTHER)
        b = tl.load(b_ptr + down * n + columns, mask=(down < k) & (columns < n), other=OTHER)
        acc = tl.dot(a, b, acc, input_precision="ieee")
    tl.store(c_ptr + rows * N + columns, acc, mask=(rows < m) & (columns < n) if MASKED else None)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [(64, 64, 64), (1, 1, 1), (5, 17, 31), (60, 33, 50), (7, 64, 9)])
@pytest.mark.parametrize("other", [0.0, 1.0])
def test_edges_of_matrices_are_stored_as_loaded(dtype, size, other):
    m, n, k = size
    a, b = torch.randn(m, k).to(dtype), torch.randn(k, n).to(dtype)
    whole_a, whole_b = torch.full((64, 64), other), torch.full((64, 64), other)
    whole_a[:m, :k], whole_b[:k, :n] = a, b
    depth = -(-k // 16) * 16  # What the loop runs over.
    expected = whole_a[:, :depth] @ whole_b[:depth]
    for masked in (True, False):
        c = torch.full((64, 64), 7.0)
        edge[(1,)](a, b, c, m, n, k, 64, 16, masked, other)
        if masked:
            assert (c[m:] == 7).all() and (c[:, n:] == 7).all()
        rows, columns = (m, n) if masked else (64, 64)
        torch.testing.assert_close(c[:rows, :columns], expected[:rows, :columns])


def test_rows_of_zeros_times_infinity_are_not_left_out():
    a, b, c = torch.ones(3, 16), torch.full((16, 64), float("inf")), torch.zeros(64, 64)
    edge[(1,)](a, b, c, 3, 64, 16, 64, 16, False, 0.0)
    assert torch.isinf(c[:3]).all() and torch.isnan(c[3:]).all()


@triton.jit
def batched(a_ptr, b_ptr, c_ptr, B: tl.constexpr, N: tl.constexpr):
    i, j = tl.arange(0, B)[:, None, None] * N * N, tl.arange(0, N)
    tile = i + j[None, :, None] * N + j[None, None, :]
    tl.store(c_ptr + tile, tl.dot(tl.load(a_ptr + tile), tl.load(b_ptr + tile)))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_batches(dtype):
    a, b = torch.randn(4, 16, 16).to(dtype), torch.randn(4, 16, 16).to(dtype)
    out = torch.float64 if dtype == torch.float64 else torch.float32
    c = torch.empty(4, 16, 16, dtype=out)
    batched[(1,)](a, b, c, 4, 16)
    torch.testing.assert_close(c, a.to(out) @ b.to(out))


@triton.jit
def reused(a_ptr, c_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tile = i[:, None] * N + i[None, :]
    a = tl.load(a_ptr + tile)
    square = tl.dot(a, a, out_dtype=tl.float16)
    cube = tl.dot(tl.trans(square), a)
    tl.store(c_ptr + tile, cube + tl.sum(square, 0)[None, :].to(tl.float32))


def test_a_product_that_several_operations_read():
    a = torch.randn(16, 16).half() / 4
    c = torch.empty(16, 16)
    reused[(1,)](a, c, 16)
    square = (a.float() @ a.float()).half()
    expected = square.float().t() @ a.float() + square.float().sum(0)
    torch.testing.assert_close(c, expected, rtol=1e-2, atol=1e-2)
