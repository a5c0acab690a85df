# SPDX-License-Identifier: Apache-2.0
"""Sizes beyond OpInfo's samples, where operators take another kernel or a second launch."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
DTYPES = (torch.float32, torch.bfloat16)


def _random(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)


def _check(
    call: Callable[..., torch.Tensor | tuple[torch.Tensor, ...]],
    *tensors: torch.Tensor,
    served: str,
    slack: int = 4,
) -> None:
    """Served results against float64's, within twice the distance of stock PyTorch's and `slack`
    roundings more.
    """

    def wide(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.double() if tensor.is_floating_point() else tensor

    exact = call(*[wide(t) for t in tensors])
    stock = call(*tensors)
    tilewise.reset()
    with tilewise.use():
        actual = call(*tensors)
    counts = tilewise.report()["operators"][f"{served}/{DEVICE}"]
    assert counts["served"] > 0 and not counts["fell_back"], counts
    as_tuple = lambda value: value if isinstance(value, tuple) else (value,)  # noqa: E731
    for a, s, e in zip(as_tuple(actual), as_tuple(stock), as_tuple(exact), strict=True):
        assert a.dtype == s.dtype and a.shape == s.shape
        step = torch.finfo(a.dtype).eps
        finite = e.isfinite()
        assert a[~finite].double().equal(e[~finite])
        a, s, e = a[finite].double(), s[finite].double(), e[finite]
        allowed = 2 * (s - e).abs().max() + slack * step * e.abs().max()
        assert (a - e).abs().max() <= allowed


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_in_splits(dtype: torch.dtype) -> None:
    x = _random(3, 300_001, dtype=dtype)
    _check(lambda x: x.sum(1), x, served="sum.dim_IntList")
    _check(lambda x: x.mean(1), x, served="mean.dim")
    _check(lambda x: x.sum(), x, served="sum")
    _check(lambda x: x.sum(0), x.t().contiguous().t(), served="sum.dim_IntList")
    _check(lambda x: torch.linalg.vector_norm(x), x, served="linalg_vector_norm")
    _check(lambda x: x.amax(), x, served="amax")


@pytest.mark.parametrize("dtype", DTYPES)
def test_sum_of_few_long_columns(dtype: torch.dtype) -> None:
    _check(lambda x: x.sum(0), _random(140_000, 3, dtype=dtype), served="sum.dim_IntList")


def test_sum_of_bool_counts_in_64_bits() -> None:
    x = torch.ones(2, 300_000, dtype=torch.bool, device=DEVICE)
    with tilewise.use():
        total = x.sum(1)
    assert total.dtype == torch.int64
    assert total.tolist() == [300_000, 300_000]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_rows_longer_than_a_tile(name: str, dtype: torch.dtype) -> None:
    function = getattr(F, name)
    backward = getattr(torch.ops.aten, f"_{name}_backward_data")
    x = _random(3, 40_000, dtype=dtype) * 4
    x[1, :30_000] = -torch.inf  # the running maximum stays -inf over whole tiles
    _check(lambda x: function(x, -1), x, served=f"_{name}")
    y = function(_random(3, 40_000, dtype=dtype), -1)
    _check(lambda g, y: backward(g, y, 1, g.dtype), x.nan_to_num(neginf=0), y,
           served=f"_{name}_backward_data")  # fmt: skip


def test_softmax_of_only_minus_infinity_is_nan() -> None:
    for length in (7, 40_000):
        with tilewise.use():
            assert F.softmax(torch.full((1, length), -torch.inf, device=DEVICE), 1).isnan().all()


def test_softmax_of_infinity_is_nan() -> None:
    for shape, dim in (((2, 100), 1), ((2, 40_000), 1), ((1501, 70), 0)):
        x = _random(*shape, dtype=torch.float32)
        x[1, 1] = torch.inf
        with tilewise.use(strict=True):
            result = F.softmax(x, dim).select(1 - dim, 1)
        assert result.isnan().all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmax_of_long_columns(name: str, dtype: torch.dtype) -> None:
    x = _random(1501, 70, dtype=dtype) * 4
    _check(lambda x: getattr(F, name)(x, 0), x, served=f"_{name}")


def _check_scans(x: torch.Tensor, dim: int, spread: int) -> None:
    """`spread`: what x is divided by where products are taken."""

    def maxima(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        values, indices = x.cummax(dim)
        return values, indices.double()

    _check(maxima, x, served="cummax")
    _check(lambda x: x.cumsum(dim), x, served="cumsum")
    _check(lambda x: x.logcumsumexp(dim), x, served="logcumsumexp")
    _check(lambda x: x.cumprod(dim), 1 + x / spread, served="cumprod")


@pytest.mark.parametrize("dtype", DTYPES)
def test_scans_of_long_columns(dtype: torch.dtype) -> None:
    _check_scans(_random(1100, 40, dtype=dtype), 0, 64)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scans_of_few_long_rows(dtype: torch.dtype) -> None:
    """Each is split over many programs."""
    x = _random(3, 300_001, dtype=dtype)
    _check_scans(x, 1, 4096)
    _check(lambda x: x.cumsum(1), x[:, ::2], served="cumsum")


def test_scans_of_a_long_row_are_equal_from_run_to_run() -> None:
    x = _random(1, 3_000_017, dtype=torch.float32)
    with tilewise.use():
        first, (values, indices) = x.cumsum(1), x.cummax(1)
        for _ in range(3):
            assert x.cumsum(1).equal(first)
            again = x.cummax(1)
            assert again.values.equal(values) and again.indices.equal(indices)
        assert x.cumsum_(1).equal(first)
    large = (_random(2, 200_000, dtype=torch.float64) * 2**50).to(torch.int64)
    with tilewise.use():
        actual = large.cumsum(1)
    assert actual.equal(large.cumsum(1))


@pytest.mark.parametrize("dtype", DTYPES)
def test_log_sums_of_many_long_rows(dtype: torch.dtype) -> None:
    x = _random(140, 5000, dtype=dtype)
    x[1, :3000] = -torch.inf
    x[2] = -torch.inf
    x[3, 2500] = torch.inf
    x[4] *= 100  # the running maximum grows by hundreds within a tile
    _check(lambda x: x.logcumsumexp(1), x, served="logcumsumexp")
    _check(lambda x: x.logsumexp(1), x, served="logsumexp")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("length", [3000, 20_000])
def test_layer_norm_of_rows_longer_than_a_tile(length: int, dtype: torch.dtype) -> None:
    x, grad = _random(70, length, dtype=dtype), _random(70, length + 1, dtype=dtype)[:, 1:]
    weight, bias = _random(length, dtype=dtype), _random(length, dtype=dtype) + 1
    _check(lambda x, w, b: F.layer_norm(x, [length], w, b), x, weight, bias,
           served="native_layer_norm")  # fmt: skip

    def backward(g: torch.Tensor, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> tuple:
        with tilewise.use(active=False):
            _, mean, rstd = torch.native_layer_norm(x, [length], w, b, 1e-5)
        return torch.ops.aten.native_layer_norm_backward(
            g, x, [length], mean, rstd, w, b, [True] * 3
        )

    _check(backward, grad, x, weight, bias, served="native_layer_norm_backward")


@pytest.mark.parametrize("dtype", DTYPES)
def test_nll_loss_of_many_rows(dtype: torch.dtype) -> None:
    x = F.log_softmax(_random(20_000, 5, dtype=dtype), 1)
    target = torch.arange(20_000, device=DEVICE) % 5
    target[::7] = -100
    for reduction in ("none", "mean", "sum"):
        _check(lambda x, t: F.nll_loss(x, t, reduction=reduction), x, target,  # noqa: B023
               served="nll_loss_forward")  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_nll_loss_of_many_pixels(dtype: torch.dtype) -> None:
    x = F.log_softmax(_random(3, 5, 57, 60, dtype=dtype), 1)
    target = torch.arange(3 * 57 * 60, device=DEVICE).view(3, 57, 60) % 5
    target[:, 3] = -100
    weight = _random(5, dtype=dtype).abs()
    for reduction in ("none", "mean", "sum"):
        _check(lambda x, t, w: F.nll_loss(x, t, w, reduction=reduction), x, target,  # noqa: B023
               weight, served="nll_loss2d_forward")  # fmt: skip


@pytest.mark.parametrize("dtype", DTYPES)
def test_embedding_gradient_of_a_frequent_row(dtype: torch.dtype) -> None:
    grad = _random(3000, 70, dtype=dtype)
    index = torch.zeros(3000, dtype=torch.int64, device=DEVICE)
    index[::3] = torch.arange(1000, device=DEVICE)
    # By atomics on GPUs: 2000 additions in an order of their own on every run.
    _check(lambda g, i: torch.ops.aten.embedding_dense_backward(g, i, 1001, 5, False), grad, index,
           served="embedding_dense_backward", slack=16)  # fmt: skip


def test_cat_of_more_inputs_than_one_launch_takes() -> None:
    pieces = [_random(6, n, dtype=torch.float32) for n in (1, 70, 3, 129, 2, 5, 1000)]
    pieces[3] = pieces[3].t().contiguous().t()
    _check(lambda *p: torch.cat(p, 1), *pieces, served="cat")
    _check(lambda *p: torch.cat([t[:, :1] for t in p], 0), *pieces, served="cat")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("transposed", [False, True])
def test_matrix_product_of_several_tiles(transposed: bool, dtype: torch.dtype) -> None:
    a, b = _random(130, 300, dtype=dtype), _random(300, 200, dtype=dtype)
    bias = _random(200, dtype=dtype)
    if transposed:
        a, b = a.t().contiguous().t(), b.t().contiguous().t()
    _check(lambda c, a, b: torch.addmm(c, a, b, beta=0.5, alpha=2), bias, a, b, served="addmm")
    _check(lambda a, b: torch.bmm(a.expand(3, -1, -1), b.expand(3, -1, -1)), a, b, served="bmm")
