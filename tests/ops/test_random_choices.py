# SPDX-License-Identifier: Apache-2.0
"""Random operators whose numbers are choices: permutations, categories, counts; and normals with a
mean or deviation for each element."""

from __future__ import annotations

import collections
import math
import os

import pytest
import torch

import tilewise

stats = pytest.importorskip("scipy.stats")

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FLOATS = (torch.float32, torch.float64, torch.bfloat16, torch.float16)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(1234)


def _permutation(n: int, **options: object) -> torch.Tensor:
    with tilewise.use(strict=True):
        return torch.randperm(n, device=DEVICE, **options)


def _fits(observed: torch.Tensor, expected: torch.Tensor | None = None) -> None:
    """Chi-square; `expected` up to a factor."""
    observed = observed.double().cpu()
    if expected is not None:
        expected = expected.double().cpu()
        expected = (expected / expected.sum() * observed.sum()).numpy()
    assert stats.chisquare(observed.numpy(), expected).pvalue > 1e-4


@pytest.mark.parametrize("n", (0, 1, 2, 16, 17, 64, 65, 256, 289, 4096, 100_003, 1 << 20))
def test_randperm_is_a_permutation(n: int) -> None:
    expected = torch.arange(n, device=DEVICE)
    assert torch.equal(_permutation(n).sort().values, expected)
    if n <= 256:
        for dtype in (torch.int16, torch.int32, torch.float32, torch.bfloat16):
            values = _permutation(n, dtype=dtype)
            assert values.dtype == dtype
            assert torch.equal(values.long().sort().values, expected)


def test_all_orders_of_few_are_equally_likely() -> None:
    counts = collections.Counter(tuple(_permutation(4).tolist()) for _ in range(12_000))
    assert len(counts) == 24
    _fits(torch.tensor(list(counts.values())))


def _cycles(permutation: list[int]) -> int:
    seen = [False] * len(permutation)
    count = 0
    for start in range(len(permutation)):
        count += not seen[start]
        while not seen[start]:
            seen[start] = True
            start = permutation[start]
    return count


