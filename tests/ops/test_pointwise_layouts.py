# SPDX-License-Identifier: Apache-2.0
"""Layouts of pointwise operands beyond OpInfo's: many dimensions, large strides, expansion, mixed
dtypes, numbers beside tensors.
"""

from __future__ import annotations

import os

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FULL = os.environ.get("TILEWISE_TEST_FULL") == "1"


def _random(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    with tilewise.use(active=False):
        generator = torch.Generator().manual_seed(len(shape))
        return (torch.rand(shape, generator=generator) * 8 - 4).to(DEVICE, dtype)


@pytest.mark.parametrize("rank", (3, 5, 8, 10))
def test_many_dimensions_that_do_not_coalesce(rank: int) -> None:
    x = _random(*[3] * rank)[tuple([slice(None, None, 2)] * rank)]
    y = _random(*[3] * rank).permute(*reversed(range(rank)))[tuple([slice(1, None)] * rank)]
    expected = torch.mul(x, y)
    with tilewise.use(strict=True):
        actual = torch.mul(x, y)
    assert torch.equal(actual, expected) and actual.stride() == expected.stride()


def test_more_strides_than_a_kernel_takes_fall_back() -> None:
    rank = 18
    x = _random(*[3] * 4, *[1] * 14).expand(*[3] * 4, *[2] * 14)[::2, ::2, ::2, ::2]
    y = x.permute(*reversed(range(rank))).contiguous().permute(*reversed(range(rank)))
    y = y[(slice(None),) * 4 + tuple([slice(0, 1)] * 14)].expand(*[2] * rank)
    with tilewise.use():
        assert torch.equal(x + y, (x.double() + y.double()).float())


def test_strides_beyond_32_bits() -> None:
    """Pages that nobody touches take no memory on a CPU."""
    base = torch.empty(2**31 + 64, dtype=torch.int8, device=DEVICE)
    x = base.as_strided((2, 3, 4), (2**31, 12, 2))
    values = torch.arange(-12, 12, dtype=torch.int8, device=DEVICE).view(2, 3, 4)
    with tilewise.use(strict=True):
        x.copy_(values)
        result = torch.neg(x)
        x.mul_(2)
    assert torch.equal(result, -values) and torch.equal(x, values * 2)


@pytest.mark.skipif(not FULL, reason="6 GiB")
def test_more_than_2_to_the_31_elements() -> None:
    count = 2**31 + 1000
    x = torch.ones(1, dtype=torch.int8, device=DEVICE).expand(count)
    with tilewise.use(strict=True):
        y = torch.add(x, 2)
        y[-1] = 5
        y.mul_(3)
    assert y[:3].tolist() == [9, 9, 9] and y[-3:].tolist() == [9, 9, 15]
    assert y[2**31 - 2 : 2**31 + 2].tolist() == [9] * 4


@pytest.mark.parametrize(
    ("left", "right"),
    [
        (torch.bfloat16, torch.float32),
        (torch.int8, torch.float16),
        (torch.bool, torch.int64),
        (torch.uint8, torch.int16),
        (torch.float32, torch.float64),
    ],
    ids=str,
)
def test_mixed_dtypes_and_expanded_operands(left: torch.dtype, right: torch.dtype) -> None:
    for shapes in (((33, 65), (33, 65)), ((33, 1), (65,)), ((4, 1, 7), (5, 1)), ((1,), (6, 9))):
        x, y = _random(*shapes[0], dtype=left), _random(*shapes[1], dtype=right)
        expected = [x + y, torch.maximum(x, y), x == y]
        with tilewise.use(strict=True):
            actual = [x + y, torch.maximum(x, y), x == y]
        for a, e in zip(actual, expected, strict=True):
            assert a.dtype == e.dtype and a.stride() == e.stride()
            torch.testing.assert_close(a, e)


def test_numbers_compile_nothing_new() -> None:
    x = _random(5, 70)
    with tilewise.use(strict=True):
        x + torch.tensor(1.5)
        x * 0.25
        before = tilewise.report()["runtime"]["launches"], _kernels()
        values = (2.5, -3.0, 1e30)
        sums = [x + torch.tensor(value) for value in values]
        products = [x * value for value in values]
        assert tilewise.report()["runtime"]["launches"] > before[0]
        assert _kernels() == before[1]
    for value, total, product in zip(values, sums, products, strict=True):
        torch.testing.assert_close(total, x + value)
        torch.testing.assert_close(product, x * value)


def _kernels() -> int:
    runtime = tilewise.report()["runtime"]
    return len(runtime["kernels"])


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float64, torch.int16), ids=str)
def test_results_keep_the_memory_format(dtype: torch.dtype) -> None:
    x = _random(2, 3, 4, 5, dtype=dtype).to(memory_format=torch.channels_last)
    y = _random(3, 1, 1, dtype=dtype)
    for call in (
        lambda: x * y,
        lambda: x.clone(),
        lambda: x.clone(memory_format=torch.contiguous_format),
        lambda: x[:, ::2].clone(),
        lambda: x.to(torch.float32),
        lambda: x.to(torch.float32, memory_format=torch.contiguous_format),
        lambda: torch.full_like(x, 3),
        lambda: x.permute(2, 0, 3, 1) + 1,
    ):
        expected = call()
        with tilewise.use(strict=True):
            actual = call()
        torch.testing.assert_close(actual, expected)
        assert actual.stride() == expected.stride() and actual.dtype == expected.dtype


@pytest.mark.parametrize("dtype", (torch.bool, torch.int8, torch.bfloat16, torch.float64), ids=str)
def test_neighbors_from_the_last_to_the_first(dtype: torch.dtype) -> None:
    """Rows that end within a vector, and of several."""
    for shape in ((1000,), (5, 129), (3, 7, 2000), (4, 3)):
        x = _random(*shape, dtype=dtype)
        for dims in ((-1,), tuple(range(len(shape)))):
            expected = x.flip(dims)
            with tilewise.use(strict=True):
                assert torch.equal(x.flip(dims), expected)
