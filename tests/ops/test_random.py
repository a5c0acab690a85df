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

FILLS: dict[str, Callable[..., torch.Tensor]] = {
    "bernoulli_.float": lambda t, **k: t.bernoulli_(0.3, **k),
    "bernoulli_.Tensor": lambda t, **k: t.bernoulli_(torch.full_like(t, 0.25), **k),
    "cauchy_": lambda t, **k: t.cauchy_(1.0, 2.0, **k),
    "exponential_": lambda t, **k: t.exponential_(0.5, **k),
    "geometric_": lambda t, **k: t.geometric_(0.4, **k),
    "log_normal_": lambda t, **k: t.log_normal_(0.5, 0.25, **k),
    "normal_": lambda t, **k: t.normal_(1.5, 2.0, **k),
    "random_": lambda t, **k: t.random_(**k),
    "random_.from": lambda t, **k: t.random_(-5, 6, **k),
    "random_.to": lambda t, **k: t.random_(10, **k),
    "uniform_": lambda t, **k: t.uniform_(-1.0, 3.0, **k),
}
# Mean and variance; a Cauchy distribution has neither.
MOMENTS = {
    "bernoulli_.float": (0.3, 0.3 * 0.7),
    "bernoulli_.Tensor": (0.25, 0.25 * 0.75),
    "exponential_": (2.0, 4.0),
    "geometric_": (2.5, 0.6 / 0.16),
    "log_normal_": (
        math.exp(0.5 + 0.25**2 / 2),
        (math.exp(0.25**2) - 1) * math.exp(1.0 + 0.25**2),
    ),
    "normal_": (1.5, 4.0),
    "random_.from": (0.0, (11**2 - 1) / 12),
    "random_.to": (4.5, (10**2 - 1) / 12),
    "uniform_": (1.0, 16.0 / 12),
}
# Names of scipy's distributions and their parameters.
CONTINUOUS: dict[str, tuple[str, tuple[float, ...]]] = {
    "cauchy_": ("cauchy", (1.0, 2.0)),
    "exponential_": ("expon", (0.0, 2.0)),
    "log_normal_": ("lognorm", (0.25, 0.0, math.exp(0.5))),
    "normal_": ("norm", (1.5, 2.0)),
    "uniform_": ("uniform", (-1.0, 4.0)),
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


def _fill(name: str, dtype: torch.dtype, count: int = COUNT) -> torch.Tensor:
    with tilewise.use(strict=True):
        return FILLS[name](torch.empty(count, device=DEVICE, dtype=dtype))


@pytest.mark.parametrize("name", MOMENTS)
@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16), ids=str)
def test_fill_has_its_moments(name: str, dtype: torch.dtype) -> None:
    torch.manual_seed(5)
    values = _fill(name, dtype).double()
    mean, variance = MOMENTS[name]
    rounding = 0.0 if dtype.itemsize > 2 else 0.01
    assert abs(values.mean().item() - mean) < 5 * math.sqrt(variance / COUNT) + rounding
    assert abs(values.var().item() / variance - 1) < 0.05
    if name == "uniform_":
        assert values.min().item() >= -1.0 and values.max().item() < 3.0
    if name == "normal_":
        kurtosis = ((values - mean) ** 4).mean().item() / variance**2
        assert abs(kurtosis - 3) < 0.1
    if name == "exponential_":
        assert values.min().item() > 0


@pytest.mark.parametrize("name", CONTINUOUS)
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
def test_fill_has_its_distribution(name: str, dtype: torch.dtype) -> None:
    """Kolmogorov and Smirnov."""
    stats = pytest.importorskip("scipy.stats")
    torch.manual_seed(6)
    distribution, parameters = CONTINUOUS[name]
    values = _fill(name, dtype, 50_000).double().cpu().numpy()
    cumulative = getattr(stats, distribution)(*parameters).cdf
    assert stats.kstest(values, cumulative).pvalue > 1e-3


