# SPDX-License-Identifier: Apache-2.0
"""Operators against ATen, in one process on the same inputs.

    python benchmarks/bench_ops.py --device cpu --threads 2 --out benchmarks/results/NAME.json

Wall time per call: both sides alternate in short bursts, and the ratio is that of the medians, so
that a slow phase of the machine meets both. With --device-time (GPU), device time by events, with
the L2 cache flushed between calls.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import math
import platform
import statistics
import time
from pathlib import Path

import torch
from operator_cases import NAMES, Call, make_call

import tilewise


def synchronize(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def keep_freed_memory() -> None:
    """Has glibc keep freed blocks of up to 32 MiB, of either side.

    By default it returns them to the system or not depending on what lies behind them, and page
    faults then cost one side or the other up to 4 ms a call.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        trim_threshold, mmap_threshold = -1, -3
        libc.mallopt(trim_threshold, 2**31 - 1)
        libc.mallopt(mmap_threshold, 32 << 20)


def burst_us(call: Call, count: int, device: str) -> float:
    synchronize(device)
    start = time.perf_counter_ns()
    for _ in range(count):
        call()
    synchronize(device)
    return (time.perf_counter_ns() - start) / count / 1e3


def device_us(call: Call, flush: torch.Tensor) -> float:
    start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    flush.zero_()
    start.record()
    call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) * 1e3


def measure(call: Call, device: str, by_device_time: bool) -> tuple[float, float, float]:
    """(Tilewise us, ATen us, first Tilewise call in ms)."""
    started = time.perf_counter()
    with tilewise.use(strict=True):
        call()
    synchronize(device)
    first_ms = (time.perf_counter() - started) * 1e3
    ours, theirs = [], []
    if by_device_time:
        flush = torch.empty(256 << 20, dtype=torch.int8, device=device)
        for _ in range(30):
            theirs.append(device_us(call, flush))
            with tilewise.use():
                ours.append(device_us(call, flush))
    else:
        once = burst_us(call, 3, device)
        count = max(1, min(2000, int(4000 / max(once, 0.5))))
        for _ in range(25):
            theirs.append(burst_us(call, count, device))
            with tilewise.use():
                ours.append(burst_us(call, count, device))
    return statistics.median(ours), statistics.median(theirs), first_ms


def machine_name(device: str) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return f"{line.split(':', 1)[1].strip()}, {torch.get_num_threads()} threads"
    return platform.processor()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--shapes", nargs="+", default=["1x4096", "1024x4096"])
    parser.add_argument("--names", nargs="+", default=NAMES)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--device-time", action="store_true")
    parser.add_argument(
        "--runs",
        type=int,
        default=1,
        help="of all cases, one after the other; the run of the median ratio counts: a virtual "
        "machine loses a core for seconds now and then",
    )
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    dtype = getattr(torch, options.dtype)

    cases = [(name, text) for text in options.shapes for name in options.names]
    measured: dict[tuple[str, str], list[tuple[float, float, float]]] = {case: [] for case in cases}
    for _ in range(options.runs):
        for name, text in cases:
            call = make_call(name, tuple(map(int, text.split("x"))), dtype, options.device)
            figures = measure(call, options.device, options.device_time)
            measured[name, text].append(figures)
    rows = []
    for (name, text), runs in measured.items():
        first_ms = runs[0][2]
        runs.sort(key=lambda run: run[1] / run[0])
        ours, theirs, _ = runs[len(runs) // 2]
        rows.append(
            {
                "operator": name,
                "shape": list(map(int, text.split("x"))),
                "dtype": options.dtype,
                "tilewise_us": round(ours, 3),
                "aten_us": round(theirs, 3),
                "ratio": round(theirs / ours, 3),
                "ratios_of_runs": [round(run[1] / run[0], 3) for run in runs],
                "first_call_ms": round(first_ms, 1),
            }
        )
        print(
            f"{name:16} {text:>12} {options.dtype:>9}  tilewise {ours:9.2f} us  "
            f"ATen {theirs:9.2f} us  ratio {theirs / ours:.2f}"
        )
    geomean = math.exp(sum(math.log(row["ratio"]) for row in rows) / len(rows))
    print(f"geomean {geomean:.3f}, lowest {min(row['ratio'] for row in rows):.3f}")
    if options.out is not None:
        result = {
            "machine": machine_name(options.device),
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "measure": "device time" if options.device_time else "wall time per call",
            "geomean": round(geomean, 3),
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
