# SPDX-License-Identifier: Apache-2.0
"""What the CPU compiler's code reaches against stock PyTorch, and how long compiling takes.

    python benchmarks/bench_cpu_compiler.py --processes 5 --out benchmarks/results/NAME.json

Groups: memory-bound operators, functions of rows and of elements, matrix products, attention as a
user's own Triton kernel, compile times (compile_times.py). Ratios are ATen's time by ours on the
same tensors, see bench_ops.py. With --processes, that many processes measure all cases one after
the other and the one of the median ratio counts: where a process's memory lies decides what its
pages and caches cost.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
import torch.nn.functional as F
from attention_kernel import attention
from bench_ops import burst_us, keep_freed_memory, machine_name, measure
from compile_times import compile_rows
from operator_cases import Call, make_call, make_matmul
from peak_rate import peak_gflops

import tilewise

MEMORY_BOUND = ("add", "mul", "relu", "mul_scalar", "sum", "mean", "amax")
COMPUTE = ("softmax", "layer_norm", "gelu", "cross_entropy")
SHAPES = ((1024, 4096), (4096, 4096))
MATMULS = ((512, 512, 512), (1024, 1024, 1024), (2048, 2048, 2048), (1000, 1111, 1234))
GROUPS = ("memory", "compute", "matmul", "attention", "compile")


def compare(ours: Call, theirs: Call) -> tuple[float, float]:
    """Medians in us of calls that take turns."""
    times: tuple[list[float], list[float]] = ([], [])
    once = burst_us(theirs, 2, "cpu")
    count = max(1, int(4000 / once))
    ours()
    for _ in range(15):
        times[0].append(burst_us(ours, count, "cpu"))
        times[1].append(burst_us(theirs, count, "cpu"))
    return statistics.median(times[0]), statistics.median(times[1])


def row(group: str, name: str, dtype: str, ours: float, theirs: float) -> dict[str, object]:
    """One line of the table, printed."""
    threads = torch.get_num_threads()
    ratio = theirs / ours
    print(
        f"{group:10} {name:28} {dtype:9} {threads} threads  tilewise {ours:10.1f} us  "
        f"ATen {theirs:10.1f} us  ratio {ratio:.2f}",
        flush=True,
    )
    return {
        "group": group,
        "case": name,
        "dtype": dtype,
        "threads": threads,
        "tilewise_us": round(ours, 2),
        "aten_us": round(theirs, 2),
        "ratio": round(ratio, 3),
    }


def operator_rows(
    group: str, names: tuple[str, ...], options: argparse.Namespace
) -> list[dict[str, object]]:
    rows = []
    for dtype in options.dtypes:
        for shape in SHAPES:
            if f"{shape[0]}x{shape[1]}" not in options.shapes:
                continue
            for name in names:
                if name not in options.names:
                    continue
                call = make_call(name, shape, getattr(torch, dtype), "cpu")
                ours, theirs, _ = measure(call, "cpu", False)
                rows.append(row(group, f"{name} {shape[0]}x{shape[1]}", dtype, ours, theirs))
    return rows


def matmul_rows() -> list[dict[str, object]]:
    """With the share of what the cores multiply and add at most, ours and ATen's."""
    rows = []
    for dtype in ("float32", "bfloat16"):
        peak = peak_gflops(dtype)
        for m, n, k in MATMULS:
            call = make_matmul(m, n, k, getattr(torch, dtype), "cpu")
            ours, theirs, _ = measure(call, "cpu", False)
            found = row("matmul", f"mm {m}x{n}x{k}", dtype, ours, theirs)
            if peak is not None:
                most = 2 * m * n * k / (peak * 1e3 * torch.get_num_threads())
                found["peak_gflops_of_a_core"] = round(peak, 1)
                found["tilewise_of_peak"] = round(most / ours, 3)
                found["aten_of_peak"] = round(most / theirs, 3)
            rows.append(found)
    return rows


def attention_rows() -> list[dict[str, object]]:
    q, k, v = (torch.randn(1, 8, 1024, 64) for _ in range(3))
    torch.testing.assert_close(attention(q, k, v), F.scaled_dot_product_attention(q, k, v))
    times = compare(lambda: attention(q, k, v), lambda: F.scaled_dot_product_attention(q, k, v))
    return [row("attention", "forward 1x8x1024x64", "float32", *times)]


def measure_here(options: argparse.Namespace) -> list[dict[str, object]]:
    """All rows, measured in this process."""
    keep_freed_memory()
    rows: list[dict[str, object]] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        if "memory" in options.groups:
            rows += operator_rows("memory", MEMORY_BOUND, options)
        if "compute" in options.groups:
            rows += operator_rows("compute", COMPUTE, options)
        if "matmul" in options.groups:
            rows += matmul_rows()
        if "attention" in options.groups:
            rows += attention_rows()
    return rows + (compile_rows() if "compile" in options.groups else [])


def measure_in_processes(count: int, arguments: list[str]) -> list[dict[str, object]]:
    """For every row that of the process with the median ratio, with the ratios of all."""
    runs: list[list[dict[str, object]]] = []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "rows.json")
        for _ in range(count):
            command = [sys.executable, __file__, *arguments, "--processes", "1", "--out", str(out)]
            subprocess.run(command, check=True)
            runs.append(json.loads(out.read_text())["rows"])
    rows = []
    for found in zip(*runs, strict=True):
        if "ratio" not in found[0]:
            rows.append(found[0])
            continue
        ordered = sorted(found, key=lambda row: float(str(row["ratio"])))
        ratios = [row["ratio"] for row in ordered]
        rows.append({**ordered[count // 2], "ratios_of_processes": ratios})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--groups", nargs="+", default=GROUPS, choices=GROUPS)
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    shapes = [f"{rows}x{columns}" for rows, columns in SHAPES]
    parser.add_argument("--shapes", nargs="+", default=shapes, choices=shapes)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "bfloat16"])
    names = [*MEMORY_BOUND, *COMPUTE]
    parser.add_argument("--names", nargs="+", default=names, choices=names)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.processes > 1:
        rows = measure_in_processes(options.processes, sys.argv[1:])
        for row in rows:
            if "ratio" in row:
                ratios = " ".join(f"{ratio:.2f}" for ratio in row["ratios_of_processes"])
                print(f"{row['case']:24} {row['dtype']:9} {row['threads']} threads  {ratios}")
    else:
        rows = measure_here(options)
    for group in dict.fromkeys(str(r["group"]) for r in rows if "ratio" in r):
        ratios = [float(str(r["ratio"])) for r in rows if r["group"] == group]
        geomean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        print(f"{group:10} geomean {geomean:.2f}, lowest {min(ratios):.2f}")
    if options.out is not None:
        result = {
            "machine": machine_name("cpu").split(",")[0],
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
