# SPDX-License-Identifier: Apache-2.0
"""The checks of `make lint` and the sentences of `make setup` do find what they are for."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import check_duplicates  # noqa: E402
import check_layering  # noqa: E402
import setup_environment  # noqa: E402


@pytest.mark.parametrize(
    ("path", "include", "reason"),
    [
        ("runtime/a.h", '"compiler/target.h"', "runtime is not above compiler"),
        ("compiler/a.cpp", "<ATen/core/Tensor.h>", "compiler is free of PyTorch"),
        ("ops/a.cpp", "<Python.h>", "knows no Python"),
        ("backends/cuda/a.cpp", '"backends/hip/b.h"', "includes backend hip"),
        ("backends/cuda/a.cpp", "<cuda.h>", "dlopen"),
        ("extras/a.cpp", '"base/check.h"', "is not in"),
        ("ops/a.cpp", '"runtime/launcher.h"', None),
        ("backends/cuda/a.cpp", '"backends/gpu_common/b.h"', None),
    ],
)
def test_layering_finds_includes_that_go_up(tmp_path, monkeypatch, path, include, reason):
    monkeypatch.setattr(check_layering, "SOURCE", tmp_path)
    file = tmp_path / path
    file.parent.mkdir(parents=True)
    file.write_text(f"// First line\n#include {include}\n")
    found = list(check_layering.violations())
    assert (len(found) == 1 and reason in found[0]) if reason else found == []


def test_duplicates_finds_a_passage_and_its_length(tmp_path):
    passage = [f"value_{i} = compute({i})" for i in range(14)]
    first, second = tmp_path / "first.py", tmp_path / "second.py"
    first.write_text("\n".join(["a = 1", *passage, "b = 2"]))
    second.write_text("\n".join(["c = 3  # other", "", *passage]))
    assert check_duplicates.duplicates([first, second]) == [(second, 3, first, 2, 14)]
    second.write_text("\n".join(passage[:5]))
    assert check_duplicates.duplicates([first, second]) == []


@pytest.mark.parametrize("version", ["2.10.1", "2.14.0", "1.13.1+cu117"])
def test_unsupported_pytorch_is_named(version):
    with pytest.raises(setup_environment.SetupError, match=r"not supported: install one from 2.11"):
        setup_environment.check_torch_version(version)


@pytest.mark.parametrize("version", ["2.11.0+cu130", "2.13.0", "2.12.0a0+git1"])
def test_supported_pytorch_passes(version):
    setup_environment.check_torch_version(version)


def test_a_missing_compiler_is_one_sentence(tmp_path):
    script = ROOT / "tools" / "setup_environment.py"
    answer = subprocess.run(
        [sys.executable, script, tmp_path / "environment"],
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
        check=False,
    )
    assert answer.returncode == 1
    assert "no C++ compiler was found" in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "environment").exists()
