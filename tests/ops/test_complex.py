# SPDX-License-Identifier: Apache-2.0
"""Complex numbers, which kernels see as pairs; lazily conjugated and negated views."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
DTYPES = (torch.complex64, torch.complex128)
Binary = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _random(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    with tilewise.use(active=False):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(shape, generator=generator, dtype=torch.complex128).to(DEVICE, dtype)


CALLS: dict[str, Binary] = {
    "add.Tensor": lambda x, y: torch.add(x, y, alpha=2 - 1j),
    "sub.Tensor": torch.sub,
    "mul.Tensor": torch.mul,
    "div.Tensor": torch.div,
    "neg": lambda x, y: torch.neg(x),
    "abs": lambda x, y: torch.abs(x),
    "eq.Tensor": lambda x, y: torch.eq(x, torch.where(y.real > 0, x, y)),
    "ne.Tensor": lambda x, y: torch.ne(x, torch.where(y.real > 0, x, y)),
    "where.self": lambda x, y: torch.where(y.real > 0, x, y),
    "masked_fill.Scalar": lambda x, y: torch.masked_fill(x, x.real > 0, 3 + 2j),
    "conj_physical.out": lambda x, y: torch.conj_physical(x),
    "conj_physical_": lambda x, y: x.clone().conj_physical_(),
    "clone": lambda x, y: x.clone(),
    "_to_copy": lambda x, y: x.to(torch.complex64 if x.dtype != torch.complex64 else DTYPES[1]),
    "copy_": lambda x, y: torch.empty_like(x).copy_(x),
    "fill_.Scalar": lambda x, y: torch.empty_like(x).fill_(1 - 2j),
    "zero_": lambda x, y: torch.empty_like(x).zero_(),
}


def _layouts(dtype: torch.dtype) -> list[tuple[torch.Tensor, torch.Tensor]]:
    x, y = _random(5, 70, dtype=dtype), _random(5, 70, dtype=dtype, seed=1)
    return [
        (x, y),
        (x.t(), _random(70, 5, dtype=dtype, seed=2)),
        (x[:, ::3], y[0, ::3].expand(5, -1)),
        (_random(2, 3, 4, 5, dtype=dtype)[:, :, ::2], _random(4, 5, dtype=dtype)[::2]),
        (_random(dtype=dtype), _random(dtype=dtype, seed=3)),
    ]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", CALLS)
def test_pairs_match_aten(name: str, dtype: torch.dtype) -> None:
    for x, y in _layouts(dtype):
        expected = CALLS[name](x, y)
        tilewise.reset()
        with tilewise.use(strict=True):
            actual = CALLS[name](x, y)
        assert tilewise.report()["operators"][f"{name}/{DEVICE}"]["served"] > 0
        torch.testing.assert_close(actual, expected)
        assert actual.stride() == expected.stride() or actual.numel() < 2


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_real_operands_are_promoted(dtype: torch.dtype) -> None:
    x = _random(6, 40, dtype=dtype)
    real = x.real.contiguous() + 0.5
    for call in (torch.add, torch.mul, lambda a, b: torch.sub(b, a), torch.div):
        expected, by_number = call(x, real), call(x, 1.5)
        with tilewise.use(strict=True):
            torch.testing.assert_close(call(x, real), expected)
            torch.testing.assert_close(call(x, 1.5), by_number)


@pytest.mark.parametrize("name", ("add.Tensor", "mul.Tensor", "div.Tensor", "abs"))
def test_gradients(name: str) -> None:
    def gradient() -> torch.Tensor:
        x = _random(4, 9, dtype=torch.complex64).requires_grad_()
        y = _random(4, 9, dtype=torch.complex64, seed=1)
        (grad,) = torch.autograd.grad(CALLS[name](x, y).abs().sum(), x)
        return grad

    expected = gradient()
    with tilewise.use():
        torch.testing.assert_close(gradient(), expected)


def test_large_and_infinite_parts() -> None:
    parts = torch.tensor([0.0, -0.0, 1.0, 3e38, 1e-40, float("inf"), float("nan")])
    x = torch.complex(*torch.meshgrid(parts, parts, indexing="ij")).to(DEVICE)
    for call in (torch.abs, torch.neg, lambda z: z + 1, lambda z: z - 2, torch.conj_physical):
        expected = call(x)
        with tilewise.use():
            torch.testing.assert_close(call(x), expected, equal_nan=True)


def test_lazy_views_are_left_to_pytorch() -> None:
    x = _random(3, 50, dtype=torch.complex64)
    views = {
        "conjugated": x.conj(),
        "negated": x.conj().imag,
    }
    assert views["conjugated"].is_conj() and views["negated"].is_neg()
    for view in views.values():
        calls: tuple[Callable[[torch.Tensor], torch.Tensor], ...] = (
            torch.clone,
            lambda v: torch.zeros_like(v).copy_(v),
            lambda v: v + 1,
            lambda v: v.contiguous() * 2,
            lambda v: v.resolve_conj().resolve_neg(),
        )
        for call in calls:
            expected = call(view)
            with tilewise.use():
                torch.testing.assert_close(call(view), expected)


def test_writing_through_a_lazy_view() -> None:
    def run() -> torch.Tensor:
        x = _random(3, 50, dtype=torch.complex64)
        x.conj().imag.fill_(2.0)
        x.conj().mul_(1j)
        return x

    expected = run()
    with tilewise.use():
        torch.testing.assert_close(run(), expected)


def test_imaginary_parts_are_lost_with_pytorchs_warning() -> None:
    x = _random(9, dtype=torch.complex64)
    with tilewise.use(), pytest.warns(UserWarning, match="imaginary"):
        assert torch.equal(x.to(torch.float32), x.real)
