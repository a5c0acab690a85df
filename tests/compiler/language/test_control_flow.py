# SPDX-License-Identifier: Apache-2.0
"""Loops, branches, early returns, calls, and functions of scalars in combine regions and maps."""

import pytest
import torch
import triton
import triton.language as tl


@triton.jit
def either(x_ptr, i, n):
    x = tl.load(x_ptr + i)
    if n > 3:
        return x + 1
    if n > 1:
        return x * tl.sum(x, 0)
    return -x


def either_of(x, n):
    return x + 1 if n > 3 else x * x.sum() if n > 1 else -x


@triton.jit
def early_return(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    tl.store(y_ptr + i, either(x_ptr, i, n))


def whole_numbers():
    """Sums of them are exact in any order."""
    return torch.randint(-9, 10, (64,)).float()


@pytest.mark.parametrize("n", [0, 2, 5])
def test_tiles_are_passed_between_blocks(n):
    x, y = whole_numbers(), torch.empty(64)
    early_return[(1,)](x, y, n, 64)
    torch.testing.assert_close(y, either_of(x, n))


@triton.jit
def early_return_in_loop(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), tl.float32)
    for k in range(n):
        total += either(x_ptr, i, k) * (k + 1)
    tl.store(y_ptr + i, total)


def test_calls_of_functions_with_several_blocks_in_a_loop():
    x, y = whole_numbers(), torch.empty(64)
    early_return_in_loop[(1,)](x, y, 6, 64)
    expected = sum(either_of(x, k) * (k + 1) for k in range(6))
    torch.testing.assert_close(y, expected)


