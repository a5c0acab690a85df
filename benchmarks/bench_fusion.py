# SPDX-License-Identifier: Apache-2.0
"""Fused operators against the same function composed of PyTorch's operators, in one process.

    python benchmarks/bench_fusion.py [--device cpu|cuda] [--output FILE]

Each case is timed in both forms on the same inputs, alternately, forward and forward plus backward.
Small inputs measure the cost of a call, large ones memory traffic. Prints a table of microseconds
and ratios (above 1: the fused form is faster); the JSON holds the same.
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F

import tilewise
import tilewise.nn.functional as TF

Case = tuple[Callable[..., torch.Tensor], Callable[..., torch.Tensor], list[torch.Tensor]]


@tilewise.pointwise
def gated(x, gate):
    return F.silu(x) * torch.sigmoid(gate)


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def halves(activation: Callable[..., torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    a, b = x.chunk(2, -1)
    return activation(a) * b


def cases(rows: int, columns: int, device: str, dtype: torch.dtype) -> dict[str, Case]:
    def tensor(*shape: int) -> torch.Tensor:
        return torch.randn(shape, device=device, dtype=dtype, requires_grad=True)

    x, y, bias, wide = (
        tensor(rows, columns), tensor(rows, columns), tensor(columns), tensor(rows, 2 * columns)
    )  # fmt: skip
    head = min(128, columns)
    heads = tensor(rows, columns // head, head)
    cos, sin = (torch.randn(rows, 1, head // 2, device=device, dtype=dtype) for _ in range(2))
    return {
        "silu(x) * sigmoid(y)": (gated, lambda x, y: F.silu(x) * torch.sigmoid(y), [x, y]),
        "swiglu(x, y)": (TF.swiglu, lambda x, y: F.silu(x) * y, [x, y]),
        "silu_and_mul(x)": (TF.silu_and_mul, lambda x: halves(F.silu, x), [wide]),
        "gelu_and_mul(x)": (TF.gelu_and_mul, lambda x: halves(F.gelu, x), [wide]),
        "add_gelu_dropout": (
            lambda x, b: TF.add_gelu_dropout(x, b, 0.1),
            lambda x, b: F.dropout(F.gelu(x + b), 0.1),
            [x, bias],
        ),
        "rotary_embedding": (
            lambda x: TF.rotary_embedding(x, None, cos, sin)[0],
            lambda x: rotate(x, cos, sin),
            [heads],
        ),
    }


def optimizer_case(rows: int, columns: int, device: str) -> Case:
    param, grad = (torch.randn(rows, columns, device=device) for _ in range(2))
    state = [torch.zeros_like(param), torch.ones_like(param)]

    def fused(param: torch.Tensor) -> torch.Tensor:
        TF.adamw_step(param, grad, *state, 5)
        return param

    def composed(param: torch.Tensor) -> torch.Tensor:
        param.mul_(1 - 1e-5)
        state[0].lerp_(grad, 0.1)
        state[1].mul_(0.999).addcmul_(grad, grad, value=0.001)
        denominator = (state[1].sqrt() / 0.07).add_(1e-8)
        return param.addcdiv_(state[0], denominator, value=-0.002)

    return fused, composed, [param]


def seconds(call: Callable[[], object], device: str, budget: float) -> float:
    """The time of one call; on a GPU including that of a synchronization at the end of many."""
    call()
    begin = time.perf_counter()
    call()
    if device == "cuda":
        torch.cuda.synchronize()
    repeats = max(1, min(10000, int(budget / max(1e-6, time.perf_counter() - begin))))
    begin = time.perf_counter()
    for _ in range(repeats):
        call()
    if device == "cuda":
        torch.cuda.synchronize()
    return (time.perf_counter() - begin) / repeats


def forward_only(function: Callable[..., torch.Tensor], operands: list[torch.Tensor]) -> object:
    with torch.no_grad():
        return function(*operands)


def with_backward(function: Callable[..., torch.Tensor], operands: list[torch.Tensor]) -> object:
    result = function(*operands)
    return torch.autograd.grad(result, operands, torch.ones_like(result))


def compare(case: Case, mode: Callable[..., object], device: str, rounds: int) -> dict[str, float]:
    fused, composed, operands = case
    times: dict[str, list[float]] = {"fused": [], "composed": []}
    for _ in range(rounds):
        for name, function in (("fused", fused), ("composed", composed)):
            times[name].append(seconds(lambda f=function: mode(f, operands), device, 0.05))
    best = {name: min(values) * 1e6 for name, values in times.items()}
    ratios = [c / f for c, f in zip(times["composed"], times["fused"], strict=True)]
    return {
        "fused_us": round(best["fused"], 3),
        "composed_us": round(best["composed"], 3),
        "ratio": round(statistics.median(ratios), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--output", type=Path)
    options = parser.parse_args()
    dtype = torch.bfloat16 if options.device == "cuda" else torch.float32
    large = (8192, 4096) if options.device == "cuda" else (1024, 4096)
    results = []
    for rows, columns in ((1, 4096), large):
        table = {
            (name, mode): (case, function)
            for name, case in cases(rows, columns, options.device, dtype).items()
            for mode, function in (("forward", forward_only), ("both", with_backward))
        }
        table["adamw_step", "forward"] = (
            optimizer_case(rows, columns, options.device), forward_only
        )  # fmt: skip
        for (name, mode), (case, function) in table.items():
            row = {"case": name, "mode": mode, "shape": [rows, columns]}
            row |= compare(case, function, options.device, options.rounds)
            results.append(row)
            print(
                f"{name:24} {mode:8} {rows:5}x{columns} fused {row['fused_us']:11.2f} us  "
                f"composed {row['composed_us']:11.2f} us  ratio {row['ratio']:6.2f}"
            )
        ratios = [row["ratio"] for row in results if row["shape"] == [rows, columns]]
        geomean = math.exp(statistics.fmean(map(math.log, ratios)))
        print(f"{rows}x{columns}: geometric mean {geomean:.2f}, lowest {min(ratios):.2f}")
    if options.output:
        name = torch.cuda.get_device_name() if options.device == "cuda" else platform.machine()
        options.output.write_text(
            json.dumps(
                {
                    "device": name,
                    "threads": torch.get_num_threads(),
                    "torch": torch.__version__,
                    "dtype": str(dtype),
                    "results": results,
                },
                indent=1,
            )
            + "\n"
        )


if __name__ == "__main__":
    main()
