# SPDX-License-Identifier: Apache-2.0
"""Margin losses of more classes than a tile holds, distances of long rows, and products."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
REDUCTIONS = ["none", "mean", "sum"]


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE)


def _check(run: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor) -> None:
    """Result and gradient, against PyTorch's. In float64: it adds one by one, we do not."""
    results = []
    for active in (False, True):
        leaf = x.detach().requires_grad_()
        with tilewise.use(active=active, strict=True):
            out = run(leaf)
        grad = _random(*out.shape, seed=9).to(out.dtype)
        with tilewise.use(active=active, strict=True):
            out.backward(grad)
        results.append((out.detach(), leaf.grad))
    for actual, expected in zip(results[1], results[0], strict=True):
        torch.testing.assert_close(actual, expected, rtol=2e-5, atol=2e-5)


CLASSES = pytest.mark.parametrize(("rows", "classes"), [(1, 1), (7, 3), (5, 1500)])


@CLASSES
@pytest.mark.parametrize("p", [1, 2])
def test_multi_margin_of_many_classes(rows: int, classes: int, p: int) -> None:
    loss = torch.nn.functional.multi_margin_loss
    target = torch.arange(rows, device=DEVICE) * 7 % classes
    weight = _random(classes, seed=1).abs()
    for x in (_random(rows, classes), _random(classes, rows).t()):
        for reduction in REDUCTIONS:
            _check(lambda t, r=reduction: loss(t, target, p=p, reduction=r), x)
            _check(lambda t, r=reduction: loss(t, target, p, 0.5, weight, reduction=r), x)


@CLASSES
def test_multilabel_margin_of_many_classes(rows: int, classes: int) -> None:
    loss = torch.nn.functional.multilabel_margin_loss
    target = torch.randint(0, classes, (rows, classes), generator=torch.Generator())
    target[:, min(2, classes - 1)] = -1
    if rows > 1:
        target[0, 0] = -1  # no label
        target[1] = target[1].abs()  # a label in each place
    target = target.to(DEVICE)
    for x in (_random(rows, classes), _random(classes, rows).t()):
        for reduction in REDUCTIONS:
            _check(lambda t, r=reduction: loss(t, target, reduction=r), x)


def test_targets_out_of_range_raise_on_a_cpu() -> None:
    if DEVICE != "cpu":
        pytest.skip("an assertion on the device ends the process")
    x = _random(3, 5)
    with tilewise.use(), pytest.raises(RuntimeError, match="out of range"):
        torch.nn.functional.multi_margin_loss(x, torch.tensor([0, 5, 1]))
    with tilewise.use(), pytest.raises(RuntimeError, match="out of range"):
        torch.nn.functional.multilabel_margin_loss(x, torch.full((3, 5), 5))


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0, 1.5, 2.0, 3.0, float("inf")])
@pytest.mark.parametrize(("rows", "columns"), [(2, 1), (5, 3), (33, 300), (150, 20)])
def test_distances_of_long_rows(rows: int, columns: int, p: float) -> None:
    x = _random(rows, columns)
    x[-1] = x[0]  # a distance of 0
    _check(lambda t: torch.pdist(t, p), x)
    others = _random(2, 4, columns, seed=1)
    others[0, 0] = x[0]
    mode = "donot_use_mm_for_euclid_dist"
    _check(lambda t: torch.cdist(t[None], others, p, mode), x)
    _check(lambda t: torch.cdist(x[None], t, p, mode), others)


def test_distances_by_matrix_product_are_served() -> None:
    x, y = _random(30, 8), _random(40, 8, seed=1)
    expected = torch.cdist(x, y)
    tilewise.reset()
    with tilewise.use():
        actual = torch.ops.aten._cdist_forward(x, y, 2.0, None)
    assert tilewise.report()["operators"][f"_cdist_forward/{DEVICE}"]["served"] == 1
    torch.testing.assert_close(actual, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_products_of_long_vectors(dtype: torch.dtype) -> None:
    x, y = _random(100001).to(dtype), _random(100001, seed=1).to(dtype)
    matrix = _random(300, 200).to(dtype)
    with tilewise.use(strict=True):
        results = [torch.dot(x, y), torch.vdot(x[::3], y[::3]), matrix.trace(), matrix.t().trace()]
    x, y, matrix = x.double(), y.double(), matrix.double()
    exact = [x @ y, x[::3] @ y[::3], matrix.trace(), matrix.trace()]
    tolerance = {torch.float64: 1e-12, torch.float32: 1e-5, torch.bfloat16: 8e-3}[dtype]
    for actual, expected in zip(results, exact, strict=True):
        assert actual.dtype is dtype
        assert (actual.double() - expected).abs() <= tolerance * max(300, expected.abs().item())
