# SPDX-License-Identifier: Apache-2.0
"""The parts of SyncBatchNorm against the same formulas in float64.

PyTorch has most of them on GPUs alone, and no samples for them.
"""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
SHAPES = [(4, 3), (2, 5, 7), (3, 64, 9, 11)]
# Part of the largest value by which a result may be off.
TOLERANCE = {torch.float64: 1e-12, torch.float32: 2e-6, torch.bfloat16: 8e-3}
EPS = 1e-3


def _only_on_gpus(name: str) -> pytest.MarkDecorator:
    missing = name not in tilewise.registered(DEVICE)
    return pytest.mark.skipif(missing, reason="PyTorch has this operator on GPUs alone")


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE)


def _run(name: str, *arguments: Any) -> Any:
    tilewise.reset()
    with tilewise.use(strict=True):
        result = getattr(torch, name)(*arguments)
    assert tilewise.report()["operators"][f"{name}/{DEVICE}"]["served"] == 1
    return result


def _close(actual: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> None:
    difference = (actual.double() - expected).abs().max()
    assert difference <= TOLERANCE[dtype] * max(1.0, expected.abs().max().item())


def _inputs(shape: tuple[int, ...], dtype: torch.dtype) -> list[torch.Tensor]:
    """Dense, and with channels last."""
    x = _random(*shape).to(dtype)
    last = x.movedim(1, -1).contiguous().movedim(-1, 1)
    return [x, last, x[::2]] if shape[0] > 3 else [x, last]


def _others(x: torch.Tensor) -> list[int]:
    return [d for d in range(x.dim()) if d != 1]


def _view(values: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    return values.double().view(1, -1, *[1] * (x.dim() - 2))


@_only_on_gpus("batch_norm_stats")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_stats_and_elements(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    wide = torch.float64 if dtype is torch.float64 else torch.float32
    weight, bias = _random(shape[1], seed=1).to(dtype), _random(shape[1], seed=2).to(dtype)
    for x in _inputs(shape, dtype):
        mean, inverse = _run("batch_norm_stats", x, EPS)
        assert mean.dtype is inverse.dtype is wide
        exact = x.double()
        _close(mean, exact.mean(_others(x)), wide)
        variance = exact.var(_others(x), unbiased=False)
        _close(inverse, (variance + EPS).rsqrt(), wide)
        normal = (exact - _view(mean, x)) * _view(inverse, x)
        for w, b in ((weight, bias), (None, None), (weight, None), (None, bias)):
            out = _run("batch_norm_elemt", x, w, b, mean, inverse, EPS)
            expected = normal if w is None else normal * _view(w, x)
            expected = expected if b is None else expected + _view(b, x)
            assert out.dtype is dtype
            _close(out, expected, dtype)
        given = torch.empty_like(x)
        with tilewise.use(strict=True):
            torch.batch_norm_elemt(x, weight, bias, mean, inverse, EPS, out=given)
        _close(given, normal * _view(weight, x) + _view(bias, x), dtype)


@_only_on_gpus("batch_norm_gather_stats")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_statistics_of_several_processes_are_those_of_all_elements(dtype: torch.dtype) -> None:
    parts = [_random(n, 5, 7, seed=n) * n + 100 for n in (3, 1, 8)]
    whole = torch.cat(parts)
    mean = torch.stack([p.mean((0, 2)) for p in parts]).to(dtype)
    inverse = torch.stack([(p.var((0, 2), unbiased=False) + EPS).rsqrt() for p in parts]).to(dtype)
    counts = torch.tensor([p.shape[0] * 7.0 for p in parts], device=DEVICE, dtype=dtype)
    running_mean, running_var = _random(5, seed=4).to(dtype), _random(5, seed=5).abs().to(dtype)
    moved = [running_mean.double() * 0.7, running_var.double() * 0.7]
    x = parts[0].to(dtype)
    results = _run(
        "batch_norm_gather_stats_with_counts",
        *(x, mean, inverse, running_mean, running_var, 0.3, EPS, counts),
    )
    tolerance = 1e-9 if dtype is torch.float64 else 1e-4
    expected = [
        *(whole.mean((0, 2)), (whole.var((0, 2), unbiased=False) + EPS).rsqrt()),
        moved[0] + 0.3 * whole.mean((0, 2)),
        moved[1] + 0.3 * whole.var((0, 2)),
    ]
    for a, e in zip([*results, running_mean, running_var], expected, strict=True):
        torch.testing.assert_close(a.double(), e, rtol=tolerance, atol=0)
    alike = _run("batch_norm_gather_stats", x, mean, inverse, None, None, 0.3, EPS, 20)
    same = torch.full((3,), 20.0, device=DEVICE, dtype=dtype)
    others = _run(
        "batch_norm_gather_stats_with_counts", x, mean, inverse, None, None, 0.3, EPS, same
    )
    assert all(torch.equal(a, b) for a, b in zip(alike, others, strict=True))


@_only_on_gpus("batch_norm_backward_reduce")
@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_gradients(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    wide = torch.float64 if dtype is torch.float64 else torch.float32
    weight = _random(shape[1], seed=1).to(dtype)
    for x in _inputs(shape, dtype):
        exact = x.double()
        grad = torch.empty_like(x).copy_(_random(*x.shape, seed=3))
        mean = exact.mean(_others(x)).to(wide)
        inverse = (exact.var(_others(x), unbiased=False) + EPS).rsqrt().to(wide)
        sums = _run("batch_norm_backward_reduce", grad, x, mean, inverse, weight, True, True, True)
        centered = exact - _view(mean, x)
        sum_grad = grad.double().sum(_others(x))
        moment = (grad.double() * centered).sum(_others(x))
        for actual, expected in zip(
            sums, (sum_grad, moment, moment * inverse, sum_grad), strict=True
        ):
            _close(actual, expected, dtype)
        none = _run("batch_norm_backward_reduce", grad, x, mean, inverse, weight, *[False] * 3)
        assert none == (None,) * 4
        # Of two processes with twice the elements in all.
        count = x.numel() // x.shape[1]
        counts = torch.tensor([count, count], device=DEVICE, dtype=torch.int32)
        for w in (weight, None):
            out = _run("batch_norm_backward_elemt", grad, x, mean, inverse, w, *sums[:2], counts)
            along = _view(sum_grad, x) + centered * _view(inverse.double() ** 2 * moment, x)
            expected = (grad.double() - along / (2 * count)) * _view(inverse, x)
            _close(out, expected if w is None else expected * _view(w, x), dtype)


@pytest.mark.parametrize("dtype", TOLERANCE, ids=str)
@pytest.mark.parametrize("shape", SHAPES)
def test_update_stats(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    for x in _inputs(shape, dtype):
        running_mean = torch.zeros(shape[1], dtype=dtype, device=DEVICE)
        running_var = torch.ones(shape[1], dtype=dtype, device=DEVICE)
        mean, variance = _run("batch_norm_update_stats", x, running_mean, running_var, 0.1)
        exact = x.double()
        _close(mean, exact.mean(_others(x)), dtype)
        _close(variance, exact.var(_others(x), unbiased=False), dtype)
        _close(running_mean, 0.1 * exact.mean(_others(x)), dtype)
        _close(running_var, 0.9 + 0.1 * exact.var(_others(x)), dtype)
