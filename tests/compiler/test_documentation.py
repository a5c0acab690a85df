# SPDX-License-Identifier: Apache-2.0
"""The documents of the CPU compiler are true: the table of operations, the example to paste."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_table_of_operations_is_that_of_the_compiler():
    source = (ROOT / "src/compiler/ttir/op_table.cpp").read_text()
    known = set(re.findall(r'^    \{"([a-z0-9_.]+)", OpClass', source, re.MULTILINE))
    text = (ROOT / "docs/cpu-compiler.md").read_text()
    section = text[text.index("## Operations") : text.index("Refused:")]
    named = set(re.findall(r"`((?:arith|math|tt|ttg|ub|scf|cf|gpu|llvm)\.[a-z0-9_.]+)`", section))
    assert named == known - {"tilewise.apply"}


def test_the_example_of_custom_kernels_runs(tmp_path):
    text = (ROOT / "docs/custom-kernels.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    program = tmp_path / "example.py"  # Triton reads the source of kernels from their file.
    program.write_text(example)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.startswith("BLOCK = "), done.stderr
