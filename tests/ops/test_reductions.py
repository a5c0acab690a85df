# SPDX-License-Identifier: Apache-2.0
"""Reductions, scans and softmax where OpInfo's samples do not go.

Layouts that do not merge, rows beyond a tile or a split, ties, NaN and infinity, determinism.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")

Outcome = torch.Tensor | tuple[torch.Tensor, ...]


def _normal(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(len(shape) + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)


def _served(call: Callable[..., Outcome], *arguments: Any) -> Outcome:
    with tilewise.use(strict=True):
        return call(*arguments)


def _assert_as_stock(call: Callable[..., Outcome], *arguments: Any) -> None:
    # Sums that cancel are allowed a few roundings of the largest partial sum.
    tolerance = {
        torch.float32: {"rtol": 1e-5, "atol": 1e-4},
        torch.bfloat16: {"rtol": 1.6e-2, "atol": 2e-3},
    }.get(arguments[0].dtype, {})
    expected = call(*arguments)
    torch.testing.assert_close(_served(call, *arguments), expected, equal_nan=True, **tolerance)


REDUCTIONS: dict[str, Callable[..., Outcome]] = {
    "sum": torch.sum,
    "mean": torch.mean,
    "amax": torch.amax,
    "var_mean": torch.var_mean,
    "logsumexp": torch.logsumexp,
    "nansum": torch.nansum,
    "count_nonzero": torch.count_nonzero,
    "norm3": lambda x, dim: torch.linalg.vector_norm(x, 3, dim),
    "any": lambda x, dim: torch.any(x > 2, dim),
}


@pytest.mark.parametrize("name", REDUCTIONS)
def test_any_dimensions_of_a_permuted_tensor(name: str) -> None:
    """Up to three kept and three reduced dimensions remain after merging: no copy, no refusal."""
    x = _normal(3, 4, 5, 6, 7)
    for permuted in (x.permute(3, 1, 4, 0, 2), x[:, 1:, ::2].transpose(0, 4)):
        for dim in [(0,), (0, 2), (1, 3), (0, 2, 4), (0, 1, 2, 3, 4)]:
            _assert_as_stock(REDUCTIONS[name], permuted, dim)


@pytest.mark.parametrize("length", [1, 3, 7, 129, 1000])
@pytest.mark.parametrize("dim", [0, 1])
def test_short_and_odd_rows(length: int, dim: int) -> None:
    x = _normal(5, length) if dim == 1 else _normal(length, 70)
    for call in (torch.sum, torch.prod, torch.max, torch.argmin, torch.logsumexp):
        _assert_as_stock(call, x, dim)
    for scan in (torch.cumsum, torch.cummax, torch.logcumsumexp):
        _assert_as_stock(scan, x, dim)
    _assert_as_stock(torch.softmax, x, dim)


def test_rows_without_elements() -> None:
    x = _normal(3, 0)
    for call in (torch.sum, torch.mean, torch.prod, torch.logsumexp, torch.any, torch.all):
        _assert_as_stock(call, x, 1)
    for scan in (torch.cumsum, torch.cummin, torch.softmax):
        _assert_as_stock(scan, x, 1)
    _assert_as_stock(torch.count_nonzero, x, (1,))
    for call in (torch.sum, torch.amax):
        assert _served(call, _normal(0, 3), 1).shape == (0,)


def test_more_elements_than_32_bits_count() -> None:
    """An expanded row: addresses, positions and counts go beyond 2^31 without the memory."""
    x = torch.ones(1, dtype=torch.int8, device=DEVICE).expand(2**31 + 5)
    assert _served(torch.sum, x).item() == 2**31 + 5
    assert _served(torch.argmax, x).item() == 0


TIES = torch.tensor([[1.0, 3.0, 3.0, 1.0], [2.0, 2.0, 2.0, 2.0]])


@pytest.mark.parametrize("repeats", [1, 50, 20_000])
def test_of_equals_the_first_index_is_taken(repeats: int) -> None:
    x = TIES.to(DEVICE).repeat(1, repeats)
    for call in (torch.argmax, torch.argmin):
        _assert_as_stock(call, x, 1)
        _assert_as_stock(call, x)
        _assert_as_stock(call, x.t(), 0)
        _assert_as_stock(call, x.to(torch.int32), 1)
    for scan in (torch.cummax, torch.cummin):  # ... and there the last.
        _assert_as_stock(scan, x, 1)


@pytest.mark.parametrize("fill", [torch.nan, torch.inf, -torch.inf])
def test_rows_of_one_special_value(fill: float) -> None:
    x = torch.full((4, 700), fill, device=DEVICE)
    x[1, 300:310] = 1.0
    x[2, 0] = torch.nan
    for call in (torch.sum, torch.amax, torch.max, torch.argmin, torch.logsumexp, torch.nansum):
        _assert_as_stock(call, x, 1)
    for call in (torch.cumsum, torch.cummax, torch.cummin, torch.logcumsumexp, torch.softmax):
        _assert_as_stock(call, x, 1)
        _assert_as_stock(call, x.t(), 0)
    _assert_as_stock(torch.log_softmax, x, 1)
    _assert_as_stock(torch.ops.aten._safe_softmax, x, 1)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_16_bit_floats_are_no_further_off_than_atens(dtype: torch.dtype) -> None:
    x = _normal(6, 5000, dtype=dtype) + 3
    calls: list[Callable[..., torch.Tensor]] = [
        *(torch.sum, torch.mean, torch.var, torch.std, torch.logsumexp),
        *(torch.softmax, torch.log_softmax, lambda x, dim: torch.linalg.vector_norm(x, 3, dim)),
    ]
    for call in calls:
        for dim in (0, 1):
            exact = call(x.double(), dim)
            stock_error = (call(x, dim).double() - exact).abs().max()
            step = torch.finfo(dtype).eps * exact.abs().max()
            assert (_served(call, x, dim).double() - exact).abs().max() <= stock_error + step / 8


def test_float32_sums_are_no_further_off_than_atens() -> None:
    x = _normal(3, 400_000).abs()
    for view, dim in ((x, 1), (x.t().contiguous(), 0), (x, None)):
        exact = view.double().sum(dim)
        stock = (view.sum(dim).double() - exact).abs().max()
        ours = (_served(torch.sum, view, dim).double() - exact).abs().max()
        assert ours <= 2 * stock + 2 * torch.finfo(torch.float32).eps * exact.abs().max()
    exact = x.double().cumsum(1)
    error = (_served(torch.cumsum, x, 1).double() - exact).abs() / exact
    assert error.max() <= 1e-5 if DEVICE != "cpu" else 1e-6


def test_variance_does_not_suffer_from_a_large_mean() -> None:
    x = _normal(4, 3000) + 1e4
    exact = x.double().var(1)
    stock = ((x.var(1).double() - exact) / exact).abs().max()
    ours = ((_served(torch.var, x, 1).double() - exact) / exact).abs().max()
    assert ours <= max(1e-5, 4 * stock)
    # One element, or many equal ones, so large that their square overflows.
    huge = torch.full((3, 300), 1e30, device=DEVICE)
    assert _served(lambda x: torch.var(x, 1, correction=0), huge).eq(0).all()


# What a shifted pass (codegen/reduction_source.h) must not suffer from, as rows of (6, LONG).
LONG = 30_011


def _far(x: torch.Tensor) -> torch.Tensor:
    return x + 1e4


def _outlier(x: torch.Tensor) -> torch.Tensor:
    return x.index_fill(1, torch.zeros(1, dtype=torch.long, device=x.device), 3e4)


def _late(x: torch.Tensor) -> torch.Tensor:
    """The first elements are far from all others."""
    return torch.cat([x[:, :40] + 1e4, x[:, 40:]], 1)


def _special(x: torch.Tensor) -> torch.Tensor:
    x = x.clone()
    x[0, 17], x[1, -1], x[2, 0] = torch.nan, torch.inf, -torch.inf
    x[3], x[4] = 0.1, -7e3
    return x


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("change", [_far, _outlier, _late, _special])
def test_variance_of_long_rows(
    change: Callable[[torch.Tensor], torch.Tensor], dtype: torch.dtype
) -> None:
    x = change(_normal(6, LONG)).to(dtype)
    outer = torch.stack([x[:, :15000], x[:, -15000:]], 1)
    layouts = [(x, 1), (x.t().contiguous(), 0), (x[:, ::2], 1), (outer, (1, 2)), (x, None)]
    layouts += [(outer.transpose(0, 1)[:, :, 1:], (0, 2)), (x[:, :29952].reshape(-1, 64), 0)]
    for view, dim in layouts:
        exact, stock = torch.var_mean(view.double(), dim), torch.var_mean(view, dim)
        ours = _served(torch.var_mean, view, dim)
        # Of infinite elements ATen's mean is NaN unless they come last.
        is_finite, spread = ~stock[0].isnan(), exact[0].sqrt()
        assert torch.equal(~ours[0].isnan(), is_finite)
        # The means of parts are rounded, and lie some tenths of the spread apart at most.
        rounding = 2e-7 * exact[1].abs()
        roundings = (rounding * (rounding + 0.1 * spread), rounding)
        for wanted, theirs, got, rounded in zip(exact, stock, ours, roundings, strict=True):
            steps = torch.finfo(dtype).eps * wanted.abs() + 2e-6 * (wanted.abs() + spread)
            allowed = 4 * (theirs.double() - wanted).abs() + steps + rounded
            assert ((got.double() - wanted).abs() <= allowed)[is_finite].all()


def test_equal_bits_from_run_to_run() -> None:
    x = _normal(5, 300_000, dtype=torch.bfloat16)
    for call in (torch.sum, torch.var, torch.logsumexp, torch.cumsum, torch.softmax):
        for view, dim in ((x, 1), (x.t(), 0)):
            first = _served(call, view, dim)
            threads = torch.get_num_threads()
            torch.set_num_threads(1)
            second = _served(call, view, dim)
            torch.set_num_threads(threads)
            assert torch.equal(first, second)


def _with_gradients(call: Callable[..., torch.Tensor], *inputs: torch.Tensor) -> Outcome:
    leaves = [x.clone().requires_grad_() for x in inputs]
    out = call(*leaves)
    return out.detach(), *torch.autograd.grad(out, leaves, torch.linspace(-1, 1, out.numel(),
        device=out.device, dtype=out.dtype).view(out.shape))  # fmt: skip


# What sums in several programs, beside the reductions themselves.
SUMMING: dict[str, Callable[[torch.Tensor], Outcome]] = {
    "norms": lambda x: (x.norm(), torch.linalg.vector_norm(x, 3, 0), x.std(), x.prod(1)),
    "scans": lambda x: (x.cumprod(1), *x.cummax(1), x.logcumsumexp(0)),
    "layer_norm": lambda x: _with_gradients(
        lambda x, w, b: F.layer_norm(x, w.shape, w, b), x, x[0], x[1]
    ),
    "batch_norm": lambda x: _with_gradients(
        lambda x, w, b: F.batch_norm(x, None, None, w, b, training=True), x, x[0], x[1]
    ),
    "group_norm": lambda x: _with_gradients(
        lambda x, w, b: F.group_norm(x.view(2, -1, x.shape[1]), 7, w, b),
        *(x, x.flatten()[:350], x.flatten()[-350:]),
    ),
    "losses": lambda x: _with_gradients(
        lambda x: F.mse_loss(x, x.detach().flip(0)) + F.cross_entropy(x, x.detach().argmin(1)), x
    ),
    "distances": lambda x: _with_gradients(lambda x: torch.pdist(x[:99, :70].contiguous()), x),
    "counts": lambda x: (x.flatten().abs().long().bincount(x.flatten()), x.histc(20)),
}


@pytest.mark.parametrize("name", SUMMING)
def test_equal_bits_with_any_number_of_threads(name: str) -> None:
    x = _normal(700, 300)
    first = _served(SUMMING[name], x)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    second = _served(SUMMING[name], x)
    torch.set_num_threads(threads)
    for a, b in zip(first, second, strict=True):
        assert torch.equal(a, b)


@pytest.mark.skipif(DEVICE != "cuda", reason="compares a GPU with a CPU")
def test_equal_bits_on_a_cpu_and_a_gpu() -> None:
    """What docs/numerics.md promises: extrema, their indices, and sums of integers."""
    x = _normal(300, 5000)
    integers = (x * 100).to(torch.int32)
    calls: list[Callable[..., torch.Tensor]] = [
        *(torch.amax, torch.argmin, torch.any, torch.count_nonzero),
        *(lambda x, dim: x.max(dim).indices, lambda x, dim: x.cummin(dim).values),
    ]
    for dim in (0, 1):
        for call in calls:
            assert torch.equal(_served(call, x, dim).cpu(), _served(call, x.cpu(), dim))
        for call in (torch.sum, torch.prod, torch.cumsum):
            on_gpu = _served(call, integers, dim)
            assert torch.equal(on_gpu.cpu(), _served(call, integers.cpu(), dim))


def test_scan_in_place() -> None:
    for dim in (0, 1):
        x = _normal(40, 1500)
        expected = x.cumsum(dim)
        _served(lambda x, dim: x.cumsum_(dim), x, dim)
        # Sums that cancel are off by a few roundings of the largest partial sum.
        torch.testing.assert_close(x, expected, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("length", [7, 20_000])
@pytest.mark.parametrize("dim", [1, 3])
def test_masked_softmax(dim: int, length: int) -> None:
    x = _normal(2, length, 1, 3) if dim == 1 else _normal(2, 1, 3, length)
    mask = x > 0.5
    mask[1] = True  # a row that is masked as a whole
    forward = torch.ops.aten._masked_softmax
    _assert_as_stock(forward, x, mask, dim, 2)
    out = forward(x, mask, dim, 2)
    grad = _normal(*x.shape) + 1
    _assert_as_stock(torch.ops.aten._masked_softmax_backward, grad, out, mask, dim)


def test_masks_of_attention() -> None:
    x = _normal(2, 4, 5, 5)  # ATen's GPU kernel wants an even number of heads
    forward = torch.ops.aten._masked_softmax
    for mask, kind in ((_normal(5, 5) > 0.5, 0), (_normal(2, 5) > 0.5, 1)):
        _assert_as_stock(forward, x, mask, 3, kind)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_softmax_along_a_middle_dimension_that_does_not_merge(dtype: torch.dtype) -> None:
    x = _normal(3, 4, 50, 6, 2, dtype=dtype).permute(3, 0, 2, 4, 1)
    for dim in range(5):
        _assert_as_stock(F.softmax, x, dim)
        if dtype == torch.float32:  # ATen's bfloat16 is off by 4 % near 0, where ours is exact.
            _assert_as_stock(F.log_softmax, x, dim)
        _assert_as_stock(
            lambda g, y, dim=dim: torch.ops.aten._softmax_backward_data(g, y, dim, y.dtype),
            _normal(*x.shape, dtype=dtype),
            F.softmax(x, dim),
        )
