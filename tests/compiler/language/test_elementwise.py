# SPDX-License-Identifier: Apache-2.0
"""Operations on lanes, over types: integers of both kinds, floats, functions, casts."""

import math

import pytest
import torch
import triton
import triton.language as tl

SIGNED = [torch.int8, torch.int16, torch.int32, torch.int64]
UNSIGNED = [torch.uint8, torch.uint16, torch.uint32, torch.uint64]
FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
N = 256


@triton.jit
def integers(x_ptr, y_ptr, o_ptr, c_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x, y = tl.load(x_ptr + i), tl.load(y_ptr + i)
    s = y & 7
    o = o_ptr + i
    tl.store(o, x + y)
    tl.store(o + N, x - y)
    tl.store(o + 2 * N, x * y)
    tl.store(o + 3 * N, x // y)
    tl.store(o + 4 * N, x % y)
    tl.store(o + 5 * N, (x & y) | (x ^ ~y))
    tl.store(o + 6 * N, x << s)
    tl.store(o + 7 * N, x >> s)
    tl.store(o + 8 * N, tl.minimum(x, y))
    tl.store(o + 9 * N, tl.maximum(x, y))
    tl.store(o + 10 * N, tl.where(x > y, x, y) + (x == y))
    c = c_ptr + i
    tl.store(c, x < y)
    tl.store(c + N, x <= y)
    tl.store(c + 2 * N, (x > y) | (x != y) & (x >= y))


def wrapped(value, bits, signed):
    value %= 1 << bits
    return value - (1 << bits) if signed and value >> (bits - 1) else value


@pytest.mark.parametrize("dtype", SIGNED + UNSIGNED, ids=str)
def test_integers(dtype):
    signed = dtype in SIGNED
    bits = 8 * dtype.itemsize
    stored = {8: torch.int8, 16: torch.int16, 32: torch.int32, 64: torch.int64}[bits]
    info = torch.iinfo(stored)
    x, y = (torch.randint(info.min, info.max, (N,), dtype=stored) for _ in range(2))
    y[::2] = torch.randint(1, 100, (N // 2,)).to(stored)
    y[y == 0] = 3
    o, c = torch.empty(11 * N, dtype=stored), torch.empty(3 * N, dtype=torch.bool)
    integers[(1,)](x.view(dtype), y.view(dtype), o.view(dtype), c, N)
    a = [wrapped(v, bits, signed) for v in x.tolist()]
    b = [wrapped(v, bits, signed) for v in y.tolist()]
    trunc = lambda p, q: abs(p) // abs(q) * (1 if (p < 0) == (q < 0) else -1)  # noqa: E731
    operations = [
        lambda p, q: p + q, lambda p, q: p - q, lambda p, q: p * q, trunc,
        lambda p, q: p - trunc(p, q) * q, lambda p, q: (p & q) | (p ^ ~q),
        lambda p, q: p << (q & 7), lambda p, q: p >> (q & 7), min, max,
        lambda p, q: max(p, q) + (p == q),
    ]  # fmt: skip
    for k, (operation, row) in enumerate(zip(operations, o.view(11, N).tolist(), strict=True)):
        if k in (6, 7) and bits == 8:
            operation = [lambda p, q: p << (q & 7), lambda p, q: p >> (q & 7)][k - 6]
        expected = [wrapped(operation(p, q), bits, True) for p, q in zip(a, b, strict=True)]
        assert row == expected, k
    flags = c.view(3, N).tolist()
    assert flags[0] == [p < q for p, q in zip(a, b, strict=True)]
    assert flags[1] == [p <= q for p, q in zip(a, b, strict=True)]
    assert flags[2] == [p > q for p, q in zip(a, b, strict=True)]


@triton.jit
def high_halves(x_ptr, y_ptr, o_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(o_ptr + i, tl.umulhi(tl.load(x_ptr + i), tl.load(y_ptr + i)))


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64])
def test_umulhi(dtype):
    info = torch.iinfo(dtype)
    x, y = (torch.randint(info.min, info.max, (N,), dtype=dtype) for _ in range(2))
    o = torch.empty(N, dtype=dtype)
    high_halves[(1,)](x, y, o, N)
    whole = 1 << info.bits
    pairs = zip(x.tolist(), y.tolist(), strict=True)
    expected = [(a % whole) * (b % whole) >> info.bits for a, b in pairs]
    assert [v % whole for v in o.tolist()] == expected


@triton.jit
def floats(x_ptr, y_ptr, z_ptr, o_ptr, N: tl.constexpr, FULL: tl.constexpr):
    i = tl.arange(0, N)
    x, y, z = tl.load(x_ptr + i), tl.load(y_ptr + i), tl.load(z_ptr + i)
    o = o_ptr + i
    tl.store(o, -x)
    tl.store(o + N, tl.abs(x))
    tl.store(o + 2 * N, tl.clamp(x, -0.5, 0.5))
    tl.store(o + 3 * N, tl.clamp(x, -0.5, 0.5, propagate_nan=tl.PropagateNan.ALL))
    tl.store(o + 4 * N, tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL))
    tl.store(o + 5 * N, tl.minimum(x, y))
    tl.store(o + 6 * N, x % y)
    if FULL:
        tl.store(o + 7 * N, tl.fma(x, y, z))
        tl.store(o + 8 * N, tl.floor(x))
        tl.store(o + 9 * N, tl.ceil(x))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_floats(dtype):
    x, y, z = (torch.randn(N).to(dtype) for _ in range(3))
    x[3], y[5] = float("nan"), float("nan")
    full = dtype in (torch.float32, torch.float64)
    o = torch.zeros(10 * N, dtype=dtype)
    floats[(1,)](x, y, z, o, N, full)
    nothing = torch.zeros_like(x)
    expected = [
        -x, x.abs(), torch.where(x.isnan(), -0.5, x.clamp(-0.5, 0.5)).to(dtype), x.clamp(-0.5, 0.5),
        torch.maximum(x, y), torch.fmin(x, y), torch.fmod(x, y),
        torch.addcmul(z.double(), x.double(), y.double()).to(dtype) if full else nothing,
        x.floor() if full else nothing, x.ceil() if full else nothing,
    ]  # fmt: skip
    for k, (row, wanted) in enumerate(zip(o.view(10, N), expected, strict=True)):
        if k == 2:  # Which bound a NaN becomes is not stated.
            row, wanted = row[~x.isnan()], wanted[~x.isnan()]
        exact = dtype != torch.float64 or k != 7
        torch.testing.assert_close(
            row, wanted, rtol=0 if exact else 1e-15, atol=0 if exact else 1e-15, equal_nan=True
        )


@triton.jit
def functions(x_ptr, o_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    o = o_ptr + i
    tl.store(o, tl.exp(x))
    tl.store(o + N, tl.exp2(x))
    tl.store(o + 2 * N, tl.log(x))
    tl.store(o + 3 * N, tl.log2(x))
    tl.store(o + 4 * N, tl.sin(x))
    tl.store(o + 5 * N, tl.cos(x))
    tl.store(o + 6 * N, tl.sqrt(x))
    tl.store(o + 7 * N, tl.rsqrt(x))
    tl.store(o + 8 * N, tl.erf(x))
    tl.store(o + 9 * N, tl.sigmoid(x))
    tl.store(o + 10 * N, x / (x + 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_functions(dtype):
    x = torch.rand(N, dtype=dtype) * 4 + 0.01
    o = torch.empty(11 * N, dtype=dtype)
    functions[(1,)](x, o, N)
    expected = [
        x.exp(), x.exp2(), x.log(), x.log2(), x.sin(), x.cos(), x.sqrt(), x.rsqrt(), x.erf(),
        x.sigmoid(), x / (x + 1),
    ]  # fmt: skip
    torch.testing.assert_close(o, torch.cat(expected))


@triton.jit
def exact(x_ptr, y_ptr, o_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x, y = tl.load(x_ptr + i), tl.load(y_ptr + i)
    tl.store(o_ptr + i, tl.sqrt_rn(x))
    tl.store(o_ptr + N + i, tl.div_rn(x, y))
    tl.store(o_ptr + 2 * N + i, tl.fdiv(x, y, ieee_rounding=True))
    tl.store(o_ptr + 3 * N + i, tl.softmax(x))


def test_exact_division_and_square_root():
    x, y, o = torch.rand(N), torch.rand(N) + 0.1, torch.empty(4 * N)
    exact[(1,)](x, y, o, N)
    assert torch.equal(o[: 3 * N], torch.cat([x.double().sqrt().float(), x / y, x / y]))
    torch.testing.assert_close(o[3 * N :], torch.softmax(x, 0))


@triton.jit
def casts(x_ptr, o_ptr, p_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    x = tl.load(x_ptr + i)
    tl.store(o_ptr + i, x.to(tl.int32, bitcast=True))
    tl.store(o_ptr + N + i, x.to(tl.int16).to(tl.int32))
    tl.store(o_ptr + 2 * N + i, (x > 0).to(tl.int1).to(tl.int32))
    tl.store(o_ptr + 3 * N + i, tl.abs(x).to(tl.uint8).to(tl.int32))
    pointer = p_ptr.to(tl.int64)
    tl.store(pointer.to(tl.pointer_type(tl.float32)) + i, x.to(tl.float16).to(tl.float32))


def test_casts_bitcasts_and_pointers():
    x = torch.randn(N) * 50
    o, p = torch.empty(4 * N, dtype=torch.int32), torch.empty(N)
    casts[(1,)](x, o, p, N)
    expected = [
        x.view(torch.int32),
        x.to(torch.int16).int(),
        (x > 0).int(),
        x.abs().to(torch.uint8).int(),
    ]
    assert torch.equal(o, torch.cat(expected)) and torch.equal(p, x.half().float())


@triton.jit
def random_numbers(o_ptr, i_ptr, seed, N: tl.constexpr):
    i = tl.arange(0, N)
    tl.store(o_ptr + i, tl.rand(seed, i))
    tl.store(o_ptr + N + i, tl.randn(seed, i))
    a, b, c, d = tl.rand4x(seed, i)
    tl.store(o_ptr + 2 * N + i, (a + b + c + d) / 4)
    tl.store(i_ptr + i, tl.randint(seed, i))
    a, b, c, d = tl.randint4x(seed, i)
    tl.store(i_ptr + N + i, a)
    tl.store(i_ptr + 2 * N + i, b ^ c ^ d)


def philox(seed, offset):
    key, counter = [seed & 0xFFFFFFFF, seed >> 32], [offset, 0, 0, 0]
    for _ in range(10):
        a, b = 0xD2511F53 * counter[0], 0xCD9E8D57 * counter[2]
        counter = [
            (b >> 32) ^ counter[1] ^ key[0], b & 0xFFFFFFFF,
            (a >> 32) ^ counter[3] ^ key[1], a & 0xFFFFFFFF,
        ]  # fmt: skip
        key = [(key[0] + 0x9E3779B9) & 0xFFFFFFFF, (key[1] + 0xBB67AE85) & 0xFFFFFFFF]
    return counter


def test_random_numbers_are_those_of_philox():
    o, i = torch.empty(3 * N), torch.empty(3 * N, dtype=torch.int32)
    random_numbers[(1,)](o, i, 12345, N)
    expected = [philox(12345, k) for k in range(N)]
    assert [v & 0xFFFFFFFF for v in i[:N].tolist()] == [e[0] for e in expected]
    assert [v & 0xFFFFFFFF for v in i[N : 2 * N].tolist()] == [e[0] for e in expected]
    assert [v & 0xFFFFFFFF for v in i[2 * N :].tolist()] == [e[1] ^ e[2] ^ e[3] for e in expected]
    uniform, normal = o[:N], o[N : 2 * N]
    assert 0 <= uniform.min() and uniform.max() < 1 and abs(uniform.mean() - 0.5) < 0.1
    assert abs(normal.mean()) < 0.3 and 0.8 < normal.std() < 1.2


@triton.jit
def hints(x_ptr, o_ptr, n, N: tl.constexpr):
    tl.assume(n > 0)
    tl.static_assert(N > 1)
    n = tl.multiple_of(n, 16)
    i = tl.max_constancy(tl.max_contiguous(tl.multiple_of(tl.arange(0, N), 16), 16), 1)
    x = tl.load(x_ptr + i, i < n, 0)
    tl.store(o_ptr + i, tl.cdiv(x, 3) + tl.zeros_like(x) + tl.full((N,), 2, tl.int32), i < n)


def test_hints_change_nothing():
    x, o = torch.arange(N, dtype=torch.int32), torch.zeros(N, dtype=torch.int32)
    hints[(1,)](x, o, 160, N)
    expected = torch.tensor([math.ceil(k / 3) + 2 for k in range(160)], dtype=torch.int32)
    assert torch.equal(o[:160], expected) and (o[160:] == 0).all()
