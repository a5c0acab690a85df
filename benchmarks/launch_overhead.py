# SPDX-License-Identifier: Apache-2.0
"""Nanoseconds and instructions of a launch whose kernel is loaded: without a device, and of an
addition of 1024 numbers on the CPU.

    python benchmarks/launch_overhead.py build/bin/launch_overhead \\
        --out benchmarks/results/NAME.json

Instructions are counted by callgrind (Debian package valgrind) as the difference of two runs.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import tempfile
from pathlib import Path

import triton
import triton.language as tl
from bench_ops import machine_name
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from tilewise.triton_backend import native


def nanoseconds(program: Path, kernel: list[str], environment: dict[str, str]) -> float:
    command = [program, "2000000", *kernel]
    return min(float(subprocess.check_output(command, env=environment)) for _ in range(5))


@triton.jit
def add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    lanes = tl.arange(0, BLOCK)
    inside = lanes < n
    x, y = tl.load(x_ptr + lanes, mask=inside), tl.load(y_ptr + lanes, mask=inside)
    tl.store(out_ptr + lanes, x + y, mask=inside)


def cpu_kernel(folder: Path) -> list[str]:
    """Compiles `add`; the program's arguments for it."""
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "out_ptr": "*fp32", "n": "i32"}
    source = ASTSource(add, {**signature, "BLOCK": "constexpr"}, {(4,): 1024})
    compiled = triton.compile(source, target=GPUTarget("cpu", native.cpu_target(), 1))
    path = folder / "add.o"
    path.write_bytes(compiled.asm["obj"])
    return [str(path), compiled.metadata.name, str(compiled.metadata.shared)]


def instructions(program: Path, launches: int, environment: dict[str, str]) -> int:
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", program, str(launches)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=Path)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as store:
        environment = {**os.environ, "TILEWISE_CACHE_DIR": store}
        few, many = (instructions(options.program, n, environment) for n in (1000, 3000))
        idle = nanoseconds(options.program, [], environment)
        running = nanoseconds(options.program, cpu_kernel(Path(store)), environment)
    result = {
        "machine": machine_name("cpu"),
        "measure": "launch with 3 pointers, a stride and a constexpr; no device",
        "instructions_per_launch": (many - few) / 2000,
        "nanoseconds_per_launch": idle,
        "nanoseconds_of_an_addition_of_1024_fp32_on_the_cpu": running,
    }
    print(json.dumps(result, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
