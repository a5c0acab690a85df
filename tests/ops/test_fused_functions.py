# SPDX-License-Identifier: Apache-2.0
"""tilewise.nn.functional against what the functions stand for, composed of PyTorch's operators."""

from __future__ import annotations

import os
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import tilewise.nn.functional as TF

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
DTYPES = (torch.float32, torch.bfloat16, torch.float64)


def _random(*shape: int, dtype: torch.dtype, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)


def _gradients(call: Any, *tensors: torch.Tensor) -> list[torch.Tensor]:
    inputs = [t.detach().clone().requires_grad_() for t in tensors]
    results = call(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    seeds = [_random(*r.shape, dtype=r.dtype, seed=9) for r in results]
    grads = torch.autograd.grad(results, inputs, seeds, allow_unused=True)
    return [*[r.detach() for r in results], *[g for g in grads if g is not None]]


def _compare(ours: Any, composed: Any, *tensors: torch.Tensor) -> None:
    actual, stock = _gradients(ours, *tensors), _gradients(composed, *tensors)
    exact = _gradients(composed, *[t.double() for t in tensors])
    for a, s, e in zip(actual, stock, exact, strict=True):
        assert (a.dtype, a.shape) == (s.dtype, s.shape)
        steps = 1000 if a.dtype == torch.float64 else 8  # there the exact result is PyTorch's own
        allowed = 2 * (s.double() - e).abs().max()
        allowed += steps * torch.finfo(a.dtype).eps * e.abs().max()
        assert (a.double() - e).abs().max() <= allowed


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(3, 5, 129), (2, 9000), (700, 16)])
def test_add_and_norm(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    n = shape[-1]
    x, residual = _random(*shape, dtype=dtype), _random(*shape, dtype=dtype, seed=1)
    weight, bias = _random(n, dtype=dtype), _random(n, dtype=dtype, seed=2)

    def composed_rms(x: Any, residual: Any, weight: Any) -> Any:
        return F.rms_norm(x + residual, (n,), weight, 1e-5), x + residual

    _compare(lambda *t: TF.add_rms_norm(*t, eps=1e-5), composed_rms, x, residual, weight)

    def composed_layer(x: Any, residual: Any, weight: Any, bias: Any) -> Any:
        return F.layer_norm(x + residual, (n,), weight, bias), x + residual

    _compare(TF.add_layer_norm, composed_layer, x, residual, weight, bias)


def test_add_and_norm_without_parameters_and_of_one_output() -> None:
    x, residual = (_random(2, 4, 6, dtype=torch.float64, seed=i) for i in range(2))
    for part in (0, 1):
        _compare(
            lambda *t, part=part: TF.add_layer_norm(*t, normalized_shape=(4, 6))[part],
            lambda a, b, part=part: (F.layer_norm(a + b, (4, 6)), a + b)[part],
            x,
            residual,
        )
    with pytest.raises(RuntimeError, match="agree in shape"):
        TF.add_rms_norm(x, residual[:1])


CROSS_ENTROPY_OPTIONS = [
    {},
    {"reduction": "sum", "label_smoothing": 0.3},
    {"reduction": "none", "label_smoothing": 0.1},
    {"ignore_index": 2, "label_smoothing": 0.2},
]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("options", CROSS_ENTROPY_OPTIONS)
@pytest.mark.parametrize("sizes", [(37, 11, 8), (2100, 5, 8), (3, 17_000, 4)])
def test_linear_cross_entropy(
    sizes: tuple[int, int, int], options: dict[str, Any], weighted: bool, dtype: torch.dtype
) -> None:
    rows, classes, features = sizes
    if rows * classes > 1000 and dtype == torch.float64 and weighted:
        pytest.skip("as without weights")
    x, weight = _random(rows, features, dtype=dtype), _random(classes, features, dtype=dtype)
    bias = _random(classes, dtype=dtype)
    target = (torch.arange(rows, device=DEVICE) * 7) % classes
    class_weight = _random(classes, dtype=dtype, seed=3).abs() if weighted else None

    def composed(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        weights = None if class_weight is None else class_weight.to(x.dtype)
        return F.cross_entropy(F.linear(x, weight, bias), target, weights, **options)

    def ours(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
        return TF.linear_cross_entropy(
            x, weight, target, bias, class_weight=class_weight, **options
        )

    _compare(ours, composed, x, weight, bias)


def test_linear_cross_entropy_errors_and_empty() -> None:
    x, weight = torch.ones(3, 4, device=DEVICE), torch.ones(5, 4, device=DEVICE)
    target = torch.tensor([0, 1, 9], device=DEVICE)
    if DEVICE == "cpu":
        with pytest.raises(IndexError, match="Target 9 is out of bounds"):
            TF.linear_cross_entropy(x, weight, target)
    with pytest.raises(ValueError, match="not a valid value"):
        TF.linear_cross_entropy(x, weight, target, reduction="all")
    with pytest.raises(RuntimeError, match="features"):
        TF.linear_cross_entropy(x[:, :2], weight, target)
    assert TF.linear_cross_entropy(x[:0], weight, target[:0]).isnan()
    everything = torch.full((3,), -100, device=DEVICE)
    assert TF.linear_cross_entropy(x, weight, everything).isnan()


def test_operators_are_registered_as_pytorch_wants_them() -> None:
    """Schema, fake implementation and derivative agree: what torch.compile relies on."""
    x, residual = (_random(3, 8, dtype=torch.float32, seed=i).requires_grad_() for i in range(2))
    weight, bias = (_random(8, dtype=torch.float32, seed=i).requires_grad_() for i in (2, 3))
    check = torch.library.opcheck
    operators = torch.ops.tilewise
    check(operators.add_layer_norm, (x, residual, [8], weight, bias, 1e-5))
    check(operators.add_rms_norm, (x, residual, [8], weight, None))
    classes = _random(5, 8, dtype=torch.float32).requires_grad_()
    target = torch.tensor([0, 4, 2], device=DEVICE)
    check(operators.linear_cross_entropy, (x, classes, None, target, None, 1, -100, 0.1))
