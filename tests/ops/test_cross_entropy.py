# SPDX-License-Identifier: Apache-2.0
"""cross_entropy beyond OpInfo: a composite operator of PyTorch that one kernel serves as a whole.

Layouts and lengths of rows, derivatives of every kind, and what is left to PyTorch's composite.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
F64, F32, BF16 = torch.float64, torch.float32, torch.bfloat16


def _logits(*shape: int, dtype: torch.dtype = F32, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return (scale * torch.randn(shape, generator=generator, dtype=F64)).to(DEVICE, dtype)


def _targets(x: torch.Tensor, ignored: int = 1) -> torch.Tensor:
    classes = x.shape[min(1, x.dim() - 1)]
    shape = x.select(min(1, x.dim() - 1), 0).shape
    generator = torch.Generator().manual_seed(7)
    target = torch.randint(0, classes, shape, generator=generator)
    target.reshape(-1)[:ignored] = -100
    return target.to(DEVICE)


def _loss_and_gradient(x: torch.Tensor, target: torch.Tensor, **options) -> list[torch.Tensor]:
    x = x.detach().requires_grad_()
    loss = F.cross_entropy(x, target, **options)
    scale = torch.linspace(0.5, 1.5, loss.numel(), device=DEVICE, dtype=loss.dtype)
    return [loss.detach(), *torch.autograd.grad(loss, x, scale.reshape(loss.shape))]


def _served() -> int:
    return tilewise.report()["operators"][f"cross_entropy_loss/{DEVICE}"]["served"]


def _reasons() -> dict[str, int]:
    return tilewise.report()["operators"][f"cross_entropy_loss/{DEVICE}"]["fell_back"]


LAYOUTS: dict[str, Callable[[torch.dtype], torch.Tensor]] = {
    "one row": lambda dtype: _logits(7, dtype=dtype),
    "short rows": lambda dtype: _logits(70, 3, dtype=dtype),
    "long rows": lambda dtype: _logits(3, 9001, dtype=dtype),
    "longer rows": lambda dtype: _logits(2, 40_000, dtype=dtype),
    "transposed": lambda dtype: _logits(37, 70, dtype=dtype).t(),
    "every other class": lambda dtype: _logits(9, 260, dtype=dtype)[:, ::2],
    "a dimension": lambda dtype: _logits(3, 5, 300, dtype=dtype),
    "three dimensions": lambda dtype: _logits(2, 21, 3, 4, 5, dtype=dtype),
    "channels_last": lambda dtype: _logits(2, 21, 9, 10, dtype=dtype).to(
        memory_format=torch.channels_last
    ),
    "part of the channels": lambda dtype: _logits(2, 9, 17, 18, dtype=dtype)[:, 2:7],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", [F32, BF16])
def test_layouts_against_float64(layout: str, dtype: torch.dtype) -> None:
    x = LAYOUTS[layout](dtype)
    target = _targets(x, ignored=0 if x.dim() == 1 else 1)
    weight = _logits(x.shape[min(1, x.dim() - 1)], dtype=dtype).abs()
    for options in (
        {},
        {"reduction": "none"},
        {"reduction": "sum", "weight": weight},
        {"weight": weight, "label_smoothing": 0.3},
    ):
        wide = {k: v.double() if isinstance(v, torch.Tensor) else v for k, v in options.items()}
        right = _loss_and_gradient(x.double(), target, **wide)
        stock = _loss_and_gradient(x, target, **options)
        tilewise.reset()
        with tilewise.use(strict=True):
            actual = _loss_and_gradient(x, target, **options)
            again = _loss_and_gradient(x, target, **options)
        assert _served() == 2
        for a, b, s, r in zip(actual, again, stock, right, strict=True):
            assert a.equal(b), "not the same from run to run"
            assert (a.dtype, a.shape, a.stride()) == (s.dtype, s.shape, s.stride())
            error, stock_error = ((t.double() - r).abs().max() for t in (a, s))
            assert error <= 2 * stock_error + torch.finfo(dtype).eps * r.abs().max()


def test_digits_of_rows_far_from_zero_are_kept() -> None:
    x = _logits(20, 1000) + 3e4
    target = _targets(x)
    right = _loss_and_gradient(x.double(), target, label_smoothing=0.5)
    with tilewise.use(strict=True):
        actual = _loss_and_gradient(x, target, label_smoothing=0.5)
    for a, r in zip(actual, right, strict=True):
        torch.testing.assert_close(a.double(), r, rtol=1e-5, atol=1e-8)


def test_infinite_and_missing_logits() -> None:
    x = _logits(8, 33)
    inf, nan = float("inf"), float("nan")
    x[0] = -inf
    x[1, 3], x[2, 3], x[3, 3], x[4, 5] = inf, nan, -inf, -inf
    x[5] = nan
    target = torch.full((8,), 3, device=DEVICE)
    target[5], target[6] = -100, -100
    for options in ({}, {"reduction": "none"}, {"reduction": "none", "label_smoothing": 0.1}):
        expected = _loss_and_gradient(x, target, **options)
        with tilewise.use(strict=True):
            actual = _loss_and_gradient(x, target, **options)
        for a, e in zip(actual, expected, strict=True):
            # The gradient of an ignored row is 0 here, also where its logits are NaN.
            rows = slice(0, 5) if a.dim() else slice(None)
            torch.testing.assert_close(a[rows] if a.dim() else a, e[rows] if e.dim() else e,
                                       equal_nan=True)  # fmt: skip


def test_only_ignored_rows() -> None:
    x = _logits(3, 5)
    target = torch.full((3,), -100, device=DEVICE)
    for reduction in ("none", "mean", "sum"):
        expected = F.cross_entropy(x, target, reduction=reduction)
        with tilewise.use(strict=True):
            actual, gradient = _loss_and_gradient(x, target, reduction=reduction)
        torch.testing.assert_close(actual, expected, equal_nan=True)
        assert not gradient.any()


@pytest.mark.parametrize("options", [{}, {"label_smoothing": 0.2}, {"reduction": "none"}])
@pytest.mark.parametrize("weighted", [False, True])
def test_derivatives_of_both_orders(options: dict, weighted: bool) -> None:
    x = _logits(2, 3, 4, dtype=F64).requires_grad_()
    weight = _logits(3, dtype=F64).abs() if weighted else None
    target = _targets(x)
    call = lambda x: F.cross_entropy(x, target, weight, **options)  # noqa: E731
    with tilewise.use(strict=True):
        assert torch.autograd.gradcheck(call, x)
        assert torch.autograd.gradgradcheck(call, x)


def test_gradient_penalty_reaches_what_made_the_logits() -> None:
    w, hidden = _logits(6, 5).requires_grad_(), _logits(4, 6)
    target = _targets(hidden @ w)

    def run() -> torch.Tensor:
        x = torch.tanh(hidden @ w)
        (grad,) = torch.autograd.grad(F.cross_entropy(x, target), x, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), w)[0]

    expected = run()
    with tilewise.use():
        torch.testing.assert_close(run(), expected)


def test_functorch_forward_mode_and_batched_gradients() -> None:
    x, tangent = _logits(4, 6), _logits(6, 4).t().contiguous()
    target = _targets(x)
    loss = lambda x: F.cross_entropy(x, target)  # noqa: E731
    per_row = lambda x, t: F.cross_entropy(x, t)  # noqa: E731

    def results() -> list[torch.Tensor]:
        leaf = x.clone().requires_grad_()
        losses = F.cross_entropy(leaf, target, reduction="none")
        rows = torch.eye(4, device=DEVICE)
        return [
            torch.func.grad(loss)(x),
            torch.func.jvp(loss, (x,), (tangent,))[1],
            torch.func.hessian(loss)(x),
            torch.func.vmap(per_row)(x, target.clamp(min=0)),
            torch.autograd.grad(losses, leaf, rows, is_grads_batched=True)[0],
        ]

    expected = results()
    with tilewise.use():
        for actual, right in zip(results(), expected, strict=True):
            torch.testing.assert_close(actual, right)


def test_compiled_functions_trace_pytorchs_composite() -> None:
    x, target = _logits(4, 6), _targets(_logits(4, 6))
    compiled = torch.compile(_loss_and_gradient, backend="aot_eager")
    with tilewise.use():
        for actual, right in zip(compiled(x, target), _loss_and_gradient(x, target), strict=True):
            torch.testing.assert_close(actual, right)


def test_inference_mode_is_served() -> None:
    x = _logits(4, 6)
    target = _targets(x)
    expected = F.cross_entropy(x, target)
    tilewise.reset()
    with tilewise.use(strict=True), torch.inference_mode():
        torch.testing.assert_close(F.cross_entropy(x, target), expected)
    assert _served() == 1


def test_autocast_gives_float32() -> None:
    x = _logits(4, 6, dtype=BF16).requires_grad_()
    target = _targets(x)

    def run() -> list[torch.Tensor]:
        with torch.autocast(DEVICE, BF16):
            loss = F.cross_entropy(x, target)
        return [loss.detach(), *torch.autograd.grad(loss, x)]

    expected = run()
    tilewise.reset()
    with tilewise.use(strict=True):
        actual = run()
    assert _served() == 1
    # PyTorch's log-probabilities are rounded to bf16 in between on a GPU; ours are not written.
    rounding = 2.0**-8 if DEVICE == "cuda" else 1.3e-6
    torch.testing.assert_close(actual[0], expected[0], rtol=rounding, atol=1e-5)
    torch.testing.assert_close(actual[1], expected[1])


def test_probabilities_as_targets_are_left_to_the_composite() -> None:
    x = _logits(4, 6)
    expected = F.cross_entropy(x, torch.softmax(x, 1))
    tilewise.reset()
    # Counted, but no error of a strict scope: the composite's own operators are judged one by one.
    with tilewise.use(strict=True):
        torch.testing.assert_close(F.cross_entropy(x, torch.softmax(x, 1)), expected)
    assert [r for r in _reasons() if "probabilities" in r], _reasons()


def test_a_weight_that_wants_a_gradient_is_pytorchs_error() -> None:
    x = _logits(4, 6)
    weight = _logits(6).abs().requires_grad_()
    with tilewise.use(), pytest.raises(RuntimeError, match="not differentiable"):
        F.cross_entropy(x, _targets(x), weight, label_smoothing=0.1)
