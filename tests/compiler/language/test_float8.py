# SPDX-License-Identifier: Apache-2.0
"""8-bit floats: storage, conversion in both directions, rounding, saturation."""

import pytest
import torch
import triton
import triton.language as tl

FORMATS = {
    torch.float8_e4m3fn: tl.float8e4nv,
    torch.float8_e5m2: tl.float8e5,
    torch.float8_e4m3fnuz: tl.float8e4b8,
    torch.float8_e5m2fnuz: tl.float8e5b16,
}


@triton.jit
def cast(x_ptr, y_ptr, n, ROUNDING: tl.constexpr, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i, i < n)
    tl.store(y_ptr + i, x.to(y_ptr.dtype.element_ty, fp_downcast_rounding=ROUNDING), i < n)


def converted(x, dtype, rounding=None):
    y = torch.empty(x.shape, dtype=dtype)
    cast[(triton.cdiv(x.numel(), 1024),)](x, y, x.numel(), rounding, 1024)
    return y


def all_numbers(dtype):
    return torch.arange(256, dtype=torch.int32).to(torch.uint8).view(dtype)


def same(actual, expected):
    """Equal bits, but for NaN of which there are several."""
    nan = expected.isnan()
    bits = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[expected.itemsize]
    return torch.equal(actual.isnan(), nan) and torch.equal(
        actual.view(bits)[~nan], expected.view(bits)[~nan]
    )


@pytest.mark.parametrize("target", [torch.float32, torch.float16, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("source", FORMATS, ids=str)
def test_widening_is_exact(source, target):
    x = all_numbers(source)
    assert same(converted(x, target), x.to(torch.float32).to(target))


def samples(dtype):
    """All numbers, the middles between neighbors and what lies just beside them, and extremes."""
    grid = all_numbers(dtype).to(torch.float64)
    grid = grid[grid.isfinite()].unique()
    middles = (grid[1:] + grid[:-1]) / 2
    beside = torch.cat([middles * (1 + 2.0**-22), middles * (1 - 2.0**-22)])
    extremes = torch.tensor([0.0, -0.0, 1e-30, -1e-30, 1e9, -1e9, float("inf"), float("nan")])
    return torch.cat([grid, middles, beside, extremes.double(), torch.randn(2000).double()])


def nearest(x, dtype):
    """torch rounds as we do but does not saturate."""
    largest = torch.finfo(dtype).max
    return x.clamp(-largest, largest).to(dtype)


@pytest.mark.parametrize("source", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("target", FORMATS, ids=str)
def test_narrowing_rounds_to_nearest_even_and_saturates(source, target):
    x = samples(target).to(source)
    assert same(converted(x, target).float(), nearest(x.float(), target).float())


@pytest.mark.parametrize("target", FORMATS, ids=str)
def test_narrowing_of_f64_rounds_once(target):
    grid = all_numbers(target).to(torch.float64)
    grid = grid[grid.isfinite()].unique()
    middles = (grid[1:] + grid[:-1]) / 2
    # An f32 cannot tell these from the middles.
    above, below = middles + middles.abs() * 2.0**-40, middles - middles.abs() * 2.0**-40
    assert torch.equal(converted(above, target).double(), grid[1:])
    assert torch.equal(converted(below, target).double(), grid[:-1])


@pytest.mark.parametrize("target", FORMATS, ids=str)
def test_rounding_towards_zero(target):
    x = samples(target).float()
    x = x[x.isfinite()]
    y = converted(x, target, "rtz").float()
    largest = torch.finfo(target).max
    grid = all_numbers(target).float()
    grid = grid[grid.isfinite() & (grid >= 0)].unique()
    index = torch.searchsorted(grid, x.abs().clamp(max=largest), right=True) - 1
    assert torch.equal(y.abs(), grid[index])
    assert torch.equal(y.sign(), torch.where(grid[index] == 0, 0, x.sign()))


@pytest.mark.parametrize("target", [torch.float16, torch.bfloat16])
def test_sixteen_bits_round_towards_zero_too(target):
    bits = torch.randint(-(2**31), 2**31 - 1, (20000,), dtype=torch.int64).to(torch.int32)
    x = bits.view(torch.float32)
    x = torch.cat([x[x.isfinite()], torch.tensor([65519.0, 65520.0, 1e30, 6e-8, 1e-9, -0.0])])
    y = converted(x, target, "rtz").float()
    assert (y.abs() <= x.abs()).all() and y.isfinite().all()
    nearest_value = x.to(target).float()
    exact_or_shorter = nearest_value.abs() <= x.abs()
    assert torch.equal(y[exact_or_shorter], nearest_value[exact_or_shorter])


@triton.jit
def arithmetic(x_ptr, y_ptr, sum_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + i)
    y = tl.load(y_ptr + i)
    tl.store(sum_ptr + i, tl.where(x > y, x + y, x * y))


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_arithmetic_computes_in_f32_and_rounds_once(dtype):
    x, y = torch.randn(64).to(dtype), torch.randn(64).to(dtype)
    z = torch.empty(64, dtype=dtype)
    arithmetic[(1,)](x, y, z, 64)
    a, b = x.float(), y.float()
    assert torch.equal(z.float(), nearest(torch.where(a > b, a + b, a * b), dtype).float())


@triton.jit
def product(a_ptr, b_ptr, c_ptr, N: tl.constexpr):
    i = tl.arange(0, N)
    tile = i[:, None] * N + i[None, :]
    tl.store(c_ptr + tile, tl.dot(tl.load(a_ptr + tile), tl.load(b_ptr + tile)))


@pytest.mark.parametrize("a_type", FORMATS, ids=str)
def test_dot(a_type):
    a, b = torch.randn(32, 32).to(a_type), torch.randn(32, 32).to(a_type)
    c = torch.empty(32, 32)
    product[(1,)](a, b, c, 32)
    torch.testing.assert_close(c, a.float() @ b.float())


@triton.jit
def through_e4b15(x_ptr, bits_ptr, y_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    narrow = tl.load(x_ptr + i).to(tl.float8e4b15)
    tl.store(bits_ptr + i, narrow.to(tl.int8, bitcast=True))
    tl.store(y_ptr + i, narrow.to(tl.float32))


def test_e4b15_is_an_f16_without_its_highest_exponent_bit():
    x = torch.randn(256) * 0.5
    x[:4] = torch.tensor([1.875, 2.5, -100.0, 0.0])
    bits, y = torch.empty(256, dtype=torch.int8), torch.empty(256)
    through_e4b15[(1,)](x, bits, y, 256)
    half = converted(x, torch.float16, "rtz").view(torch.int16).int()
    magnitude = ((half & 0x7FFF).clamp(max=0x3F00) + 0x40) >> 7
    assert torch.equal(bits.int() & 0xFF, magnitude | (half >> 8 & 0x80))
    expected = (magnitude.short() << 7).view(torch.float16).float()
    assert torch.equal(y, torch.copysign(expected, x))
