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
of rounds that alternate between the two; which side begins alternates as well.

Half of ATen's rounds against the other half tell what a ratio of 1 measures as: with `--null` they
are recorded beside each ratio, and how many of them are below 0.95 and 0.9 in the summary. The
rounds are doubled, so that each half is as long as one side without it.

Slices (`--slice 2/8`: every eighth case from the second on) add their rows to those in --out.
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

import tilewise

Row = dict[str, Any]


def overloads(device: str, dtype: torch.dtype, part: int = 0, parts: int = 1) -> list[str]:
    """Those of the families; of every `parts`-th name only."""
    names = tilewise.registered(device)[part::parts]
    return [name for name in names if is_pointwise(name, dtype, device)]


def warm(device: str, dtype: str, processes: int, first: int, step: int) -> list[str]:
    """Compiles in parallel; the names that are measured: every `step`-th from `first` on."""
    command = [sys.executable, __file__, "--device", device, "--dtype", dtype, "--list-part"]
    parts = [f"{first + step * i}/{step * processes}" for i in range(processes)]
    running = [
        subprocess.Popen([*command, part], stdout=subprocess.PIPE, text=True) for part in parts
    ]
    outputs = [process.communicate()[0] for process in running]
    return sorted(name for output in outputs for name in json.loads(output.splitlines()[-1]))


