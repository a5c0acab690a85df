# SPDX-License-Identifier: Apache-2.0
"""From LLVM IR text to a function that runs: llvmlite, the object loader, the launch."""

from __future__ import annotations

import ctypes
import os
import platform
import subprocess
import sys

import pytest

from tilewise.triton_backend import errors, native, object_file

# out[program] = grid.x * 1000 + program, over the range of programs; scratch is written.
MODULE = """
define void @number_programs(ptr %args, ptr %grid, i64 %first, i64 %last, ptr %scratch) {
entry:
  %out = load ptr, ptr %args
  %x = load i32, ptr %grid
  %scaled = mul i32 %x, 1000
  store i8 1, ptr %scratch
  br label %loop
loop:
  %program = phi i64 [ %first, %entry ], [ %next, %loop ]
  %narrow = trunc i64 %program to i32
  %value = add i32 %scaled, %narrow
  %address = getelementptr i32, ptr %out, i64 %program
  store i32 %value, ptr %address
  %next = add i64 %program, 1
  %more = icmp slt i64 %next, %last
  br i1 %more, label %loop, label %done
done:
  ret void
}
"""


def emit(module: str = MODULE) -> bytes:
    return object_file.emit(module, **native.describe_cpu_target(native.cpu_target()))


def test_a_module_becomes_a_function_that_runs() -> None:
    kernel = native.load_object(emit(), "number_programs", 64)
    out = (ctypes.c_int32 * 24)()
    slots = (ctypes.c_uint64 * 1)(ctypes.addressof(out))
    native.cpu_launch(kernel, slots, (2, 3, 4))
    assert list(out) == [2000 + i for i in range(24)]


@pytest.mark.parametrize(
    "target", ["x86-64-v2", "x86-64-v3", "x86-64-v4", "aarch64", "riscv64", "riscv64-scalar"]
)
def test_every_target_emits_an_object(target: str) -> None:
    payload = object_file.emit(MODULE, **native.describe_cpu_target(target))
    assert payload[:4] == b"\x7fELF"


def test_a_function_that_is_not_there_is_named() -> None:
    with pytest.raises(native.NativeError, match="absent"):
        native.load_object(emit(), "absent", 0)


def test_an_unknown_target_names_those_that_there_are() -> None:
    with pytest.raises(errors.CompileError, match="x86-64-v3"):
        native.describe_cpu_target("z80")


def test_assembly_is_text() -> None:
    target = native.describe_cpu_target(native.cpu_target())
    assert "number_programs:" in object_file.assembly(MODULE, **target)


def cpu_target_of_a_process(setting: str) -> subprocess.CompletedProcess[str]:
    program = "from tilewise.triton_backend import native; print(native.cpu_target())"
    return subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "TILEWISE_CPU_TARGET": setting},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the levels of x86-64")
def test_a_lower_target_can_be_forced() -> None:
    assert cpu_target_of_a_process("x86-64-v2").stdout.strip() == "x86-64-v2"


@pytest.mark.parametrize("setting", ["riscv64-scalar", "pdp-11"])
def test_a_target_that_this_machine_does_not_run_is_refused(setting: str) -> None:
    run = cpu_target_of_a_process(setting)
    assert run.returncode != 0
    last = run.stderr.strip().splitlines()[-1]
    assert setting in last and native.cpu_target() in last
