# SPDX-License-Identifier: Apache-2.0
"""Every pointwise, creation, random, foreach and optimizer overload against ATen.

    python benchmarks/bench_pointwise.py --device cuda --out benchmarks/results/NAME.json
    python benchmarks/bench_pointwise.py --device cpu --threads 2 --modes small large

Modes:
    small    (1, 4096), wall time per call
    large    64 Mi elements (CPU: 4 Mi); on a GPU device time with a flushed L2 cache, and the part
             of the copy bandwidth of the same run that bytes read and written make up
    special  broadcasting, mixed dtypes, transposition, casts; AdamW over a Llama's 290 tensors

Kernels are compiled first, by parallel processes that share the store. Each ratio is of the medians
of runs that alternate between the two.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench_ops import burst_us, device_us, keep_freed_memory, machine_name, synchronize
from pointwise_cases import is_pointwise, llama_shapes, make_call
from torch.utils._pytree import tree_flatten

import tilewise

Row = dict[str, Any]


def overloads(device: str, dtype: torch.dtype, part: int = 0, parts: int = 1) -> list[str]:
    """Those of the families; of every `parts`-th name only."""
    names = tilewise.registered(device)[part::parts]
    return [name for name in names if is_pointwise(name, dtype, device)]


def warm(device: str, dtype: str, processes: int) -> list[str]:
    """Compiles in parallel; the names that are measured."""
    command = [sys.executable, __file__, "--device", device, "--dtype", dtype, "--list-part"]
    running = [
        subprocess.Popen([*command, f"{i}/{processes}"], stdout=subprocess.PIPE, text=True)
        for i in range(processes)
    ]
    outputs = [process.communicate()[0] for process in running]
    return sorted(name for output in outputs for name in json.loads(output.splitlines()[-1]))


def by_bursts(call: Callable[[], Any], device: str, rounds: int) -> tuple[float, float]:
    """(Tilewise us, ATen us) of wall time."""
    with tilewise.use():
        once = burst_us(call, 2, device)
    count = max(1, min(50, int(1000 / max(once, 1.0))))
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(burst_us(call, count, device))
        # Else our random operators count first what PyTorch's have drawn from the CPU's engine.
        torch.manual_seed(0)
        with tilewise.use():
            ours.append(burst_us(call, count, device))
    return statistics.median(ours), statistics.median(theirs)


def by_events(call: Callable[[], Any], flush: torch.Tensor, rounds: int) -> tuple[float, float]:
    """(Tilewise us, ATen us) of device time."""
    ours, theirs = [], []
    for _ in range(rounds):
        theirs.append(device_us(call, flush))
        with tilewise.use():
            ours.append(device_us(call, flush))
    return statistics.median(ours), statistics.median(theirs)


class Meter:
    """Measures calls on one device by the time that counts there."""

    def __init__(self, device: str) -> None:
        self.device = device
        self.flush = torch.empty(256 << 20 if device == "cuda" else 1, dtype=torch.int8)
        self.flush = self.flush.to(device)

    def large(self, call: Callable[[], Any], rounds: int = 9) -> tuple[float, float]:
        """Device time on a GPU, else wall time."""
        if self.device == "cuda":
            return by_events(call, self.flush, rounds)
        return by_bursts(call, self.device, rounds)

    def copy_bytes_per_us(self) -> float:
        """Read and written by stock PyTorch's copy of 256 MiB."""
        source = torch.ones(64 << 20 if self.device == "cuda" else 4 << 20, device=self.device)
        target = torch.empty_like(source)
        _, aten_us = self.large(lambda: target.copy_(source))
        return 2 * source.nbytes / aten_us


def row(mode: str, name: str, ours: float, theirs: float, **more: Any) -> Row:
    """A line of the result, printed as well."""
    ratio = theirs / ours
    text = " ".join(f"{key} {value}" for key, value in more.items())
    print(f"{mode:8}{name:44} {ours:10.2f} us  ATen {theirs:10.2f} us  {ratio:6.2f}  {text}")
    return {
        "mode": mode,
        "case": name,
        "tilewise_us": round(ours, 2),
        "aten_us": round(theirs, 2),
        "ratio": round(ratio, 3),
        **more,
    }


def small_rows(names: list[str], dtype: torch.dtype, device: str) -> list[Row]:
    """(1, 4096), wall time."""
    rows = []
    for name in names:
        try:
            call, _ = make_call(name, (1, 4096), dtype, device)
            with tilewise.use(strict=True):
                call()
            rows.append(row("small", name, *by_bursts(call, device, 9)))
        except Exception as error:
            print(f"small   {name}: {str(error).splitlines()[0][:100]}")
    return rows


