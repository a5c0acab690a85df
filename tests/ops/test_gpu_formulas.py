# SPDX-License-Identifier: Apache-2.0
"""The formulas that only GPUs use (kernels/common/target.py), run on a CPU: errors of fp32 results
against PyTorch's in float64, and random numbers against those of the CPU's own formulas.

A process of its own runs them from a copy of the kernels whose `on_gpu` is always true.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable

import pytest
import torch

from tilewise.triton_backend import native

pytestmark = pytest.mark.skipif(
    os.environ.get("TILEWISE_TEST_DEVICE", "cpu") != "cpu", reason="GPUs run them in every test"
)

Tensors = tuple[torch.Tensor, ...]


def _spread(low: float, high: float) -> torch.Tensor:
    """Of both signs, even in the exponent."""
    x = torch.logspace(low, high, 20000, dtype=torch.float64).float()
    return torch.cat([x, -x])


def _line(low: float, high: float) -> torch.Tensor:
    return torch.linspace(low, high, 20001, dtype=torch.float64).float()


def _pairs(scale: float) -> Tensors:
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(2, 20000, generator=generator)
    return x * torch.exp(scale * y), y.roll(1) * torch.exp(scale * x.roll(2))


def _grid(x: torch.Tensor, y: torch.Tensor) -> Tensors:
    """All pairs."""
    return tuple(t.flatten() for t in torch.meshgrid(x, y, indexing="ij"))


def _positive(low: float, high: float) -> torch.Tensor:
    return torch.logspace(low, high, 16, dtype=torch.float64).float()


def _one_by_one(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    """Kernels of single numbers: of a tile, a CPU would compile every lane's loops on their own."""
    return lambda x, y: torch.stack(
        [function(a.expand(8), b.expand(8))[0] for a, b in zip(x, y, strict=True)]
    )


# Name -> function, its arguments, the error allowed in ulp, and absolutely where results cancel.
CASES: dict[str, tuple[Callable[..., torch.Tensor], Callable[[], Tensors], float, float]] = {
    "atan": (torch.atan, lambda: (_spread(-30, 38),), 4, 0),
    "atan2": (torch.atan2, lambda: _pairs(3), 4, 0),
    "asinh": (torch.asinh, lambda: (_spread(-30, 38),), 4, 0),
    "atanh": (torch.atanh, lambda: (_spread(-30, -1e-7),), 4, 0),
    "chebyshev_t": (torch.special.chebyshev_polynomial_t,
                    lambda: _grid(_line(-2, 2)[::100], torch.arange(-1.0, 12)), 40, 4e-6),
    "digamma, x > 0": (torch.digamma, lambda: (_spread(-30, 30).abs(),), 4, 6e-7),
    "digamma, x < 0": (torch.digamma, lambda: (_line(-7.9, -0.1),), 500, 6e-7),
    "elu": (torch.nn.functional.elu, lambda: (_spread(-30, 1.5),), 4, 0),
    "erfinv": (torch.erfinv, lambda: (_spread(-30, -1e-7),), 5, 0),
    "erfinv of one number": (torch.erfinv, lambda: (torch.tensor(0.3).expand(8),), 5, 0),
    "expm1": (torch.expm1, lambda: (_spread(-30, 1.9),), 4, 0),
    "floor_divide": (torch.floor_divide, lambda: _pairs(3), 1, 0),
    "gelu_backward": (
        lambda x: torch.ops.aten.gelu_backward(x * 0 + 1, x),
        lambda: (_spread(-5, 1),),
        2,
        4e-7,
    ),
    "igamma": (_one_by_one(torch.special.gammainc),
               lambda: _grid(_positive(-3, 3), _positive(-3, 3)), 1, 0),
    "igammac": (_one_by_one(torch.special.gammaincc),
                lambda: _grid(_positive(-3, 3), _positive(-3, 3)), 1, 0),
    "legendre_p": (torch.special.legendre_polynomial_p,
                   lambda: _grid(_line(-1, 1)[::100], torch.arange(-1.0, 12)), 8, 2e-6),
    "lgamma, x > 0": (torch.lgamma, lambda: (_spread(-30, 30).abs(),), 6, 0),
    "lgamma, x < 0": (torch.lgamma, lambda: (_line(-7.9, -0.1),), 6, 4e-6),
    "polygamma": (lambda x: torch.polygamma(1, x), lambda: (_spread(-15, 30).abs(),), 6, 0),
    "pow": (lambda x, y: torch.pow(x.abs(), y), lambda: _pairs(1), 4, 1e-37),
    "pow of negative": (lambda x, y: torch.pow(-x.abs(), (3 * y).round()), lambda: _pairs(0.5), 4,
                        1e-37),
    "sinh": (torch.sinh, lambda: (_spread(-30, 1.94),), 5, 0),
    "zeta": (_one_by_one(torch.special.zeta),
             lambda: _grid(1 + _positive(-2, 1.5), _positive(-3, 3)), 1, 0),
    "zeta, q < 0": (_one_by_one(torch.special.zeta),
                    lambda: _grid(torch.arange(2.0, 20), _line(-30, -0.05)[::1000]), 40, 0),
}  # fmt: skip
FILLS = {
    "uniform": lambda x: x.uniform_(-1, 3),
    "normal": lambda x: x.normal_(1, 2),
    "exponential": lambda x: x.exponential_(2),
    "random": lambda x: x.random_(),
}


