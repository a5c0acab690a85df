# SPDX-License-Identifier: Apache-2.0
"""How long the CPU compiler takes behind Triton's front end: Triton IR to an object file.

    python benchmarks/compile_times.py

The kernels are those that a set of calls needs, found by making the calls with an empty store.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from operator_cases import make_call, make_matmul

import tilewise

POINTWISE = ("add", "mul", "mul_scalar", "relu", "exp", "tanh", "gelu", "copy_transposed")
MATMULS = ((256, 256, 256), (100, 111, 123))
DTYPES = (torch.float32, torch.bfloat16)


def make_calls() -> None:
    """Has the kernels of the set compiled into this process's store."""
    with tilewise.use(strict=True):
        for dtype in DTYPES:
            for name in POINTWISE:
                make_call(name, (64, 4096), dtype, "cpu")()
            for m, n, k in MATMULS:
                make_matmul(m, n, k, dtype, "cpu")()


def compile_rows() -> list[dict[str, object]]:
    """Median times of the pointwise kernels and of the matrix products, with their parts."""
    from tilewise.cli.kernel_requests import stored_requests
    from tilewise.cli.kernel_stages import stages
    from tilewise.triton_backend import native, object_file

    with tempfile.TemporaryDirectory() as store:
        environment = {**os.environ, "TILEWISE_CACHE_DIR": store}
        subprocess.run([sys.executable, __file__, "--make-calls"], env=environment, check=True)
        requests = list(stored_requests(Path(store)))
    target = native.cpu_target()
    described = native.describe_cpu_target(target)
    times: dict[str, list[tuple[float, float]]] = {"pointwise": [], "matmul": []}
    for request in requests:
        texts = dict(stages(request))
        ours, whole = [], []
        for _ in range(5):
            begin = time.perf_counter()
            native.compile_ttir(texts["ttir"], target, request.function)
            ours.append((time.perf_counter() - begin) * 1e3)
            object_file.emit(texts["llvm"], **described)
            whole.append((time.perf_counter() - begin) * 1e3)
        group = "matmul" if request.kernel == "matmul/mm" else "pointwise"
        times[group].append((statistics.median(ours), statistics.median(whole)))
    rows: list[dict[str, object]] = []
    for group, found in times.items():
        ours_ms = statistics.median(before for before, _ in found)
        median_ms = statistics.median(whole for _, whole in found)
        most_ms = max(whole for _, whole in found)
        print(
            f"compile    {group}: median {median_ms:.0f} ms, most {most_ms:.0f} ms of {len(found)} "
            f"kernels; {ours_ms:.1f} ms of it before LLVM",
            flush=True,
        )
        rows.append(
            {
                "group": "compile",
                "case": group,
                "kernels": len(found),
                "median_ms": round(median_ms, 1),
                "most_ms": round(most_ms, 1),
                "median_ms_before_llvm": round(ours_ms, 2),
            }
        )
    return rows


if __name__ == "__main__":
    if "--make-calls" in sys.argv:
        make_calls()
    else:
        compile_rows()
