# SPDX-License-Identifier: Apache-2.0
"""Operations that move elements: gather, histogram, join, split, cat, trans, sort and the like."""

import pytest
import torch
import triton
import triton.language as tl

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.int8, torch.int64, torch.bool]


def values(dtype, *shape):
    if dtype.is_floating_point:
        return torch.randn(*shape).to(dtype)
    return torch.randint(0, 2 if dtype == torch.bool else 100, shape).to(dtype)


@triton.jit
def gather(x_ptr, i_ptr, y_ptr, R: tl.constexpr, C: tl.constexpr, AXIS: tl.constexpr):
    tile = tl.arange(0, R)[:, None] * C + tl.arange(0, C)[None, :]
    y = tl.gather(tl.load(x_ptr + tile), tl.load(i_ptr + tile), AXIS)
    tl.store(y_ptr + tile, y)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("axis", [0, 1])
def test_gather(dtype, axis):
    x = values(dtype, 8, 32)
    i = torch.randint(0, x.shape[axis], (8, 32), dtype=torch.int32)
    y = torch.empty_like(x)
    gather[(1,)](x, i, y, 8, 32, axis)
    assert torch.equal(y, x.gather(axis, i.long()))


@triton.jit
def gather_computed(x_ptr, y_ptr, N: tl.constexpr, M: tl.constexpr):
    x = tl.cumsum(tl.load(x_ptr + tl.arange(0, N)), 0)
    i = (tl.arange(0, M) * 7 + 3) % N
    tl.store(y_ptr + tl.arange(0, M), tl.gather(tl.exp(x), i.to(tl.int8), 0) + x_ptr.dtype.is_ptr())


def test_gather_of_computed_tiles_with_narrow_indices():
    x, y = torch.randn(16), torch.empty(128)
    gather_computed[(1,)](x, y, 16, 128)
    expected = x.cumsum(0).exp()[(torch.arange(128) * 7 + 3) % 16] + 1
    torch.testing.assert_close(y, expected)


@triton.jit
def histogram(x_ptr, y_ptr, n, BLOCK: tl.constexpr, BINS: tl.constexpr, MASKED: tl.constexpr):
    i = tl.arange(0, BLOCK)
    total = tl.zeros((BINS,), tl.int32)
    for start in range(0, n, BLOCK):
        inside = start + i < n
        x = tl.load(x_ptr + start + i, inside, -1)
        if MASKED:
            total += tl.histogram(x, BINS, mask=inside & (x % 2 == 0))
        else:
            total += tl.histogram(x, BINS)
    tl.store(y_ptr + tl.arange(0, BINS), total)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, torch.uint8])
def test_histogram(dtype, masked):
    if dtype == torch.uint8 and not masked:
        x = torch.randint(0, 8, (512,)).to(dtype)
    else:
        x = torch.randint(0, 8, (300,)).to(dtype)
    y = torch.empty(8, dtype=torch.int32)
    histogram[(1,)](x, y, x.numel(), 128, 8, masked)
    counted = x[x % 2 == 0] if masked else x
    assert torch.equal(y, torch.bincount(counted.long(), minlength=8).int())


@triton.jit
def regroup(x_ptr, y_ptr, z_ptr, R: tl.constexpr, C: tl.constexpr):
    tile = tl.arange(0, R)[:, None] * C + tl.arange(0, C)[None, :]
    x, y = tl.load(x_ptr + tile), tl.load(y_ptr + tile)
    size: tl.constexpr = R * C
    flat = tl.arange(0, 2 * size)
    tl.store(z_ptr + flat, tl.interleave(x, y).reshape(2 * size))
    tl.store(z_ptr + 2 * size + flat, tl.ravel(tl.permute(tl.join(x, y), (2, 1, 0))))
    a, b = tl.split(tl.reshape(tl.trans(x), (R, C // 2, 2)))
    both = tl.cat(tl.ravel(a), tl.ravel(b), can_reorder=True)
    tl.store(z_ptr + 4 * size + flat, both[None, :].broadcast_to(2, size).ravel())
    tl.store(z_ptr + 6 * size + tile, tl.flip(x, 1))
    tl.store(z_ptr + 7 * size + tile, tl.flip(x, 0))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_regrouping(dtype):
    r, c = 4, 16
    x, y = values(dtype, r, c), values(dtype, r, c)
    z = torch.empty(8 * r * c, dtype=dtype)
    regroup[(1,)](x, y, z, r, c)
    pairs = x.t().reshape(r, c // 2, 2)
    halves = torch.cat([pairs[..., 0].reshape(-1), pairs[..., 1].reshape(-1)])
    expected = [
        torch.stack([x, y], 2).reshape(-1),
        torch.stack([x, y], 2).permute(2, 1, 0).reshape(-1),
        halves,
        halves,
        x.flip(1).reshape(-1),
        x.flip(0).reshape(-1),
    ]
    assert torch.equal(z, torch.cat(expected))


@triton.jit
def sorted_rows(x_ptr, y_ptr, R: tl.constexpr, C: tl.constexpr, K: tl.constexpr):
    r, c, k = tl.arange(0, R)[:, None], tl.arange(0, C)[None, :], tl.arange(0, K)[None, :]
    x = tl.load(x_ptr + r * C + c)
    tl.store(y_ptr + r * C + c, tl.sort(x))
    tl.store(y_ptr + R * C + r * C + c, tl.sort(x, descending=True))
    tl.store(y_ptr + 2 * R * C + r * K + k, tl.topk(x, K))


@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.bfloat16, torch.int32, torch.uint8], ids=str
)
def test_sort_and_topk(dtype):
    x = values(dtype, 4, 32)
    y = torch.empty(2 * 4 * 32 + 4 * 8, dtype=dtype)
    sorted_rows[(1,)](x, y, 4, 32, 8)
    ascending = x.sort(1).values
    expected = [ascending, ascending.flip(1), ascending.flip(1)[:, :8]]
    assert torch.equal(y, torch.cat([part.reshape(-1) for part in expected]))


@triton.jit
def swizzled(y_ptr, R: tl.constexpr, C: tl.constexpr):
    i, j = tl.arange(0, R)[:, None], tl.arange(0, C)[None, :]
    a, b = tl.swizzle2d(i, j, R, C, 2)
    tl.store(y_ptr + a * C + b, i * C + j)
    three = tl.full((R, 1, C), 3, tl.int32).trans(2, 0, 1)
    tl.store(
        y_ptr + R * C + tl.arange(0, C)[:, None] * R + tl.arange(0, R)[None, :], three.reshape(C, R)
    )


def test_swizzle_and_higher_ranks():
    y = torch.empty(2 * 4 * 8, dtype=torch.int32)
    swizzled[(1,)](y, 4, 8)
    assert sorted(y[:32].tolist()) == list(range(32)) and y[32:].eq(3).all()
    # Columns of two rows go down first.
    assert y[:4].tolist() == [0, 2, 4, 6]
