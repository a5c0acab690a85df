# SPDX-License-Identifier: Apache-2.0
"""Runs random kernels and compares them with their references.

    python tests/compiler/fuzz/run_kernels.py [--seed N] [--count N] [--seconds S] [--show]

A kernel of a seed is the same everywhere and always. Each runs in a process of its own, compiled
for one of the targets that this machine runs, so that a crash or a hang is one failing seed. Of a
failing kernel the shortest text is printed that still fails, and the command that repeats it.
"""

import argparse
import os
import pickle
import signal
import sys
import time
import traceback
from dataclasses import dataclass
from pathlib import Path

import torch
from random_kernels import Kernel, random_kernel

sys.path.append(str(Path(__file__).parents[1]))  # Of tile_compiler, which is imported later.

ROOT = Path(__file__).parents[3]
SECONDS_PER_KERNEL = 60
TYPE_NAMES = {
    "int1": "i1", "int8": "i8", "uint8": "u8", "int16": "i16", "int32": "i32", "int64": "i64",
    "float16": "fp16", "bfloat16": "bf16", "float32": "fp32", "float64": "fp64",
}  # fmt: skip


@dataclass
class Fault:
    """What went wrong with a kernel: of a crash there is only the message."""

    message: str
    source: str = ""


def _difference(kernel: Kernel) -> tuple[int, str] | None:
    """Which output differs, and how."""
    from tile_compiler import compile_kernel

    from tilewise import kernel_modules

    source = kernel.source()
    module = kernel_modules.load_source("fuzzed", source, str(ROOT / "kernels"))
    signature = {f"in{i}": "*" + TYPE_NAMES[kind] for i, kind in enumerate(kernel.inputs)}
    signature |= {f"out{i}": "*" + TYPE_NAMES[kind] for i, (kind, _) in enumerate(kernel.outputs)}
    compiled = compile_kernel(module.kernel, signature | {"n": "i32", "s": "i32"})
    actual, expected = kernel.arguments(), kernel.arguments()
    compiled.run((kernel.grid,), *actual, kernel.n, kernel.s)
    kernel.reference(expected)
    for i, (a, e) in enumerate(zip(actual, expected, strict=True)):
        same = (a == e) | ((a != a) & (e != e))
        if not same.all():
            at = int((~same).nonzero()[0])
            name = f"in{i}" if i < len(kernel.inputs) else f"out{i - len(kernel.inputs)}"
            return i - len(kernel.inputs), (
                f"{name}[{at}] is {a[at].item()} and should be {e[at].item()}; "
                f"{int((~same).sum())} of {a.numel()} differ"
            )
    return None


def examine(kernel: Kernel) -> Fault | None:
    """In this process; a smaller kernel with the same fault if there is one."""
    try:
        found = _difference(kernel)
    except Exception as error:
        message = f"{type(error).__name__}: {error}\n{traceback.format_exc(limit=-2)}"
        return Fault(message, kernel.source())
    if found is None:
        return None
    index, message = found
    if index >= 0:
        small = kernel.with_output(index)
        try:
            if (again := _difference(small)) is not None:
                return Fault(again[1], small.source())
        except Exception:  # It fails otherwise: then the whole kernel is shown.
            pass
    return Fault(message, kernel.source())


def _targets() -> list[str]:
    levels = ["x86-64-v4+avx512bf16", "x86-64-v4", "x86-64-v3", "x86-64-v2"]
    flags = Path("/proc/cpuinfo").read_text().split() if Path("/proc/cpuinfo").exists() else []
    if "avx512vl" not in flags:
        levels = levels[2:] if "avx2" in flags else levels[3:]
    elif "avx512_bf16" not in flags:
        levels = levels[1:]
    return levels if os.uname().machine == "x86_64" else [""]


def run_seed(seed: int, target: str) -> Fault | None:
    """The kernel of this seed, in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        os.environ["TILEWISE_CPU_TARGET"] = target
        signal.alarm(SECONDS_PER_KERNEL)
        fault: Fault | None
        try:
            fault = examine(random_kernel(seed))
        except BaseException:
            fault = Fault("the generator failed\n" + traceback.format_exc())
        with os.fdopen(writing, "wb") as pipe:
            pickle.dump(fault, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        result = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        name = signal.Signals(os.WTERMSIG(status)).name
        source = random_kernel(seed).source()
        return Fault("took too long" if name == "SIGALRM" else f"ended by {name}", source)
    return pickle.loads(result)


def describe(seed: int, target: str, fault: Fault) -> str:
    """What to print: the fault, a kernel to look at, and how to get here again."""
    command = f"python {Path(__file__).name} --seed {seed} --count 1 --target {target}"
    return f"seed {seed} on {target}: {fault.message}\n{fault.source}\n# again: {command}\n"


def run(first: int, count: int, seconds: float, target: str | None = None) -> tuple[int, list[str]]:
    """How many kernels ran, and what failed."""
    torch.set_num_threads(1)  # A forked process has no thread pool.
    import tile_compiler  # noqa: F401  # Triton is imported once, here.

    targets = _targets()
    begin = time.monotonic()
    faults = []
    ran = 0
    for seed in range(first, first + count):
        if time.monotonic() - begin > seconds:
            break
        chosen = target if target is not None else targets[seed % len(targets)]
        if (fault := run_seed(seed, chosen)) is not None:
            faults.append(describe(seed, chosen, fault))
        ran += 1
    return ran, faults


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="of the first kernel")
    parser.add_argument("--count", type=int, default=10**9, help="kernels at most")
    parser.add_argument("--seconds", type=float, default=600, help="time at most")
    parser.add_argument("--target", help="CPU target instead of each in turn")
    parser.add_argument("--show", action="store_true", help="print the kernels; run nothing")
    asked = parser.parse_args()
    if asked.show:
        for seed in range(asked.seed, asked.seed + min(asked.count, 100)):
            print(random_kernel(seed).source())
        return 0
    ran, faults = run(asked.seed, asked.count, asked.seconds, asked.target)
    print("\n".join([*faults, f"{ran} kernels, {len(faults)} failed"]))
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
