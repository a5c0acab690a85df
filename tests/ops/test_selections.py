# SPDX-License-Identifier: Apache-2.0
"""kthvalue, medians and mode: long rows, rows side by side, NaN, and numbers at the ends of a type.

PyTorch leaves open which of several equal elements an index names; the element must be right.
"""

from __future__ import annotations

import os

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
# Keys of 32, 16, 8 and 64 bits, floats, signed and unsigned: all others in `make test-full`.
DTYPES = [torch.float32, torch.bfloat16]
INTEGERS = [torch.uint8, torch.int64]
if os.environ.get("TILEWISE_TEST_FULL") == "1":
    DTYPES += [torch.float64, torch.float16]
    INTEGERS += [torch.int8, torch.int16, torch.int32]
# A tile, several rows of a tile, walks of several tiles.
SHAPES = [(3, 1), (5, 7), (40, 129), (2, 20000)]


def _elements(shape: tuple[int, ...], dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    if dtype.is_floating_point:
        x = torch.randn(shape, generator=generator).to(dtype)
        x.view(-1)[::5] = 0.0
        x.view(-1)[::11] = -0.0
        x.view(-1)[::13] = float("inf")
        return x.to(DEVICE)
    info = torch.iinfo(dtype)
    x = torch.randint(-(2**62), 2**62, shape, generator=generator).to(dtype)
    x.view(-1)[0] = info.max
    x.view(-1)[-1] = info.min
    return x.to(DEVICE)


def _check(name: str, x: torch.Tensor, *args: int, strict: bool = True) -> None:
    # On a GPU PyTorch's mode is any of the most frequent elements.
    expected = getattr(torch, name)(x.cpu() if name == "mode" else x, *args)
    tilewise.reset()
    with tilewise.use(strict=strict):
        actual = getattr(torch, name)(x, *args)
    values = expected.values.to(DEVICE)
    torch.testing.assert_close(actual.values, values, rtol=0, atol=0, equal_nan=True)
    dim = args[-1]
    chosen = x.gather(dim, actual.indices.unsqueeze(dim)).squeeze(dim)
    torch.testing.assert_close(chosen, values, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("dtype", DTYPES + INTEGERS, ids=str)
def test_kthvalue_of_any_rank(dtype: torch.dtype) -> None:
    for shape in SHAPES:
        x = _elements(shape, dtype)
        for k in {1, (shape[1] + 1) // 2, shape[1]}:
            _check("kthvalue", x, k, 1)
        _check("kthvalue", x.t(), 1, 0)  # the same rows across memory
        _check("kthvalue", x, shape[0], 0)  # lanes across the rows


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", ["median", "nanmedian"])
def test_medians_of_nan(name: str, dtype: torch.dtype) -> None:
    for shape in SHAPES:
        x = _elements(shape, dtype)
        x[1, shape[1] // 2] = float("nan")
        x[2 % shape[0], :] = float("nan")
        _check(name, x, 1)
        _check(name, x, 0)
        expected = getattr(torch, name)(x)
        with tilewise.use(strict=True):
            actual = [getattr(torch, name)(x), getattr(torch, name)(x[:, ::2])]
        torch.testing.assert_close(actual[0], expected, rtol=0, atol=0, equal_nan=True)
        expected = getattr(torch, name)(x[:, ::2])
        torch.testing.assert_close(actual[1], expected, rtol=0, atol=0, equal_nan=True)


def test_the_first_of_equal_elements_is_chosen() -> None:
    x = torch.tensor([[2.0, 1.0, 3.0, 1.0, -0.0, 0.0, 3.0]], device=DEVICE)
    with tilewise.use(strict=True):
        assert [x.kthvalue(k).indices.item() for k in range(1, 8)] == [4, 4, 1, 1, 0, 2, 2]


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool], ids=str)
def test_mode_is_the_smallest_of_the_most_frequent(dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(1)
    for shape in SHAPES:
        x = torch.randint(-20, 20, shape, generator=generator).to(DEVICE, dtype)
        for dim in (0, 1):  # Long rows are PyTorch's on a CPU.
            _check("mode", x, dim, strict=DEVICE != "cpu" or shape[dim] <= 256)
