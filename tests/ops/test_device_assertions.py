# SPDX-License-Identifier: Apache-2.0
"""What PyTorch raises on a CPU and asserts on a GPU: so does Tilewise.

A failed assertion on a GPU ends its context, hence a process for each.
"""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")

CALLS = {
    "nll_loss": "F.nll_loss(x, torch.tensor([1, 5, 0], device=device))",
    "nll_loss, not reduced": "F.nll_loss(x, torch.tensor([1, -2, 0], device=device), "
    "reduction='none')",
    "cross_entropy": "F.cross_entropy(x, torch.tensor([1, 5, 0], device=device))",
    "multi_margin_loss": "F.multi_margin_loss(x, torch.tensor([1, 5, 0], device=device))",
    "binary_cross_entropy": "F.binary_cross_entropy(x * 9, x)",
    "_assert_async": "torch._assert_async(x[0, 0] * 0)",
}

PROGRAM = """
import torch
import torch.nn.functional as F
import tilewise

x = torch.full((3, 5), 0.5, device=device)
with tilewise.use():
    {call}
"""


@pytest.mark.parametrize("name", CALLS)
def test_foreign_values_raise(name: str) -> None:
    program = PROGRAM.format(call=CALLS[name])
    if DEVICE == "cpu":
        with pytest.raises((RuntimeError, IndexError)):
            exec(program, {"device": DEVICE})
        return
    run = subprocess.run(
        [sys.executable, "-c", f"device = 'cuda'{program}    torch.cuda.synchronize()"],
        capture_output=True,
        text=True,
        env=os.environ | {"TILEWISE_COMPILE": "wait"},
        check=False,
    )
    assert run.returncode != 0
    assert "device-side assert triggered" in run.stderr


def test_what_holds_passes() -> None:
    x = torch.full((3, 5), 0.5, device=DEVICE)
    with tilewise.use(strict=True):
        torch._assert_async(x[0, 0])
        torch._assert_async(torch.tensor([True], device=DEVICE))
        target = torch.tensor([4, -100, 0], device=DEVICE)
        loss = torch.nn.functional.nll_loss(x, target)
        loss = loss + torch.nn.functional.binary_cross_entropy(x * 2, x - 0.5)
    assert loss.isfinite()
