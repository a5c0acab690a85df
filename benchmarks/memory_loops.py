# SPDX-License-Identifier: Apache-2.0
"""Operators that memory bounds against loops written by hand (memory_loops.cpp) and against ATen.

    python benchmarks/memory_loops.py build/bin/libmemory_loops.so \\
        --out benchmarks/results/NAME.json

All take turns on the same input and output in one process, so that a slow phase of the machine
meets each; medians over the rounds. No kernel can be faster than the best loop but for what a call
costs: that of a loop comes through ctypes, that of an operator through PyTorch's dispatcher. Behind
these the operators with outputs of their own, as bench_cpu_compiler.py calls them.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import random
import statistics
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import torch
from bench_ops import burst_us, keep_freed_memory, machine_name

import tilewise

Call = Callable[[], object]

# Families of memory_loops.cpp, in its order.
OPERATORS: dict[str, Callable[..., torch.Tensor]] = {
    "relu": lambda x, **out: torch.clamp_min(x, 0, **out),
    "mul_scalar": lambda x, **out: torch.mul(x, 0.5, **out),
    "sum": lambda x, **out: torch.sum(x, -1, **out),
    "amax": lambda x, **out: torch.amax(x, -1, **out),
}


def open_library(path: Path) -> ctypes.CDLL:
    library = ctypes.CDLL(str(path.resolve()))
    library.loop_name.restype = ctypes.c_char_p
    library.loop_name.argtypes = [ctypes.c_int, ctypes.c_size_t]
    library.run_loop.restype = None
    library.run_loop.argtypes = [
        *(ctypes.c_int, ctypes.c_size_t, ctypes.c_void_p, ctypes.c_void_p),
        *(ctypes.c_size_t, ctypes.c_size_t, ctypes.c_int),
    ]
    return library


def loops_of(
    library: ctypes.CDLL, name: str, x: torch.Tensor, out: torch.Tensor
) -> dict[str, Call]:
    """Calls of the loops of an operator, by their names."""
    family = list(OPERATORS).index(name)
    rows, columns = x.shape
    threads = torch.get_num_threads()

    def loop(i: int) -> Call:
        return lambda: library.run_loop(
            family, i, x.data_ptr(), out.data_ptr(), rows, columns, threads
        )

    calls: dict[str, Call] = {}
    while (text := library.loop_name(family, len(calls))) is not None:
        calls[text.decode()] = loop(len(calls))
    return calls


def medians(calls: dict[str, Call], rounds: int) -> dict[str, float]:
    """Microseconds of each, in turns of three calls that are not counted and a burst of 4 ms.

    Each round has an order of its own: what runs behind stores past the cache has to bring the
    output there again, which takes more than three calls.
    """
    order = list(calls)
    counts: dict[str, int] = {}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(rounds + 1):
        random.Random(turn).shuffle(order)
        for name in order:
            call = calls[name]
            with tilewise.use(strict=True) if name.startswith("Tilewise") else nullcontext():
                warm = burst_us(call, 3, "cpu")
                if turn == 0:
                    counts[name] = max(1, int(4000 / warm))
                else:
                    times[name].append(burst_us(call, counts[name], "cpu"))
    return {name: statistics.median(found) for name, found in times.items()}


def measure(
    library: ctypes.CDLL, name: str, shape: tuple[int, int], rounds: int
) -> dict[str, object]:
    """The row of one operator and shape."""
    x = torch.randn(shape)
    operator = OPERATORS[name]
    with tilewise.use(strict=True):
        out = operator(x)  # In huge pages, as its results are.
    expected = operator(x)
    loops = loops_of(library, name, x, out)
    for call in loops.values():
        out.zero_()
        call()
        torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-3)
    del expected
    found = medians(
        {
            "Tilewise": lambda: operator(x, out=out),
            "ATen": lambda: operator(x, out=out),
            **loops,
        },
        rounds,
    )
    new_output = medians({"Tilewise": lambda: operator(x), "ATen": lambda: operator(x)}, rounds)
    best = min(loops, key=lambda loop: found[loop])
    ours, theirs = found["Tilewise"], found["ATen"]
    print(
        f"{name:12} {shape[0]}x{shape[1]} {torch.get_num_threads()} threads  "
        f"tilewise {ours:8.1f} us  ATen {theirs:8.1f} us  {best} {found[best]:8.1f} us",
        flush=True,
    )
    return {
        "operator": name,
        "shape": list(shape),
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "ratio": round(theirs / ours, 3),
        "best_loop": best,
        "best_loop_by_tilewise": round(found[best] / ours, 3),
        "best_loop_by_aten": round(found[best] / theirs, 3),
        "us": {call: round(us, 1) for call, us in found.items()},
        "new_output_us": {call: round(us, 1) for call, us in new_output.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("library", type=Path)
    parser.add_argument("--names", nargs="+", default=list(OPERATORS), choices=list(OPERATORS))
    parser.add_argument("--shapes", nargs="+", default=["1024x4096"])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    keep_freed_memory()
    library = open_library(options.library)
    rows = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        for text in options.shapes:
            first, _, second = text.partition("x")
            for name in options.names:
                rows.append(measure(library, name, (int(first), int(second)), options.rounds))
    if options.out is not None:
        result = {
            "machine": machine_name("cpu").split(",")[0],
            "torch": torch.__version__,
            "tilewise": tilewise.__version__,
            "measure": f"medians of {options.rounds} rounds, all calls in turns",
            "rows": rows,
        }
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
