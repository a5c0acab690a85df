# SPDX-License-Identifier: Apache-2.0
"""tl.sum, max, argmax and kin with their tie rules, xor, or; scans, of several operands too."""

import pytest
import torch
import triton
import triton.language as tl

DTYPES = [torch.float32, torch.float16, torch.bfloat16, torch.float64, torch.int32, torch.int8,
          torch.int64, torch.uint8]  # fmt: skip
R, C = 8, 64


def values(dtype):
    if dtype.is_floating_point:
        return torch.randint(-8, 8, (R, C)).to(dtype)
    return torch.randint(0 if dtype == torch.uint8 else -8, 8, (R, C)).to(dtype)


@triton.jit
def reductions(x_ptr, o_ptr, i_ptr, R: tl.constexpr, C: tl.constexpr):
    r = tl.arange(0, R)
    x = tl.load(x_ptr + r[:, None] * C + tl.arange(0, C)[None, :])
    tl.store(o_ptr + r, tl.max(x, 1))
    tl.store(o_ptr + R + r, tl.min(x, 1))
    largest, at = tl.max(x, 1, return_indices=True)
    tl.store(o_ptr + 2 * R + r, largest)
    tl.store(i_ptr + r, at)
    smallest, at = tl.min(x, 1, return_indices=True, return_indices_tie_break_left=False)
    tl.store(o_ptr + 3 * R + r, smallest)
    tl.store(i_ptr + R + r, x_at(x, at, C))
    tl.store(i_ptr + 2 * R + r, tl.argmax(x, 1, tie_break_left=True))
    tl.store(i_ptr + 3 * R + r, tl.argmin(x, 1))
    tl.store(i_ptr + 4 * R + r, tl.sum(x, 1).to(tl.int32))
    tl.store(i_ptr + 5 * R, tl.sum(x.to(tl.int32), axis=None))
    tl.store(i_ptr + 5 * R + 1, tl.sum(tl.max(x, 0, keep_dims=True).to(tl.int32)))


@triton.jit
def x_at(x, at, C: tl.constexpr):
    """The element of each row at an index, as an integer."""
    return tl.sum(tl.where(tl.arange(0, C)[None, :] == at[:, None], x.to(tl.int32), 0), 1)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_extrema_and_sums(dtype):
    x = values(dtype)
    o, i = torch.empty(4 * R, dtype=dtype), torch.empty(5 * R + 2, dtype=torch.int32)
    reductions[(1,)](x, o, i, R, C)
    whole = x.long()
    largest, smallest = whole.amax(1), whole.amin(1)
    assert o.long().view(4, R).tolist() == [
        largest.tolist(), smallest.tolist(), largest.tolist(), smallest.tolist()
    ]  # fmt: skip
    first_of = lambda row, v: row.tolist().index(v)  # noqa: E731
    firsts = [first_of(row, v) for row, v in zip(whole, largest.tolist(), strict=True)]
    lasts = [first_of(row, v) for row, v in zip(whole, smallest.tolist(), strict=True)]
    assert i[:R].tolist() == firsts and i[2 * R : 3 * R].tolist() == firsts
    assert i[R : 2 * R].tolist() == smallest.tolist() and i[3 * R : 4 * R].tolist() == lasts
    assert i[4 * R : 5 * R].tolist() == whole.sum(1).tolist()
    assert i[5 * R :].tolist() == [whole.sum().item(), whole.amax(0).sum().item()]


@triton.jit
def special(x_ptr, o_ptr, i_ptr, C: tl.constexpr):
    c = tl.arange(0, C)
    x = tl.load(x_ptr + c)
    tl.store(o_ptr, tl.max(x, 0))
    tl.store(o_ptr + 1, tl.min(x, 0))
    tl.store(i_ptr, tl.argmax(x, 0))
    tl.store(i_ptr + 1, tl.argmin(x, 0))


def test_equal_values_and_infinities():
    x = torch.full((C,), float("-inf"))
    o, i = torch.empty(2), torch.empty(2, dtype=torch.int32)
    special[(1,)](x, o, i, C)
    assert o.tolist() == [float("-inf")] * 2 and i.tolist() == [0, 0]
    x[5], x[40], x[41] = 3, 3, float("-inf")
    special[(1,)](x, o, i, C)
    assert o.tolist() == [3, float("-inf")] and i.tolist() == [5, 0]


