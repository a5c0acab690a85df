# SPDX-License-Identifier: Apache-2.0
"""poisson and binomial are functions of Philox's numbers computed in fp64, on every device and for
every dtype, although fp32 decides nearly all of them (kernels/common/counts.py)."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest
import torch

import tilewise

special = pytest.importorskip("scipy.special")

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
COUNT = 30_000
SEED = 77

Array = np.ndarray


def _uniforms(attempt: int) -> tuple[Array, Array]:
    """Two numbers with 53 bits for each element, from Philox 4x32-10 of (element, attempt, 1)."""
    low, high = np.uint64(0xFFFFFFFF), np.uint64(32)
    words = [np.arange(COUNT, dtype=np.uint64)] + [
        np.full(COUNT, word, np.uint64) for word in (0, attempt, 1)
    ]
    for turn in range(10):
        key0 = np.uint64((SEED + turn * 0x9E3779B9) & 0xFFFFFFFF)
        key1 = np.uint64(turn * 0xBB67AE85 & 0xFFFFFFFF)
        product0, product1 = words[0] * np.uint64(0xD2511F53), words[2] * np.uint64(0xCD9E8D57)
        words = [
            (product1 >> high) ^ words[1] ^ key0,
            product1 & low,
            (product0 >> high) ^ words[3] ^ key1,
            product0 & low,
        ]

    def join(first: Array, second: Array) -> Array:
        bits = (first << np.uint64(21)) | (second >> np.uint64(11))
        return (bits.astype(np.float64) + 0.5) * 2.0**-53

    return join(words[0], words[1]), join(words[2], words[3])


def _by_inversion(mass: Callable[[int], Array], limit: int) -> Array:
    rest, _ = _uniforms(0)
    counts = np.zeros(COUNT)
    for k in range(limit):
        probability = mass(k)
        goes_on = (counts == k) & (rest > probability)
        rest = np.where(goes_on, rest - probability, rest)
        counts += goes_on
    return counts


def _by_rejection(attempt: Callable[[Array, Array, Array], tuple[Array, Array]]) -> Array:
    counts, is_open = np.zeros(COUNT), np.ones(COUNT, bool)
    number = 0
    while is_open.any():
        u, v = _uniforms(number)
        trial, takes = attempt(u - 0.5, 0.5 - np.abs(u - 0.5), v)
        counts = np.where(is_open & takes, trial, counts)
        is_open &= ~takes
        number += 1
    return counts


def _expected_poisson(rate: Array) -> Array:
    b = 0.931 + 2.53 * np.sqrt(np.maximum(rate, 10))
    a = -0.059 + 0.02483 * b

    def attempt(u: Array, room: Array, v: Array) -> tuple[Array, Array]:
        trial = np.floor((2 * a / room + b) * u + rate + 0.43)
        density = trial * np.log(np.maximum(rate, 10)) - rate - special.gammaln(trial + 1)
        height = np.log(v * (1.1239 + 1.1328 / (b - 3.4)) / (a / room**2 + b))
        is_quick = (room >= 0.07) & (v <= 0.9277 - 3.6224 / (b - 2))
        is_possible = (trial >= 0) & ((room >= 0.013) | (v <= room))
        return trial, is_quick | (is_possible & (height <= density))

    small = np.minimum(rate, 10)
    few = _by_inversion(lambda k: np.exp(-small) * small**k / special.factorial(k), 50)
    with np.errstate(invalid="ignore"):
        return np.where(rate < 10, few, _by_rejection(attempt))


def _expected_binomial(n: Array, p: Array) -> Array:
    fails = p > 0.5
    p = np.where(fails, 1 - p, p)
    is_small = n * p < 10
    large_n, large_p = np.where(is_small, 40, n), np.where(is_small, 0.5, p)
    spread = np.sqrt(large_n * large_p * (1 - large_p))
    b = 1.15 + 2.53 * spread
    a = -0.0873 + 0.0248 * b + 0.01 * large_p
    mode = np.floor((large_n + 1) * large_p)

    def weight(k: Array) -> Array:
        return special.gammaln(k + 1) + special.gammaln(large_n - k + 1)

    def attempt(u: Array, room: Array, v: Array) -> tuple[Array, Array]:
        trial = np.floor((2 * a / room + b) * u + large_n * large_p + 0.5)
        is_possible = (trial >= 0) & (trial <= large_n)
        k = np.clip(trial, 0, large_n)
        density = weight(mode) - weight(k) + (k - mode) * np.log(large_p / (1 - large_p))
        height = np.log(v * (2.83 + 5.1 / b) * spread / (a / room**2 + b))
        is_quick = (room >= 0.07) & (v <= 0.92 - 4.2 / b)
        return k, is_possible & (is_quick | (height <= density))

    few = _by_inversion(lambda k: special.binom(n, k) * p**k * (1 - p) ** (n - k) * (k <= n), 60)
    counts = np.where(is_small, few, _by_rejection(attempt))
    return np.where(fails, n - counts, counts)


def _spread(low: float, high: float) -> torch.Tensor:
    """Numbers of fp32 between the two, equally often of each magnitude."""
    exponents = torch.linspace(np.log(low), np.log(high), COUNT, dtype=torch.float64)
    return exponents.exp().float()


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize(("low", "high"), ((1e-3, 9.99), (10, 1e3), (1e3, 1.6e7)))
def test_poisson_is_what_fp64_draws(low: float, high: float, dtype: torch.dtype) -> None:
    rates = _spread(low, high)
    torch.manual_seed(SEED)
    with tilewise.use(strict=True):
        counts = torch.poisson(rates.to(DEVICE, dtype))
    expected = torch.from_numpy(_expected_poisson(rates.double().numpy()))
    assert torch.equal(counts.cpu(), expected.to(dtype))


@pytest.mark.parametrize("dtype", (torch.float32, torch.float64), ids=str)
@pytest.mark.parametrize("trials", (1, 19, 30, 1000, 100_000, 3_000_000))
def test_binomial_is_what_fp64_draws(trials: int, dtype: torch.dtype) -> None:
    p = torch.cat((_spread(1e-6, 1)[::2], 1 - _spread(1e-6, 1)[::2]))
    n = torch.full((COUNT,), float(trials))
    torch.manual_seed(SEED)
    with tilewise.use(strict=True):
        counts = torch.binomial(n.to(DEVICE, dtype), p.to(DEVICE, dtype))
    expected = torch.from_numpy(_expected_binomial(n.double().numpy(), p.double().numpy()))
    assert torch.equal(counts.cpu(), expected.to(dtype))


@pytest.mark.parametrize("dtype", (torch.bfloat16, torch.float16), ids=str)
def test_narrow_dtypes_round_the_counts_of_fp32(dtype: torch.dtype) -> None:
    rates = _spread(0.1, 1000).to(DEVICE, dtype)
    p = torch.linspace(0, 1, COUNT).to(DEVICE, dtype)
    draws = []
    for wanted in (dtype, torch.float32):
        torch.manual_seed(SEED)
        with tilewise.use(strict=True):
            draws.append((torch.poisson(rates.to(wanted)), torch.binomial(
                torch.full_like(p, 50).to(wanted), p.to(wanted))))  # fmt: skip
    for narrow, wide in zip(*draws, strict=True):
        assert torch.equal(narrow, wide.to(dtype))