@pytest.mark.parametrize("dtype", (torch.int64, torch.int32, torch.uint8, torch.float32), ids=str)
def test_integers_are_equally_frequent(dtype: torch.dtype) -> None:
    stats = pytest.importorskip("scipy.stats")
    torch.manual_seed(9)
    for draw, low, high in (
        (lambda t: t.random_(3, 24), 3, 24),
        (lambda t: torch.randint(0, 7, t.shape, dtype=t.dtype, device=t.device), 0, 7),
    ):
        with tilewise.use():
            values = draw(torch.empty(COUNT, dtype=dtype, device=DEVICE))
        counts = torch.bincount(values.long().cpu(), minlength=high)
        assert len(counts) == high and not bool(counts[:low].any())
        assert stats.chisquare(counts[low:].numpy()).pvalue > 1e-3


def test_integers_of_all_bits() -> None:
    with tilewise.use(strict=True):
        wide = torch.empty(COUNT, dtype=torch.int64, device=DEVICE).random_()
        low, high = -(2**62), 2**61 + 12345
        between = torch.empty(COUNT, dtype=torch.int64, device=DEVICE).random_(low, high)
        coins = torch.empty(COUNT, dtype=torch.bool, device=DEVICE).random_()
    assert wide.min().item() >= 0 and wide.max().item() > 2**62
    # Each bit is set half of the time.
    for bit in range(0, 63, 7):
        share = ((wide >> bit) & 1).double().mean().item()
        assert abs(share - 0.5) < 5 * 0.5 / math.sqrt(COUNT)
    assert between.min().item() >= low and between.max().item() < high
    assert abs(between.double().mean().item() / ((low + high) / 2) - 1) < 0.02
    assert abs(coins.double().mean().item() - 0.5) < 0.01


@pytest.mark.parametrize("name", FILLS)
def test_fill_follows_the_generator(name: str) -> None:
    generator = torch.Generator(DEVICE)

    def draw(seed: int) -> torch.Tensor:
        tensor = torch.empty(1000, device=DEVICE)
        generator.manual_seed(seed)
        with tilewise.use(strict=True):
            return FILLS[name](tensor, generator=generator)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def _philox(seed: int, counter: int) -> list[int]:
    """Philox 4x32-10 of (counter, 0, 1), written after Salmon et al. 2011."""
    words = [counter & 0xFFFFFFFF, counter >> 32, 0, 1]
    key0, key1 = seed & 0xFFFFFFFF, seed >> 32
    for _ in range(10):
        product0, product1 = 0xD2511F53 * words[0], 0xCD9E8D57 * words[2]
        words = [
            (product1 >> 32) ^ words[1] ^ key0,
            product1 & 0xFFFFFFFF,
            (product0 >> 32) ^ words[3] ^ key1,
            product0 & 0xFFFFFFFF,
        ]
        key0, key1 = (key0 + 0x9E3779B9) & 0xFFFFFFFF, (key1 + 0xBB67AE85) & 0xFFFFFFFF
    return words