@triton.jit
def bits(x_ptr, o_ptr, R: tl.constexpr, C: tl.constexpr):
    r = tl.arange(0, R)
    x = tl.load(x_ptr + r[:, None] * C + tl.arange(0, C)[None, :])
    tl.store(o_ptr + r, tl.xor_sum(x, 1))
    tl.store(o_ptr + R + r, tl.reduce_or(x, 1))
    tl.store(o_ptr + 2 * R + r, tl.sum((x > 0), 1))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_bits_and_counts(dtype):
    x = torch.randint(-100, 100, (R, C), dtype=dtype)
    o = torch.empty(3 * R, dtype=dtype)
    bits[(1,)](x, o, R, C)
    xor, either = x[:, 0], x[:, 0]
    for column in x.t()[1:]:
        xor, either = xor ^ column, either | column
    assert torch.equal(o, torch.cat([xor, either, (x > 0).sum(1).to(dtype)]))


@triton.jit
def scans(
    x_ptr, o_ptr, REVERSE: tl.constexpr, AXIS: tl.constexpr, R: tl.constexpr, C: tl.constexpr
):
    tile = tl.arange(0, R)[:, None] * C + tl.arange(0, C)[None, :]
    x = tl.load(x_ptr + tile)
    tl.store(o_ptr + tile, tl.cumsum(x, AXIS, reverse=REVERSE))
    tl.store(o_ptr + R * C + tile, tl.cumprod(x, AXIS, reverse=REVERSE))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int32, torch.int64])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_scans(dtype, axis, reverse):
    x = torch.randint(1, 3, (R, C)).to(dtype) / (2 if dtype.is_floating_point else 1)
    x = x.to(dtype)
    o = torch.empty(2, R, C, dtype=dtype)
    scans[(1,)](x, o, reverse, axis, R, C)
    source = x.flip(axis) if reverse else x
    results = [source.cumsum(axis).to(dtype), source.cumprod(axis).to(dtype)]
    expected = [r.flip(axis) if reverse else r for r in results]
    torch.testing.assert_close(o, torch.stack(expected))


@triton.jit
def affine(a1, b1, a2, b2):
    return a1 * a2, b1 * a2 + b2


@triton.jit
def product_and_sum(a1, b1, a2, b2):
    return a1 * a2, b1 + b2


@triton.jit
def recurrence(a_ptr, b_ptr, o_ptr, REVERSE: tl.constexpr, C: tl.constexpr):
    c = tl.arange(0, C)
    a, b = tl.associative_scan((tl.load(a_ptr + c), tl.load(b_ptr + c)), 0, affine, reverse=REVERSE)
    tl.store(o_ptr + c, a)
    tl.store(o_ptr + C + c, b)
    a, b = tl.reduce((tl.load(a_ptr + c), tl.load(b_ptr + c).to(tl.float64)), 0, product_and_sum)
    tl.store(o_ptr + 2 * C, a)
    tl.store(o_ptr + 2 * C + 1, b)


@pytest.mark.parametrize("reverse", [False, True])
def test_scans_of_two_operands_that_do_not_commute(reverse):
    a, b = torch.rand(C) + 0.5, torch.randn(C)
    o = torch.empty(2 * C + 2)
    recurrence[(1,)](a, b, o, reverse, C)

    def combined(pairs):
        x, y = pairs[0]
        rows = [(x, y)]
        for p, q in pairs[1:]:
            x, y = x * p, y * p + q
            rows.append((x, y))
        return rows

    pairs = list(zip(a.double().tolist(), b.double().tolist(), strict=True))
    rows = combined(pairs[::-1])[::-1] if reverse else combined(pairs)
    expected = torch.tensor([[x for x, _ in rows], [y for _, y in rows]]).reshape(-1)
    torch.testing.assert_close(o[: 2 * C], expected.float(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(o[2 * C :], torch.stack([a.prod(), b.sum()]), rtol=1e-4, atol=1e-4)
