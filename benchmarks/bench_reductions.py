# SPDX-License-Identifier: Apache-2.0
"""Reductions, scans and softmax against ATen and against the memory's bandwidth.

    python benchmarks/bench_reductions.py --device cuda --out benchmarks/results/NAME.json

GPU: device time of (8192, 8192) with the L2 cache flushed, beside the copy bandwidth measured in
the same run ("bound": bytes read and written once, at that bandwidth, as part of the time taken),
and wall time per call of (1, 4096). CPU: wall time of (1, 4096) and (1024, 4096).
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from pathlib import Path

import torch
from bench_ops import device_us, keep_freed_memory, machine_name, measure

import tilewise

aten = torch.ops.aten

# Name -> the call, and how many tensors of the input's size it reads and writes.
Case = tuple[Callable[[torch.Tensor], object], int]
CASES: dict[str, Case] = {
    "sum_rows": (lambda x: x.sum(-1), 1),
    "sum_columns": (lambda x: x.sum(0), 1),
    "sum": (lambda x: x.sum(), 1),
    "mean_rows": (lambda x: x.mean(-1), 1),
    "prod_rows": (lambda x: x.prod(-1), 1),
    "amax_rows": (lambda x: x.amax(-1), 1),
    "amax_columns": (lambda x: x.amax(0), 1),
    "max_with_index": (lambda x: x.max(-1), 1),
    "argmax_rows": (lambda x: x.argmax(-1), 1),
    "argmax": (lambda x: x.argmax(), 1),
    "any_rows": (lambda x: x.any(-1), 1),
    "count_nonzero": (lambda x: aten.count_nonzero.dim_IntList(x, [1]), 1),
    "aminmax": (lambda x: x.aminmax(), 1),
    "var_rows": (lambda x: x.var(-1), 1),
    "var_mean_columns": (lambda x: torch.var_mean(x, 0, correction=0), 1),
    "std": (lambda x: x.std(), 1),
    "vector_norm": (lambda x: torch.linalg.vector_norm(x), 1),
    "norm3_rows": (lambda x: torch.linalg.vector_norm(x, 3, -1), 1),
    "logsumexp_rows": (lambda x: x.logsumexp(-1), 1),
    "softmax": (lambda x: torch.softmax(x, -1), 2),
    "softmax_columns": (lambda x: torch.softmax(x, 0), 2),
    "log_softmax": (lambda x: torch.log_softmax(x, -1), 2),
    "safe_softmax": (lambda x: aten._safe_softmax(x, -1), 2),
    "softmax_backward": (lambda x: aten._softmax_backward_data(x, x, -1, x.dtype), 3),
    "softmax_backward_columns": (lambda x: aten._softmax_backward_data(x, x, 0, x.dtype), 3),
    "log_softmax_backward": (lambda x: aten._log_softmax_backward_data(x, x, -1, x.dtype), 3),
    "cumsum_rows": (lambda x: x.cumsum(-1), 2),
    "cumsum_columns": (lambda x: x.cumsum(0), 2),
    "cumprod_rows": (lambda x: x.cumprod(-1), 2),
    "logcumsumexp_rows": (lambda x: x.logcumsumexp(-1), 2),
}
# Values and int64 indices: 2 bytes read, 2 and 8 written per element of bfloat16.
CASES["cummax_rows"] = (lambda x: x.cummax(-1), 6)
# Shapes with cases of their own: few long rows, many short ones, rows longer than a tile.
SHAPED: dict[str, tuple[tuple[int, ...], Case]] = {
    "sum_few_long_rows": ((16, 1 << 22), CASES["sum_rows"]),
    "sum_short_rows": ((1 << 20, 64), CASES["sum_rows"]),
    "sum_channels": ((64, 256, 56, 56), (lambda x: x.sum((0, 2, 3)), 1)),
    "softmax_short_rows": ((1 << 19, 128), CASES["softmax"]),
    "softmax_of_a_vocabulary": ((2048, 32000), CASES["softmax"]),
    "softmax_256k": ((256, 1 << 18), CASES["softmax"]),
    "softmax_backward_256k": ((256, 1 << 18), CASES["softmax_backward"]),
    "softmax_one_row_256k": ((1, 1 << 18), CASES["softmax"]),
    "cumsum_one_long_row": ((1, 1 << 26), CASES["cumsum_rows"]),
}


def copy_bytes_per_us(device: str) -> float:
    """Bytes read and written in a microsecond by a copy of 256 MiB."""
    source = torch.ones(1 << 27, dtype=torch.bfloat16, device=device)
    target = torch.empty_like(source)
    flush = torch.empty(256 << 20, dtype=torch.int8, device=device)
    times = sorted(device_us(lambda: target.copy_(source), flush) for _ in range(20))
    return 2 * source.nbytes / times[len(times) // 2]


def make_input(shape: tuple[int, ...], dtype: torch.dtype, device: str) -> torch.Tensor:
    """Positive, around 1: cumulative products stay finite for a while and sums do not cancel."""
    return (torch.rand(shape, device=device) + 0.5).to(dtype)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument("--dtype", default="bfloat16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--names", nargs="+")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    dtype = getattr(torch, options.dtype)
    on_gpu = options.device == "cuda"
    large = (8192, 8192) if on_gpu else (1024, 4096)
    bandwidth = copy_bytes_per_us(options.device) if on_gpu else 0.0

    jobs = [(name, shape, case) for shape in (large, (1, 4096)) for name, case in CASES.items()]
    if on_gpu:
        jobs += [(name, shape, case) for name, (shape, case) in SHAPED.items()]
    rows = []
    for name, shape, (call, tensors) in jobs:
        if options.names and name not in options.names:
            continue
        x = make_input(shape, dtype, options.device)
        by_device_time = on_gpu and shape != (1, 4096)
        ours, theirs, _ = measure(lambda call=call, x=x: call(x), options.device, by_device_time)
        row: dict[str, object] = {
            "operator": name,
            "shape": list(shape),
            "dtype": options.dtype,
            "tilewise_us": round(ours, 3),
            "aten_us": round(theirs, 3),
            "ratio": round(theirs / ours, 3),
        }
        text = ""
        if by_device_time:
            row["bound"] = round(tensors * x.nbytes / bandwidth / ours, 3)
            text = f"  bound {row['bound']:.2f}"
        rows.append(row)
        print(
            f"{name:24} {'x'.join(map(str, shape)):>14}  tilewise {ours:9.2f} us  "
            f"ATen {theirs:9.2f} us  ratio {theirs / ours:6.2f}{text}",
            flush=True,
        )
    summary = {}
    for shape in dict.fromkeys(tuple(row["shape"]) for row in rows):  # type: ignore[arg-type]
        ratios = [float(row["ratio"]) for row in rows if tuple(row["shape"]) == shape]  # type: ignore
        geomean = math.exp(sum(map(math.log, ratios)) / len(ratios))
        key = "x".join(map(str, shape))
        summary[key] = {"geomean": round(geomean, 3), "lowest": round(min(ratios), 3)}
        print(f"{key}: geomean {geomean:.3f}, lowest {min(ratios):.3f}")
    if options.out is not None:
        result = {
            "machine": machine_name(options.device),
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "copy_gb_per_s": round(bandwidth / 1e3, 1),
            "summary": summary,
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