@triton.jit
def swap_blocks(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    a = tl.load(x_ptr + i)
    b = tl.load(y_ptr + i)
    if n == 0:
        a, b = b, a + b
        tl.store(x_ptr + i, a)
        tl.store(y_ptr + i, b)
        return
    tl.store(x_ptr + i, a * 2)
    if n == 1:
        return
    tl.store(y_ptr + i, b * 3)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_returns_of_a_kernel(n):
    x, y = torch.randn(32), torch.randn(32)
    a, b = x.clone(), y.clone()
    swap_blocks[(1,)](a, b, n, 32)
    expected = {0: (y, x + y), 1: (x * 2, y), 2: (x * 2, y * 3)}[n]
    assert torch.equal(a, expected[0]) and torch.equal(b, expected[1])


@triton.jit(noinline=True)
def scaled_sum(x_ptr, n, scale, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    if n == 0:
        return 0.0
    return tl.sum(tl.load(x_ptr + i, i < n, 0.0), 0) * scale


@triton.jit(noinline=True)
def store_both(y_ptr, a, b):
    tl.store(y_ptr, a)
    tl.store(y_ptr + 1, b)


@triton.jit
def calls(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    a = scaled_sum(x_ptr, n, 2.0, BLOCK)
    b = 0.0
    if n > 5:
        b = scaled_sum(x_ptr, n - 5, 3.0, BLOCK) + a
    store_both(y_ptr, a, b)


@pytest.mark.parametrize("n", [0, 3, 60])
def test_noinline_functions(n):
    x, y = torch.randn(64), torch.full((2,), 7.0)
    calls[(1,)](x, y, n, 64)
    a = x[:n].sum() * 2
    b = x[: n - 5].sum() * 3 + a if n > 5 else torch.tensor(0.0)
    torch.testing.assert_close(y, torch.stack([a, b]))


@triton.jit
def longer(a, b):
    """By magnitude; of equal ones the positive."""
    if tl.abs(a) > tl.abs(b):
        return a
    if tl.abs(a) < tl.abs(b):
        return b
    return tl.maximum(a, b)


@triton.jit
def steps(a, b):
    """Euclid's algorithm."""
    while b != 0:
        t = a % b
        a = b
        b = t
    return a


@triton.jit
def combine(x_ptr, y_ptr, o_ptr, R: tl.constexpr, C: tl.constexpr):
    r, c = tl.arange(0, R), tl.arange(0, C)
    x = tl.load(x_ptr + r[:, None] * C + c[None, :])
    tl.store(o_ptr + r, tl.reduce(x, 1, longer))
    tl.store(o_ptr + R + c, tl.reduce(x, 0, longer))
    tl.store(o_ptr + R + C + r[:, None] * C + c[None, :], tl.associative_scan(x, 1, longer))
    y = tl.load(y_ptr + c)
    tl.store(y_ptr + c, tl.associative_scan(y, 0, steps))


def test_combine_regions_with_branches_and_loops():
    r, c = 8, 32
    x = torch.randint(-50, 50, (r, c), dtype=torch.int32)
    y = torch.randint(1, 200, (c,), dtype=torch.int32) * 6
    o = torch.empty(r + c + r * c, dtype=torch.int32)
    numbers = y.clone()
    combine[(1,)](x, y, o, r, c)

    def longest(values):
        return max(values, key=lambda v: (abs(v), v))

    assert o[:r].tolist() == [longest(row) for row in x.tolist()]
    assert o[r : r + c].tolist() == [longest(column) for column in x.t().tolist()]
    expected = [[longest(row[: k + 1]) for k in range(c)] for row in x.tolist()]
    assert o[r + c :].view(r, c).tolist() == expected
    import math

    assert y.tolist() == [math.gcd(*numbers[: k + 1].tolist()) for k in range(c)]


@triton.jit
def first_of(av, ai, bv, bi):
    if av > bv:
        return av, ai
    elif av < bv:
        return bv, bi
    else:
        return av, tl.minimum(ai, bi)


@triton.jit
def pair_reduction(x_ptr, o_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    value, index = tl.reduce((tl.load(x_ptr + i), i), 0, first_of)
    tl.store(o_ptr, value)
    tl.store(o_ptr + 1, index)


def test_several_operands_with_branches():
    x = torch.randint(0, 9, (64,), dtype=torch.int32)
    o = torch.empty(2, dtype=torch.int32)
    pair_reduction[(1,)](x, o, 64)
    assert o.tolist() == [x.max().item(), x.tolist().index(x.max().item())]


@triton.jit
def collatz(n, limit):
    count = 0
    while (n > 1) & (count < limit):
        n = n // 2 if n % 2 == 0 else n * 3 + 1
        count += 1
    return count, n.to(tl.float32)


@triton.jit
def two(a0, a1, b0, b1):
    return a0 * b0 + 1, a1 * b1 + 1


@triton.jit
def maps(x_ptr, c_ptr, f_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i)
    count, rest = tl.map_elementwise(collatz, x, i * 0 + 40)
    tl.store(c_ptr + i, count + tl.map_elementwise(two, x, i, pack=2)[0])
    tl.store(f_ptr + i, rest)


def test_map_elementwise():
    x = torch.randint(1, 1000, (64,), dtype=torch.int32)
    c, f = torch.empty(64, dtype=torch.int32), torch.empty(64)
    maps[(1,)](x, c, f, 64)
    for i, n in enumerate(x.tolist()):
        count = 0
        product = n * i + 1
        while n > 1 and count < 40:
            n = n // 2 if n % 2 == 0 else n * 3 + 1
            count += 1
        assert (c[i].item(), f[i].item()) == (count + product, n)


@triton.jit
def nested(x_ptr, y_ptr, n, m, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i)
    total = tl.zeros((BLOCK,), tl.float32)
    k = 0
    while k < n:
        for j in tl.range(m, num_stages=2, loop_unroll_factor=2):
            if (j + k) % 3 == 0:
                total += x
            elif (j + k) % 3 == 1:
                total = total * 0.5 + tl.max(x, 0)
        k += 1
    for j in tl.range(n, flatten=True, warp_specialize=True, disallow_acc_multi_buffer=True):
        total += j
    for j in tl.range(n, disable_licm=True):
        total += j
    for _ in tl.static_range(2):
        total += 1
    tl.store(y_ptr + i, total)


def test_nested_loops_and_branches():
    x, y = torch.randn(32), torch.empty(32)
    nested[(1,)](x, y, 3, 5, 32)
    total = torch.zeros(32)
    for k in range(3):
        for j in range(5):
            if (j + k) % 3 == 0:
                total = total + x
            elif (j + k) % 3 == 1:
                total = total * 0.5 + x.max()
    torch.testing.assert_close(y, total + 8)


@triton.jit
def bounds(y_ptr, start, stop, STEP: tl.constexpr):
    total = 0
    for k in range(start, stop, STEP):
        total = total * 10 + k
    tl.store(y_ptr, total)


@pytest.mark.parametrize("loop", [(0, 4, 1), (5, 0, -2), (3, 3, 1), (4, 1, 1), (1, 9, 3)])
def test_ranges_of_every_direction(loop):
    y = torch.empty(1, dtype=torch.int32)
    bounds[(1,)](y, *loop)
    total = 0
    for k in range(*loop):
        total = total * 10 + k
    assert y.item() == total


@triton.jit
def programs(y_ptr):
    x, y, z = tl.program_id(0), tl.program_id(1), tl.program_id(2)
    i = (z * tl.num_programs(1) + y) * tl.num_programs(0) + x
    tl.store(y_ptr + i, x + 10 * y + 100 * z)


def test_grids_of_three_dimensions():
    y = torch.empty(2, 3, 4, dtype=torch.int32)
    programs[(4, 3, 2)](y)
    z, r, c = torch.meshgrid(torch.arange(2), torch.arange(3), torch.arange(4), indexing="ij")
    assert torch.equal(y.long(), c + 10 * r + 100 * z)