@pytest.mark.parametrize("n", (65, 300))
def test_enciphered_orders_are_uniform(n: int) -> None:
    """Places and values, neighbors, fixed points, cycles and parity of many permutations."""
    draws = 3000
    orders = torch.stack([_permutation(n) for _ in range(draws)]).cpu()
    for place in (0, 1, n // 2, n - 1):
        _fits(torch.bincount(orders[:, place], minlength=n))
        _fits(torch.bincount(orders.argsort(1)[:, place], minlength=n))
    for distance in (1, 7, 17):
        difference = (orders[:, distance] - orders[:, 0]) % n
        _fits(torch.bincount(difference, minlength=n)[1:])
    fixed = (orders == torch.arange(n)).sum(1).double()
    assert abs(fixed.mean().item() - 1) < 5 / math.sqrt(draws)
    cycles = torch.tensor([_cycles(order) for order in orders.tolist()], dtype=torch.float64)
    mean = sum(1 / k for k in range(1, n + 1))
    variance = mean - sum(1 / k**2 for k in range(1, n + 1))
    assert abs(cycles.mean().item() - mean) < 5 * math.sqrt(variance / draws)
    odd = ((n - cycles) % 2).mean().item()
    assert abs(odd - 0.5) < 5 * 0.5 / math.sqrt(draws)


def test_a_long_permutation_has_no_trend() -> None:
    n = 1 << 18
    order = _permutation(n).cpu()
    _fits(torch.bincount(order[: n // 16] // 1024, minlength=256))
    _fits(torch.bincount((order[1:] - order[:-1]) % n // 1024, minlength=256))


def test_randperm_follows_the_generator_and_out() -> None:
    generator = torch.Generator(DEVICE)

    def draw(seed: int, n: int) -> torch.Tensor:
        generator.manual_seed(seed)
        return _permutation(n, generator=generator)

    for n in (20, 1000):
        assert torch.equal(draw(1, n), draw(1, n))
        assert not torch.equal(draw(1, n), draw(2, n))
        out = torch.empty(2 * n, dtype=torch.int64, device=DEVICE)[::2]
        generator.manual_seed(1)
        with tilewise.use(strict=True):
            torch.randperm(n, generator=generator, out=out)
        assert torch.equal(out, draw(1, n))


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_multinomial_has_its_probabilities(dtype: torch.dtype) -> None:
    rows = 20_000
    p = torch.tensor([0.1, 0, 0.2, 0.4, 0, 0.3], device=DEVICE).to(dtype)
    with tilewise.use():
        once = torch.multinomial(p.expand(rows, 6), 1)
        often = torch.multinomial(p, rows, replacement=True)
        all_four = torch.multinomial(p.expand(rows, 6), 4)
    assert once.shape == (rows, 1) and often.shape == (rows,)
    for drawn in (once.flatten(), often, all_four[:, 0]):
        counts = torch.bincount(drawn, minlength=6)
        assert not bool(counts[p == 0].any())
        _fits(counts[p > 0], p[p > 0])
    assert torch.equal(
        all_four.sort(1).values, torch.tensor([0, 2, 3, 5], device=DEVICE).expand(rows, 4)
    )
    second = torch.bincount(all_four[all_four[:, 0] == 3, 1], minlength=6)
    _fits(second[[0, 2, 5]], torch.tensor([0.1, 0.2, 0.3]))


def test_multinomial_of_many_categories() -> None:
    p = torch.rand(3, 50_000, device=DEVICE).t().contiguous().t()
    with tilewise.use(strict=True):
        drawn = torch.multinomial(p, 5000, replacement=True)
        out = torch.empty(0, dtype=torch.int64, device=DEVICE)
        torch.multinomial(p, 1, out=out)
    assert out.shape == (3, 1)
    chosen = p.gather(1, drawn)  # a category is chosen in proportion to p: mean of p is 2 / 3
    assert bool(((chosen.mean(1) - 2 / 3).abs() < 5 * 0.236 / math.sqrt(5000)).all())


@pytest.mark.skipif(DEVICE != "cpu", reason="a GPU's kernels assert")
@pytest.mark.parametrize("replacement", (False, True))
@pytest.mark.parametrize("bad", (-1.0, float("nan"), float("inf"), None))
def test_multinomial_raises_pytorchs_errors(bad: float | None, replacement: bool) -> None:
    p = torch.zeros(3) if bad is None else torch.tensor([0.5, bad, 0.5])
    with pytest.raises(RuntimeError) as stock:
        torch.multinomial(p, 2, replacement)
    with tilewise.use(), pytest.raises(RuntimeError) as ours:
        torch.multinomial(p, 2, replacement)
    assert str(ours.value) == str(stock.value)


@pytest.mark.parametrize("rate", (0.0, 0.3, 4.0, 9.99, 10.0, 37.5, 900.0, 5e4))
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
def test_poisson_has_its_distribution(rate: float, dtype: torch.dtype) -> None:
    count = 40_000
    with tilewise.use(strict=True):
        values = torch.poisson(torch.full((count,), rate, dtype=dtype, device=DEVICE))
    assert values.dtype == dtype and bool((values == values.floor()).all())
    _fits_counts(values, stats.poisson(rate))


def _fits_counts(values: torch.Tensor, distribution: object) -> None:
    """Chi-square over the counts that are expected at least ten times, and the two tails."""
    count = values.numel()
    low, high = int(distribution.ppf(10 / count)), int(distribution.ppf(1 - 10 / count))
    if low == high:
        assert bool((values == low).all())
        return
    places = torch.arange(low, high + 1)
    expected = torch.from_numpy(distribution.pmf(places.numpy()))
    expected[0] = float(distribution.cdf(low))
    expected[-1] = 1 - float(distribution.cdf(high - 1))
    counts = torch.bincount((values.cpu().clamp(low, high) - low).long(), minlength=len(places))
    _fits(counts, expected)


@pytest.mark.parametrize(
    ("trials", "p"),
    ((1, 0.5), (20, 0.1), (20, 0.9), (25, 0.4), (100, 0.3), (1000, 0.75), (50, 0.0), (9, 1.0)),
)
def test_binomial_has_its_distribution(trials: int, p: float) -> None:
    shape = (200, 200)
    with tilewise.use(strict=True):
        values = torch.binomial(
            torch.full(shape, float(trials), device=DEVICE), torch.full(shape, p, device=DEVICE)
        )
    assert values.shape == shape
    _fits_counts(values.flatten(), stats.binom(trials, p))


def test_each_count_has_its_own_parameter() -> None:
    rates = torch.tensor([0.5, 5.0, 50.0, 500.0], device=DEVICE)
    with tilewise.use(strict=True):
        values = torch.poisson(rates.expand(10_000, 4))
    error = (values.mean(0) - rates).abs() / (rates / 10_000).sqrt()
    assert bool((error < 5).all())
    assert abs(torch.corrcoef(values.t().cpu())[0, 2].item()) < 0.05


def test_counts_follow_the_generator() -> None:
    generator = torch.Generator(DEVICE)
    rates = torch.full((1000,), 20.0, device=DEVICE)

    def draw(seed: int) -> torch.Tensor:
        generator.manual_seed(seed)
        with tilewise.use(strict=True):
            return torch.poisson(rates, generator)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


NORMALS = {
    "normal.Tensor_Tensor": lambda mean, std: torch.normal(mean, std),
    "normal.float_Tensor": lambda mean, std: torch.normal(1.5, std),
    "normal.Tensor_Tensor_out": lambda mean, std: torch.normal(
        mean, std, out=torch.empty_like(std)
    ),
    "normal.float_Tensor_out": lambda mean, std: torch.normal(1.5, std, out=torch.empty_like(std)),
}


@pytest.mark.parametrize("name", NORMALS)
@pytest.mark.parametrize("dtype", (torch.float32, torch.float64, torch.bfloat16), ids=str)
def test_normals_have_their_parameters(name: str, dtype: torch.dtype) -> None:
    std = torch.linspace(0.5, 4, 40_000, device=DEVICE).to(dtype).view(200, 200)
    mean = torch.full((200,), 1.5, dtype=dtype, device=DEVICE)
    tilewise.reset()
    with tilewise.use(strict=True):
        values = NORMALS[name](mean, std)
    assert tilewise.report()["operators"][f"{name}/{DEVICE}"]["served"] == 1
    assert values.dtype == dtype and values.shape == std.shape
    standard = ((values.double() - 1.5) / std.double()).flatten().cpu().numpy()
    assert dtype == torch.bfloat16 or stats.kstest(standard, "norm").pvalue > 1e-4
    assert abs(standard.mean()) < 0.03 and abs(standard.std() - 1) < 0.03


INTEGERS = {
    "randint": lambda g: torch.randint(7, (30_000,), device=DEVICE),
    "randint.generator": lambda g: torch.randint(7, (30_000,), generator=g, device=DEVICE),
    "randint.low": lambda g: torch.randint(0, 7, (30_000,), device=DEVICE, dtype=torch.float32),
    "randint.low_generator": lambda g: torch.randint(
        0, 7, (30_000,), generator=g, device=DEVICE, dtype=torch.int32
    ),
    "randint_like": lambda g: torch.randint_like(torch.zeros(30_000, device=DEVICE), 7),
    "randint_like.low_dtype": lambda g: torch.randint_like(
        torch.zeros(30_000, device=DEVICE, dtype=torch.int8), 0, 7
    ),
}


@pytest.mark.parametrize("name", INTEGERS)
def test_new_integers(name: str) -> None:
    generator = torch.Generator(DEVICE).manual_seed(3)
    stock = INTEGERS[name](generator)
    tilewise.reset()
    with tilewise.use(strict=True):
        values = INTEGERS[name](generator)
    assert tilewise.report()["operators"][f"{name}/{DEVICE}"]["served"] == 1
    assert values.dtype == stock.dtype
    _fits(torch.bincount(values.long(), minlength=7))


@pytest.mark.skipif(DEVICE != "cpu", reason="a GPU's kernels assert")
@pytest.mark.parametrize(
    "call",
    (
        lambda: torch.poisson(torch.tensor([1.0, -1.0])),
        lambda: torch.normal(torch.zeros(2), torch.tensor([1.0, -1.0])),
        lambda: torch.normal(0.0, torch.tensor([1.0, -1.0])),
        lambda: torch.randint(5, 3, (2,)),
        lambda: torch.randperm(-1),
        lambda: torch.randperm(300, dtype=torch.uint8),
    ),
)
def test_errors_are_pytorchs_own(call: object) -> None:
    with pytest.raises(RuntimeError) as stock:
        call()
    with tilewise.use(), pytest.raises(RuntimeError) as ours:
        call()
    assert str(ours.value) == str(stock.value)
