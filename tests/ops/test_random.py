# SPDX-License-Identifier: Apache-2.0
"""Random operators: distribution, and PyTorch's generator as the only state."""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
COUNT = 200_003

FILLS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "bernoulli_.float": lambda t: t.bernoulli_(0.3),
    "normal_": lambda t: t.normal_(1.5, 2.0),
    "uniform_": lambda t: t.uniform_(-1.0, 3.0),
}
MOMENTS = {
    "bernoulli_.float": (0.3, 0.3 * 0.7),
    "normal_": (1.5, 4.0),
    "uniform_": (1.0, 16.0 / 12),
}


def _dropout(p: float, count: int = COUNT, dtype: torch.dtype = torch.float32) -> tuple:
    with tilewise.use(strict=True):
        return torch.native_dropout(torch.ones(count, device=DEVICE, dtype=dtype), p, True)


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16, torch.float64), ids=str)
@pytest.mark.parametrize("p", (0.1, 0.5, 0.9))
def test_dropout_keeps_and_scales(p: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    out, mask = _dropout(p, dtype=dtype)
    deviation = math.sqrt(p * (1 - p) / COUNT)
    assert abs(mask.double().mean().item() - (1 - p)) < 5 * deviation
    assert mask.dtype == torch.bool
    torch.testing.assert_close(out, mask.to(dtype) * (1 / (1 - p)))


def test_dropout_of_nothing_and_of_everything() -> None:
    out, mask = _dropout(0.0, 1000)
    assert bool(mask.all()) and bool((out == 1).all())
    out, mask = _dropout(1.0, 1000)
    assert not bool(mask.any()) and bool((out == 0).all())


def test_dropout_keeps_layout() -> None:
    x = torch.randn(33, 65, device=DEVICE).t()
    with tilewise.use(strict=True):
        out, mask = torch.native_dropout(x, 0.5, True)
    assert out.stride() == mask.stride() == x.stride()
    torch.testing.assert_close(out, x * mask * 2)


def test_same_seed_same_mask() -> None:
    torch.manual_seed(7)
    first, second = _dropout(0.5)[1], _dropout(0.5)[1]
    torch.manual_seed(7)
    assert torch.equal(_dropout(0.5)[1], first)
    assert torch.equal(_dropout(0.5)[1], second)
    assert not torch.equal(first, second)
    torch.manual_seed(8)
    assert not torch.equal(_dropout(0.5)[1], first)


def test_generator_state_is_saved_and_restored() -> None:
    with torch.random.fork_rng():
        inside = _dropout(0.5)[1]
    assert torch.equal(_dropout(0.5)[1], inside)


def test_masks_of_neighboring_seeds_and_calls_are_independent() -> None:
    masks = []
    for seed in (0, 1):
        torch.manual_seed(seed)
        masks += [_dropout(0.5)[1].double() for _ in range(2)]
    masks.append(masks[0].roll(1))
    for i, a in enumerate(masks):
        for b in masks[:i]:
            agreement = (a == b).double().mean().item()
            assert abs(agreement - 0.5) < 5 * 0.5 / math.sqrt(COUNT)


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_dropout_backward(dtype: torch.dtype) -> None:
    x = torch.randn(40, 51, device=DEVICE, dtype=dtype, requires_grad=True)
    grad = torch.randn(40, 51, device=DEVICE, dtype=dtype)
    tilewise.reset()
    with tilewise.use(strict=True):
        out, mask = torch.native_dropout(x, 0.25, True)
        (actual,) = torch.autograd.grad(out, x, grad)
    torch.testing.assert_close(actual, grad * mask / 0.75)
    counts = tilewise.report()["operators"]
    assert counts[f"native_dropout_backward/{DEVICE}"]["served"] == 1


def test_nn_dropout_is_served() -> None:
    tilewise.reset()
    x = torch.ones(COUNT, device=DEVICE, requires_grad=True)
    torch.manual_seed(3)
    with tilewise.use(strict=True):
        out = torch.nn.functional.dropout(x, 0.2)
        out.sum().backward()
    assert abs((out != 0).double().mean().item() - 0.8) < 0.01
    torch.testing.assert_close(x.grad, out.detach())


def test_calls_that_are_not_served_fall_back() -> None:
    x = torch.ones(10, device=DEVICE)
    tilewise.reset()
    with tilewise.use():
        torch.native_dropout(x, 0.5, False)
    assert tilewise.report()["operators"][f"native_dropout/{DEVICE}"]["served"] == 0


@pytest.mark.parametrize("name", FILLS)
@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_fill_has_its_moments(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    with tilewise.use(strict=True):
        values = FILLS[name](torch.empty(COUNT, device=DEVICE, dtype=dtype)).double()
    mean, variance = MOMENTS[name]
    rounding = 0.0 if dtype.itemsize > 2 else 0.01
    assert abs(values.mean().item() - mean) < 5 * math.sqrt(variance / COUNT) + rounding
    assert abs(values.var().item() / variance - 1) < 0.03
    if name == "uniform_":
        assert values.min().item() >= -1.0 and values.max().item() < 3.0
    if name == "normal_":
        kurtosis = ((values - mean) ** 4).mean().item() / variance**2
        assert abs(kurtosis - 3) < 0.1


@pytest.mark.parametrize("name", FILLS)
def test_fill_follows_the_generator(name: str) -> None:
    generator = torch.Generator(DEVICE)

    def draw(seed: int) -> torch.Tensor:
        tensor = torch.empty(1000, device=DEVICE)
        generator.manual_seed(seed)
        with tilewise.use(strict=True):
            if name == "bernoulli_.float":
                return tensor.bernoulli_(0.5, generator=generator)
            if name == "normal_":
                return tensor.normal_(generator=generator)
            return tensor.uniform_(generator=generator)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


@pytest.mark.parametrize("name", FILLS)
def test_fill_of_a_strided_tensor_keeps_the_gaps(name: str) -> None:
    base = torch.full((40, 50), 77.0, device=DEVICE)
    with tilewise.use():
        FILLS[name](base[:, ::2])
    assert bool((base[:, 1::2] == 77).all())
    assert not bool((base[:, ::2] == 77).any())


@pytest.mark.parametrize(
    "call",
    (
        lambda t: t.uniform_(2.0, 1.0),
        lambda t: t.normal_(0.0, -1.0),
        lambda t: t.bernoulli_(1.5),
    ),
)
def test_errors_are_pytorchs_own(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    with pytest.raises(RuntimeError) as stock:
        call(torch.empty(3, device=DEVICE))
    with tilewise.use(), pytest.raises(RuntimeError) as ours:
        call(torch.empty(3, device=DEVICE))
    assert str(ours.value) == str(stock.value)
