# SPDX-License-Identifier: Apache-2.0
"""Masked-off lanes touch no memory, at every level of this machine.

The kernels run in cross/run_cases.cpp, so that a fault has the name of its case.
"""

import os
import subprocess

import pytest
from case_file import write_cases
from memory_cases import memory_cases

from tilewise.triton_backend import native

PROGRAM = os.environ.get("TILEWISE_RUN_CASES", "")  # Set by ctest.
LEVELS = ["x86-64-v4+avx512bf16", "x86-64-v4", "x86-64-v3", "x86-64-v2"]
if not PROGRAM:
    pytest.skip("TILEWISE_RUN_CASES names no program", allow_module_level=True)


def targets_here():
    host = native.cpu_target()
    return LEVELS[LEVELS.index(host) :] if host in LEVELS else [host]


@pytest.mark.parametrize("target", targets_here())
def test_masked_lanes_touch_no_memory(target, tmp_path):
    cases = memory_cases()
    described = write_cases(cases, target, tmp_path)
    done = subprocess.run(
        [PROGRAM, described, tmp_path], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout}{done.stderr}"
    assert f"{len(cases)} cases, 0 failed" in done.stdout
