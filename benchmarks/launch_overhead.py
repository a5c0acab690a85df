# SPDX-License-Identifier: Apache-2.0
"""Nanoseconds and instructions of a launch whose kernel is loaded, without a device.

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

from bench_ops import machine_name


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
        runs = [
            float(subprocess.check_output([options.program, "2000000"], env=environment))
            for _ in range(5)
        ]
    result = {
        "machine": machine_name("cpu"),
        "measure": "launch with 3 pointers, a stride and a constexpr; no device",
        "instructions_per_launch": (many - few) / 2000,
        "nanoseconds_per_launch": min(runs),
    }
    print(json.dumps(result, indent=1))
    if options.out is not None:
        options.out.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