def _filled() -> dict[str, torch.Tensor]:
    torch.manual_seed(7)
    return {name: fill(torch.empty(5000)) for name, fill in FILLS.items()}


def _run_all(path: str) -> None:
    """In the process that has the other kernels."""
    import tilewise

    arguments = {name: case[1]() for name, case in CASES.items()}
    with tilewise.use(strict=True):
        results = {name: case[0](*arguments[name]) for name, case in CASES.items()} | _filled()
    torch.save(results, path)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    folder = tmp_path_factory.mktemp("kernels_for_gpus")
    kernels = folder / "kernels"
    shutil.copytree(native.kernels_dir(), kernels)
    target = kernels / "common" / "target.py"
    answer = 'backend_name != "cpu"'
    assert target.read_text().count(answer) == 1
    target.write_text(target.read_text().replace(answer, "backend_name is not None"))
    environment = os.environ | {"TILEWISE_KERNELS_DIR": str(kernels)}
    output = str(folder / "results.pt")
    subprocess.run([sys.executable, __file__, output], check=True, env=environment)
    loaded: dict[str, torch.Tensor] = torch.load(output)
    return loaded


@pytest.mark.parametrize("name", CASES)
def test_errors_are_some_ulp(results: dict[str, torch.Tensor], name: str) -> None:
    function, make, ulps, absolute = CASES[name]
    arguments = make()
    expected = function(*(argument.double() for argument in arguments))
    actual = results[name].double()
    finite = expected.abs() < torch.finfo(torch.float32).max
    expected, actual = torch.where(finite, expected, 0), torch.where(finite, actual, 0)
    ulp = torch.exp2(torch.floor(torch.log2(expected.abs().clamp(min=2.0**-126))) - 23)
    error = (actual - expected).abs()
    excess = error - ulps * ulp - absolute
    worst = int(torch.argmax(torch.where(excess.isnan(), torch.inf, excess)))
    assert excess[worst] <= 0, (
        f"{name}{tuple(float(a[worst]) for a in arguments)} = {actual[worst]}, not "
        f"{expected[worst]}: {error[worst] / ulp[worst]:.1f} ulp"
    )


@pytest.mark.parametrize("name", FILLS)
def test_random_numbers_are_the_same(results: dict[str, torch.Tensor], name: str) -> None:
    import tilewise

    with tilewise.use(strict=True):
        expected = _filled()[name]
    torch.testing.assert_close(results[name], expected, rtol=1e-6, atol=1e-7)


if __name__ == "__main__":
    _run_all(sys.argv[1])
