# SPDX-License-Identifier: Apache-2.0
"""Operators inside a CUDA graph: captured once, replayed on other numbers."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

import tilewise
import tilewise.nn.functional as TF

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(os.environ.get("TILEWISE_TEST_DEVICE") != "cuda", reason="no GPU"),
]

CALLS: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "pointwise": lambda x, w: F.gelu(x * w + 1).sub_(0.5),
    "one step": lambda x, w: x.sum(1) + x.amax(1),
    "two steps": lambda x, w: x.sum() * x.argmax(),
    "rows": lambda x, w: F.layer_norm(x, (x.shape[1],), w) + F.softmax(x, 1),
    "batch norm": lambda x, w: F.batch_norm(x, None, None, w, training=True),
    "scan": lambda x, w: x.cumsum(1),
    "loss": lambda x, w: F.cross_entropy(x, torch.arange(len(x), device="cuda") % x.shape[1]),
    "lists": lambda x, w: torch._foreach_add([x, w], 2.0)[0],
    "fused": lambda x, w: TF.swiglu(x, w.expand_as(x)),
    "rows in turns": lambda x, w: F.softmax(x, 1),
    "columns in turns": lambda x, w: F.batch_norm(x.view(-1, 1000), None, None, training=True),
    "long scan": lambda x, w: x.view(-1).cumsum(0),
}
LARGE = {"rows in turns", "columns in turns", "long scan"}  # larger than a GPU's cache


@pytest.mark.parametrize("name", CALLS)
def test_a_replay_computes_anew(name: str) -> None:
    call = CALLS[name]
    shape = (64, 500_000) if name in LARGE else (64, 3000)
    x, w = torch.randn(shape, device="cuda"), torch.rand(shape[1], device="cuda")
    with tilewise.use(strict=True):
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            call(x, w)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            captured = call(x, w)
        for _ in range(3):
            x.copy_(torch.randn(shape, device="cuda"))
            graph.replay()
            torch.testing.assert_close(captured, call(x, w), rtol=0, atol=0)


def test_forward_backward_and_step_in_one_graph() -> None:
    def train(steps: int, in_graph: bool) -> list[float]:
        torch.manual_seed(0)
        model = torch.nn.Sequential(
            torch.nn.Linear(64, 256), torch.nn.GELU(), torch.nn.LayerNorm(256),
            torch.nn.Linear(256, 10),
        ).cuda()  # fmt: skip
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, capturable=True)
        x, y = torch.randn(32, 64, device="cuda"), torch.arange(32, device="cuda") % 10

        def step() -> torch.Tensor:
            optimizer.zero_grad(set_to_none=not in_graph)
            loss = F.cross_entropy(model(x), y)
            loss.backward()
            optimizer.step()
            return loss

        losses = []
        side = torch.cuda.Stream()
        with torch.cuda.stream(side):
            losses += [step().item() for _ in range(3)]
        torch.cuda.current_stream().wait_stream(side)
        if not in_graph:
            return losses + [step().item() for _ in range(steps)]
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            loss = step()
        for _ in range(steps):
            graph.replay()
            losses.append(loss.item())
        return losses

    with tilewise.use():
        captured = train(5, in_graph=True)
        eager = train(5, in_graph=False)
    torch.testing.assert_close(captured, eager, rtol=1e-5, atol=1e-6)