def _expected_uniform(seed: int, offset: int, index: int) -> float:
    counter = offset // 4 + index // 1024 * 256 + index % 256
    return (_philox(seed, counter)[index // 256 % 4] >> 8) / 2**24


def test_numbers_follow_from_seed_and_offset_alone() -> None:
    """The documented layout, on every device; offsets grow by 1024 for each 1024 numbers."""
    for seed in (3, 2**40 + 17):
        torch.manual_seed(seed)
        with tilewise.use(strict=True):
            first = torch.rand(2500, device=DEVICE)
            torch.empty(10, device=DEVICE).normal_()
            second = torch.empty(700, device=DEVICE).uniform_()
        for i in (0, 1, 255, 256, 1023, 1024, 2499):
            assert first[i].item() == _expected_uniform(seed, 0, i)
        for i in (0, 300, 699):
            assert second[i].item() == _expected_uniform(seed, 3 * 1024 + 1024, i)


def test_offsets_of_cpu_generators_follow_their_state() -> None:
    """Also far from the seed, after going back, and in between of stock PyTorch's draws."""
    generator = torch.Generator()
    generator.manual_seed(11)

    def draw() -> torch.Tensor:
        with tilewise.use(strict=True):
            return torch.empty(100).uniform_(generator=generator)

    for _ in range(700):  # past a block of the engine
        draw()
    saved = generator.get_state()
    expected = [draw() for _ in range(3)]
    assert expected[0][0].item() == _expected_uniform(11, 700 * 1024, 0)
    torch.rand(5_000, generator=generator)
    after = draw()
    generator.set_state(saved)
    assert all(torch.equal(draw(), e) for e in expected)
    torch.rand(5_000, generator=generator)
    assert torch.equal(draw(), after)


def test_generators_far_from_their_seed_stay_reproducible() -> None:
    generator = torch.Generator()
    generator.manual_seed(12)
    torch.rand(50_000_000, generator=generator)  # beyond what is counted
    saved = generator.get_state()

    def draw() -> torch.Tensor:
        with tilewise.use(strict=True):
            return torch.empty(100).uniform_(generator=generator)

    expected = [draw() for _ in range(3)]
    assert not torch.equal(expected[0], expected[1])
    generator.set_state(saved)
    assert all(torch.equal(draw(), e) for e in expected)


@pytest.mark.skipif(DEVICE == "cpu", reason="compares two devices")
@pytest.mark.parametrize("name", FILLS)
def test_devices_draw_the_same_numbers(name: str) -> None:
    def draw(device: str) -> list[torch.Tensor]:
        torch.manual_seed(21)
        with tilewise.use(strict=True):
            return [FILLS[name](torch.empty(count, device=device)).cpu() for count in (5000, 70)]

    for a, b in zip(draw("cpu"), draw(DEVICE), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)


@pytest.mark.skipif(DEVICE == "cpu", reason="graphs are captured on GPUs")
def test_a_replayed_graph_draws_new_numbers() -> None:
    with tilewise.use(strict=True):
        torch.rand(1000, device=DEVICE)
        graph = torch.cuda.CUDAGraph()
        torch.manual_seed(4)
        with torch.cuda.graph(graph):
            values = torch.rand(1000, device=DEVICE)
    torch.manual_seed(4)
    graph.replay()
    first = values.clone()
    graph.replay()
    assert not torch.equal(first, values)
    torch.manual_seed(4)
    graph.replay()
    assert torch.equal(first, values)


NEW: dict[str, Callable[[], torch.Tensor]] = {
    "rand": lambda: torch.rand(3, 5, device=DEVICE),
    "rand_like": lambda: torch.rand_like(torch.empty(5, 3, device=DEVICE).t()),
    "randn": lambda: torch.randn(3, 5, device=DEVICE, dtype=torch.bfloat16),
    "randn_like": lambda: torch.randn_like(torch.empty(3, 5, device=DEVICE)),
    "normal.Tensor_float": lambda: torch.normal(torch.full((3, 5), 4.0, device=DEVICE), 0.1),
    "bernoulli.out": lambda: torch.bernoulli(
        torch.full((3, 5), 0.5, device=DEVICE), out=torch.empty(3, 5, device=DEVICE)
    ),
}


@pytest.mark.parametrize("name", NEW)
def test_new_tensors(name: str) -> None:
    stock = NEW[name]()
    tilewise.reset()
    with tilewise.use(strict=True):
        torch.manual_seed(2)
        first = NEW[name]()
        torch.manual_seed(2)
        assert torch.equal(NEW[name](), first)
    assert tilewise.report()["operators"][f"{name}/{DEVICE}"]["served"] == 2
    assert first.dtype == stock.dtype and first.stride() == stock.stride()


@pytest.mark.parametrize("name", FILLS)
def test_fill_of_a_strided_tensor_keeps_the_gaps(name: str) -> None:
    base = torch.full((40, 50), 77.0, device=DEVICE)
    with tilewise.use():
        FILLS[name](base[:, ::2])
    assert bool((base[:, 1::2] == 77).all())
    assert bool((base[:, ::2] != 77).double().mean() > 0.9)


@pytest.mark.parametrize(
    "call",
    (
        lambda t: t.uniform_(2.0, 1.0),
        lambda t: t.normal_(0.0, -1.0),
        lambda t: t.bernoulli_(1.5),
        lambda t: t.bernoulli_(torch.full_like(t, -0.5)) if DEVICE == "cpu" else t.bernoulli_(2),
        lambda t: t.exponential_(-1.0),
        lambda t: t.geometric_(1.5),
        lambda t: t.random_(5, 3),
    ),
)
def test_errors_are_pytorchs_own(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    with pytest.raises(RuntimeError) as stock:
        call(torch.empty(3, device=DEVICE))
    with tilewise.use(), pytest.raises(RuntimeError) as ours:
        call(torch.empty(3, device=DEVICE))
    assert str(ours.value) == str(stock.value)
