# SPDX-License-Identifier: Apache-2.0
"""A launch whose kernel is loaded allocates the output tensor and nothing else.

Counted in a C++ program without Python (`hit_path.cpp`), which is served from a store that this
process has warmed; the same program on stock PyTorch says what an output tensor costs.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = Path(os.environ.get("TILEWISE_BUILD_DIR", ROOT / "build")) / "bin" / "hit_path"
OPERATORS = ["add", "mul", "gelu", "softmax", "layer_norm", "sum"]

WARM = """
import torch, torch.nn.functional as F, tilewise
x = torch.randn(1, 4096).to(torch.bfloat16)
w = torch.randn(4096).to(torch.bfloat16)
with tilewise.use(strict=True):
    torch.randn(1, 4096).to(torch.bfloat16)
    x + x; x * x; F.gelu(x); torch.softmax(x, -1); F.layer_norm(x, (4096,), w, w); x.sum(-1)
"""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    if not PROGRAM.exists():
        pytest.skip(f"{PROGRAM} is not built")
    environment = {**os.environ, "TILEWISE_CACHE_DIR": str(tmp_path_factory.mktemp("store"))}
    subprocess.run([sys.executable, "-c", WARM], env=environment, check=True)
    return {**environment, "TILEWISE_COMPILE": "cached"}


def allocations(operator: str, calls: int, environment: dict[str, str], *extra: str) -> int:
    done = subprocess.run(
        [PROGRAM, operator, str(calls), *extra],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[2])


@pytest.mark.parametrize("operator", OPERATORS)
def test_a_hit_allocates_no_more_than_the_output(operator: str, store: dict[str, str]) -> None:
    stock = allocations(operator, 100, store, "stock")
    assert allocations(operator, 100, store) <= stock