def large_rows(names: list[str], dtype: torch.dtype, meter: Meter) -> list[Row]:
    """64 Mi elements."""
    shape = (8192, 8192) if meter.device == "cuda" else (1024, 4096)
    bandwidth = meter.copy_bytes_per_us()
    rows = []
    for name in names:
        try:
            call, read = make_call(name, shape, dtype, meter.device)
            with tilewise.use(strict=True):
                result = call()
            results = [t for t in tree_flatten(result)[0] if isinstance(t, torch.Tensor)]
            written = sum(t.nbytes for t in results)
            del result, results
            ours, theirs = meter.large(call)
            part = round((read + written) / ours / bandwidth, 3)
            rows.append(row("large", name, ours, theirs, of_copy_bandwidth=part))
        except Exception as error:
            print(f"large   {name}: {str(error).splitlines()[0][:100]}")
    return rows


def special_calls(device: str) -> dict[str, Callable[[], Any]]:
    """Layouts and dtype mixes that need more than the flat kernel."""
    n = 8192 if device == "cuda" else 2048
    x = torch.randn(n, n, device=device).to(torch.bfloat16)
    wide = torch.randn(n, n, device=device)
    line, mask = x[0].clone(), wide > 0.5
    column = x[:, :1].clone()
    return {
        "add, contiguous": lambda: torch.add(x, x),
        "add, row broadcast": lambda: torch.add(x, line),
        "add, column broadcast": lambda: torch.add(x, column),
        "add, bfloat16 + float32": lambda: torch.add(x, wide),
        "add, transposed operand": lambda: torch.add(x, x.t()),
        "mul by a number": lambda: torch.mul(x, 0.5),
        "masked_fill": lambda: torch.masked_fill(x, mask, 1.5),
        "where": lambda: torch.where(mask, x, line),
        "transposed copy": lambda: x.t().contiguous(),
        "cast, bfloat16 to float32": lambda: x.to(torch.float32),
        "cast, float32 to bfloat16": lambda: wide.to(torch.bfloat16),
        "clone": lambda: x.clone(),
        "gelu": lambda: torch.nn.functional.gelu(x),
        "gelu of every other column": lambda: torch.nn.functional.gelu(x[:, ::2]),
        "dropout": lambda: torch.native_dropout(x, 0.1, True),
        "randn": lambda: torch.randn(n, n, device=device),
    }


def adamw_call(device: str) -> Callable[[], Any]:
    """A step of the fused optimizer over a Llama's parameters."""
    shapes = llama_shapes() if device == "cuda" else llama_shapes(128, 344, 32, 1000)
    lists = [[torch.full(shape, 0.01, device=device) for shape in shapes] for _ in range(4)]
    steps = [torch.tensor(2.0, device=device) for _ in shapes]
    return lambda: torch.ops.aten._fused_adamw_(
        *lists, [], steps, lr=1e-4, beta1=0.9, beta2=0.95, weight_decay=0.1, eps=1e-8,
        amsgrad=False, maximize=False,
    )  # fmt: skip


def special_rows(meter: Meter) -> list[Row]:
    """The named cases."""
    rows = []
    for name, call in special_calls(meter.device).items():
        with tilewise.use():
            call()
        rows.append(row("special", name, *meter.large(call, 15)))
    step = adamw_call(meter.device)
    with tilewise.use(strict=True):
        step()
    rows.append(row("special", "AdamW, 290 tensors of a Llama", *meter.large(step, 7)))
    rows.append(row("special", "AdamW, wall time", *by_bursts(step, meter.device, 5)))
    return rows


def summarize(rows: list[Row]) -> dict[str, Any]:
    """Geometric mean and the worst of each mode."""
    summary = {}
    for mode in dict.fromkeys(r["mode"] for r in rows):
        ratios = sorted((r["ratio"], r["case"]) for r in rows if r["mode"] == mode)
        geomean = math.exp(sum(math.log(max(ratio, 1e-3)) for ratio, _ in ratios) / len(ratios))
        below = [f"{case} {ratio}" for ratio, case in ratios if ratio < 0.95]
        summary[mode] = {"geomean": round(geomean, 3), "cases": len(ratios), "below_0.95": below}
        print(f"{mode}: geomean {geomean:.3f} of {len(ratios)}; below 0.95: {', '.join(below)}")
    return summary


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--modes", nargs="+", default=["small", "large", "special"])
    parser.add_argument("--names", nargs="+", help="only these overloads")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 2) - 1))
    parser.add_argument("--list-part", help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    dtype = getattr(torch, options.dtype)
    if options.list_part:
        part, parts = map(int, options.list_part.split("/"))
        print(json.dumps(overloads(options.device, dtype, part, parts)))
        return
    started = time.perf_counter()
    names = options.names or warm(options.device, options.dtype, options.processes)
    print(f"{len(names)} overloads, {time.perf_counter() - started:.0f} s to find and compile them")
    meter = Meter(options.device)
    rows: list[Row] = []
    if "special" in options.modes:
        rows += special_rows(meter)
    if "small" in options.modes:
        rows += small_rows(names, dtype, options.device)
    if "large" in options.modes:
        rows += large_rows(names, dtype, meter)
    synchronize(options.device)
    summary = summarize(rows)
    if options.out is not None:
        result = {
            "machine": machine_name(options.device),
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "dtype": options.dtype,
            "copy_gigabytes_per_second": round(meter.copy_bytes_per_us() / 1e3, 1),
            "summary": summary,
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
