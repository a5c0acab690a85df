# SPDX-License-Identifier: Apache-2.0
"""Copies and conversions of 8-bit floats, bit for bit as PyTorch's."""

from __future__ import annotations

import os

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FORMATS = (
    *(torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz),
    torch.float8_e8m0fnu,
)
FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)


def _every(dtype: torch.dtype) -> torch.Tensor:
    """All 256 numbers of the type."""
    return torch.arange(256, dtype=torch.uint8, device=DEVICE).view(dtype)


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.view(torch.uint8)


def _numbers() -> torch.Tensor:
    """fp32 numbers whose upper half is every pattern, at a middle between two 8-bit floats or one
    bit beside it; and patterns at random."""
    upper = torch.arange(1 << 16, dtype=torch.int64) << 16
    with tilewise.use(active=False):
        generator = torch.Generator().manual_seed(0)
        random = torch.randint(0, 1 << 32, (100_000,), generator=generator)
    bits = torch.cat([upper, upper + 1, upper - 1, random]) & 0xFFFFFFFF
    bits = torch.where(bits >= 1 << 31, bits - (1 << 32), bits)
    return bits.to(torch.int32).view(torch.float32).to(DEVICE)


def _same_bits(actual: torch.Tensor, expected: torch.Tensor, is_nan: torch.Tensor) -> None:
    """A NaN may be any."""
    differs = (_bits(actual) != _bits(expected)) & ~is_nan
    assert not bool(differs.any()), f"{int(differs.sum())} numbers differ"
    assert bool(actual.float()[is_nan].isnan().all())


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_every_number_is_read_exactly(dtype: torch.dtype) -> None:
    numbers = _every(dtype)
    for target in FLOATS:
        expected = numbers.to(target)
        with tilewise.use(strict=True):
            actual = numbers.to(target)
        torch.testing.assert_close(actual, expected, rtol=0, atol=0, equal_nan=True)
        signs = torch.signbit(actual) == torch.signbit(expected)
        assert bool((signs | expected.isnan()).all())
    expected = numbers.to(torch.bool)
    with tilewise.use(strict=True):
        assert torch.equal(numbers.to(torch.bool), expected)
    finite = numbers[numbers.float().abs() < 1e6]
    expected = finite.to(torch.int32)
    with tilewise.use(strict=True):
        assert torch.equal(finite.to(torch.int32), expected)


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_numbers_are_rounded_as_pytorch_rounds(dtype: torch.dtype) -> None:
    numbers = _numbers()
    sources = [numbers.to(source) for source in FLOATS]
    sources.append(numbers.double() * (1 + 1e-9))  # is rounded twice
    sources.append(torch.arange(-70_000, 70_000, 7, device=DEVICE))
    sources.append(torch.tensor([True, False], device=DEVICE))
    for source in sources:
        expected = source.to(dtype)
        with tilewise.use(strict=True):
            actual = source.to(dtype)
        is_nan = source.isnan() if source.is_floating_point() else torch.zeros_like(source) != 0
        _same_bits(actual, expected, is_nan)


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_conversions_among_8_bit_floats(dtype: torch.dtype) -> None:
    numbers = _every(dtype)
    for target in FORMATS:
        expected = numbers.to(target)
        with tilewise.use(strict=True):
            actual = numbers.to(target)
        _same_bits(actual, expected, numbers.float().isnan())


@pytest.mark.parametrize("dtype", FORMATS, ids=str)
def test_copies_of_any_layout(dtype: torch.dtype) -> None:
    with tilewise.use(active=False):
        source = torch.randn(33, 65, generator=torch.Generator().manual_seed(1)).to(DEVICE).t()
    out = torch.empty(65, 66, device=DEVICE).to(dtype)[:, ::2]
    row = source[:1].to(dtype)
    with tilewise.use(strict=True):
        out.copy_(source)
        assert torch.equal(_bits(out.clone()), _bits(source.to(dtype)))
        out.copy_(row)
    assert torch.equal(_bits(out.contiguous()), _bits(row.expand(65, 33).contiguous()))
    if dtype != torch.float8_e8m0fnu:
        with tilewise.use(strict=True):
            out.zero_()
        assert not bool(out.float().any())
