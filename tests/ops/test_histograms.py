# SPDX-License-Identifier: Apache-2.0
"""histc and bincount: many bins and many elements, ranges, elements that are in no bin."""

from __future__ import annotations

import os

import pytest
import torch

import tilewise
from tilewise import kernel_modules
from tilewise.triton_backend import native

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FLOATS = [torch.float64, torch.float32]
if DEVICE == "cpu":
    FLOATS.append(torch.bfloat16)


def _random(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def _same(run) -> None:
    expected = run()
    tilewise.reset()
    with tilewise.use(strict=True):
        actual = run()
    torch.testing.assert_close(actual, expected, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("bins", [1, 7, 128, 2048, 20000])
def test_histc_counts_what_is_in_range(dtype: torch.dtype, bins: int) -> None:
    # Few enough for counters of 8 bits, which PyTorch has for bfloat16.
    x = _random(200 if dtype is torch.bfloat16 else 140001).to(DEVICE, dtype)
    if dtype is torch.bfloat16:
        # PyTorch rounds to 8 bits after each step: numbers for which that is exact.
        bins, x = 8, (x * 8).round() / 8
    x[::7] = float("nan")
    x[::11] = float("inf")
    x[::13] = 1.0
    _same(lambda: torch.histc(x, bins, -1.0, 1.0))
    strided = x[: x.numel() // 8 * 8].view(4, 2, -1)[:, :, ::2]
    _same(lambda: torch.histc(strided, bins, 0, 1))


def test_histc_takes_its_range_from_the_elements() -> None:
    x = _random(50, 70).to(DEVICE)
    _same(lambda: torch.histc(x, 10))
    _same(lambda: torch.histc(torch.full((5,), 2.0, device=DEVICE), 4))
    _same(lambda: torch.histc(x[:0], 4))


@pytest.mark.skipif(DEVICE == "cpu", reason="PyTorch has histc of integers on GPUs alone")
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.uint8], ids=str)
def test_histc_of_integers(dtype: torch.dtype) -> None:
    x = (_random(100000).abs() * 40).to(DEVICE, dtype)
    _same(lambda: torch.histc(x, 64, 0, 63))
    _same(lambda: torch.histc(x, 5))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int16, torch.uint8], ids=str)
def test_bincount_with_and_without_weights(dtype: torch.dtype) -> None:
    x = (_random(150000).abs() * 40).to(DEVICE, dtype)
    weights = _random(150000).to(DEVICE)
    _same(lambda: torch.bincount(x))
    _same(lambda: torch.bincount(x[::3], minlength=300))
    _same(lambda: torch.bincount(x[:0], minlength=3))
    for w in (weights.double(), (weights * 8).long(), weights[:, None].expand(-1, 2)[:, 0]):
        expected = torch.bincount(x, w)
        with tilewise.use(strict=True):
            actual = torch.bincount(x, w)
            assert torch.equal(actual, torch.bincount(x, w))
        torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-3)


@pytest.mark.skipif(DEVICE != "cpu", reason="served by this kernel there")
def test_sums_of_sorted_segments_as_on_a_gpu() -> None:
    x = (_random(5000).abs() * 10).long()
    weights = _random(5000)
    ordered, order = x.sort(stable=True)
    out = torch.empty(60, dtype=torch.float64)
    kernel = kernel_modules.load_file("reduction/histogram", native.kernels_dir()).sum_segments
    kernel[(60,)](ordered, order, weights, out, 5000, 1, BLOCK=64)
    torch.testing.assert_close(out, torch.bincount(x, weights.double(), 60))


def test_bincount_of_many_bins() -> None:
    x = (_random(5000).abs() * 20000).to(DEVICE).long()
    _same(lambda: torch.bincount(x))


def test_bincount_refuses_what_pytorch_refuses() -> None:
    with tilewise.use(), pytest.raises(RuntimeError, match="non-negative"):
        torch.bincount(torch.tensor([1, -1], device=DEVICE))
