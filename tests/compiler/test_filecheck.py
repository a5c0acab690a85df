# SPDX-License-Identifier: Apache-2.0
"""filecheck/*.ttir: each `// RUN: [TARGET] STAGE` line checks that stage with the prefix STAGE."""

import subprocess
from pathlib import Path

import pytest
import triton

from tilewise.triton_backend import native

FILECHECK = Path(triton.__file__).parent / "FileCheck"
FILES = sorted((Path(__file__).parent / "filecheck").glob("*.ttir"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_stage_texts(path, tmp_path):
    text = path.read_text()
    runs = [line.split()[2:] for line in text.splitlines() if line.startswith("// RUN:")]
    assert runs
    for *target, stage in runs:
        dump = tmp_path / stage
        dump.write_text(native.dump_stage(text, *(target or ["x86-64-v4"]), stage))
        command = [FILECHECK, path, f"--input-file={dump}", f"--check-prefix={stage.upper()}"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
