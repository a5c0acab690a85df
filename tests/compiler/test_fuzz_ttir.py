# SPDX-License-Identifier: Apache-2.0
"""Damaged Triton IR is refused with a CompileError, and what is accepted is LLVM IR.

fuzz_ttir.cpp damages the Triton IR of all kernels; `make fuzz` does it for longer, and `make
test-asan` with sanitizers.
"""

import os
import subprocess

import llvmlite.binding as llvm
import pytest
from ttir_corpus import write_corpus

PROGRAM = os.environ.get("TILEWISE_FUZZ_TTIR", "")  # Set by ctest.
SEED = os.environ.get("TILEWISE_FUZZ_SEED", "1")
ROUNDS = os.environ.get("TILEWISE_FUZZ_ROUNDS", "6000")
SECONDS = os.environ.get("TILEWISE_FUZZ_SECONDS", "120")
if not PROGRAM:
    pytest.skip("TILEWISE_FUZZ_TTIR names no program", allow_module_level=True)


def test_damaged_texts_are_refused_or_compiled(tmp_path):
    assert write_corpus(tmp_path) > 30
    command = [PROGRAM, tmp_path, SEED, ROUNDS, SECONDS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    accepted = sorted(tmp_path.glob("accepted-*.ll"))
    assert accepted, "every text was refused"
    for path in accepted:
        try:
            llvm.parse_assembly(path.read_text()).verify()
        except RuntimeError as error:
            raise AssertionError(f"{path.stem} of seed {SEED} is no LLVM IR: {error}") from error