class Times:
    """What the rounds of one call took in us, of both sides."""

    def __init__(self, measure: Callable[[], float], rounds: int) -> None:
        self.ours: list[float] = []
        self.theirs: list[float] = []
        for index in range(rounds):
            for is_ours in (index % 2 == 1, index % 2 == 0):
                # Else our random operators count first what PyTorch's have drawn from the CPU's
                # engine.
                torch.manual_seed(0)
                with tilewise.use(active=is_ours):
                    (self.ours if is_ours else self.theirs).append(measure())

    def null_ratio(self) -> float:
        """Of ATen's rounds alone: pairs of them, so that each half has begun as often."""
        halves = [[t for i, t in enumerate(self.theirs) if i // 2 % 2 == half] for half in (0, 1)]
        return statistics.median(halves[0]) / statistics.median(halves[1])


class Meter:
    """Measures calls on one device by the time that counts there."""

    def __init__(self, device: str, rounds: int, with_null: bool) -> None:
        self.device = device
        self.with_null = with_null
        self.rounds = 2 * rounds if with_null else rounds
        self.flush = torch.empty(256 << 20 if device == "cuda" else 1, dtype=torch.int8)
        self.flush = self.flush.to(device)

    def wall(self, call: Callable[[], Any]) -> Times:
        """Wall time per call, of bursts."""
        with tilewise.use():
            once = burst_us(call, 2, self.device)
        count = max(1, min(50, int(1000 / max(once, 1.0))))
        return Times(lambda: burst_us(call, count, self.device), self.rounds)

    def large(self, call: Callable[[], Any]) -> Times:
        """Device time on a GPU, else wall time."""
        if self.device == "cuda":
            return Times(lambda: device_us(call, self.flush), self.rounds)
        return self.wall(call)

    def copy_bytes_per_us(self) -> float:
        """Read and written by stock PyTorch's copy of 256 MiB."""
        source = torch.ones(64 << 20 if self.device == "cuda" else 4 << 20, device=self.device)
        target = torch.empty_like(source)
        return (
            2 * source.nbytes / statistics.median(self.large(lambda: target.copy_(source)).theirs)
        )

    def row(self, mode: str, name: str, times: Times, **more: Any) -> Row:
        """A line of the result, printed as well."""
        ours, theirs = statistics.median(times.ours), statistics.median(times.theirs)
        if self.with_null:
            more["null_ratio"] = round(times.null_ratio(), 3)
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


def small_rows(names: list[str], dtype: torch.dtype, meter: Meter) -> list[Row]:
    """(1, 4096), wall time."""
    rows = []
    for name in names:
        try:
            call, _ = make_call(name, (1, 4096), dtype, meter.device)
            with tilewise.use(strict=True):
                call()
            rows.append(meter.row("small", name, meter.wall(call)))
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
            call, bytes_moved = make_call(name, shape, dtype, meter.device)
            with tilewise.use(strict=True):
                moved = bytes_moved(call())
            times = meter.large(call)
            part = round(moved / statistics.median(times.ours) / bandwidth, 3)
            rows.append(meter.row("large", name, times, of_copy_bandwidth=part))
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
        rows.append(meter.row("special", name, meter.large(call)))
    step = adamw_call(meter.device)
    with tilewise.use(strict=True):
        step()
    rows.append(meter.row("special", "AdamW, 290 tensors of a Llama", meter.large(step)))
    rows.append(meter.row("special", "AdamW, wall time", meter.wall(step)))
    return rows


def summarize(rows: list[Row]) -> dict[str, Any]:
    """Geometric mean and the worst of each mode."""
    summary: dict[str, Any] = {}
    for mode in dict.fromkeys(r["mode"] for r in rows):
        of_mode = [r for r in rows if r["mode"] == mode]
        ratios = sorted((r["ratio"], r["case"]) for r in of_mode)
        geomean = math.exp(sum(math.log(max(ratio, 1e-3)) for ratio, _ in ratios) / len(ratios))
        below = [f"{case} {ratio}" for ratio, case in ratios if ratio < 0.95]
        summary[mode] = {"geomean": round(geomean, 3), "cases": len(ratios), "below_0.95": below}
        print(f"{mode}: geomean {geomean:.3f} of {len(ratios)}; below 0.95: {', '.join(below)}")
        nulls = sorted(r["null_ratio"] for r in of_mode if "null_ratio" in r)
        if nulls:
            noise = {
                "cases": len(nulls),
                "below_0.95": sum(ratio < 0.95 for ratio in nulls),
                "below_0.9": sum(ratio < 0.9 for ratio in nulls),
                "lowest": nulls[0],
                "highest": nulls[-1],
            }
            summary[mode]["aten_against_itself"] = noise
            print(f"{mode}: ATen against itself: {noise}")
    return summary


def earlier_rows(path: Path, rows: list[Row]) -> list[Row]:
    """Those of a file that were not measured now."""
    if not path.exists():
        return []
    measured = {(r["mode"], r["case"]) for r in rows}
    earlier = json.loads(path.read_text())["rows"]
    return [r for r in earlier if (r["mode"], r["case"]) not in measured]


def main() -> None:
    """Parses the command line and measures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--modes", nargs="+", default=["small", "large", "special"])
    parser.add_argument("--names", nargs="+", help="only these overloads, added to --out")
    parser.add_argument("--slice", help="2/8: every eighth overload from the second on")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--null", action="store_true", help="ATen against itself; twice the rounds")
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
    first, step = map(int, (options.slice or "1/1").split("/"))
    names = options.names or warm(options.device, options.dtype, options.processes, first - 1, step)
    print(f"{len(names)} overloads, {time.perf_counter() - started:.0f} s to find and compile them")
    meter = Meter(options.device, options.rounds, options.null)
    rows: list[Row] = []
    if "special" in options.modes:
        rows += special_rows(meter)
    if "small" in options.modes:
        rows += small_rows(names, dtype, meter)
    if "large" in options.modes:
        rows += large_rows(names, dtype, meter)
    synchronize(options.device)
    if options.out is not None:
        if options.slice or options.names:
            rows += earlier_rows(options.out, rows)
            rows.sort(key=lambda r: (r["mode"], r["case"]))
        result = {
            "machine": machine_name(options.device),
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "dtype": options.dtype,
            "copy_gigabytes_per_second": round(meter.copy_bytes_per_us() / 1e3, 1),
            "summary": summarize(rows),
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")
    else:
        summarize(rows)


if __name__ == "__main__":
    main()
