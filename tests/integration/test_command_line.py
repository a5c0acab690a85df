# SPDX-License-Identifier: Apache-2.0
"""What a user of the command line sees: answers, and one sentence where something is wrong."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import tilewise
from tilewise.cli import inspect_kernel, kernel_requests
from tilewise.cli.main import main


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "tilewise", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        check=False,
    )


def test_ops_lists_what_is_registered(capsys):
    assert main(["ops", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["cpu"] == tilewise.registered("cpu")
    assert "add.Tensor" in listed["cpu"]


def test_doctor_finds_nothing_wrong_here():
    answer = run("doctor", "--json")
    findings = json.loads(answer.stdout)
    assert {"PyTorch", "Triton", "libtilewise", "store"} <= {one["subject"] for one in findings}
    assert answer.returncode == 0, [one for one in findings if one["fix"] and one["fatal"]]


def test_doctor_runs_without_the_library(tmp_path):
    answer = run("doctor", TILEWISE_LIBRARY=str(tmp_path / "libtilewise.so"))
    assert answer.returncode == 1
    assert "does not exist" in answer.stdout
    assert "make build" in answer.stdout


def test_doctor_names_an_unwritable_store(tmp_path):
    in_the_way = tmp_path / "a file"
    in_the_way.write_text("")
    answer = run("doctor", TILEWISE_CACHE_DIR=str(in_the_way / "store"))
    assert answer.returncode == 1
    assert "set TILEWISE_CACHE_DIR" in answer.stdout


def test_a_missing_library_is_one_sentence(tmp_path):
    answer = run("ops", TILEWISE_LIBRARY=str(tmp_path / "libtilewise.so"))
    assert answer.returncode == 1
    assert "Traceback" not in answer.stderr
    assert len(answer.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("target", "stages"),
    [
        ("cpu", ["ttir", "prepared", "tile", "llvm", "asm"]),
        ("aarch64", ["ttir", "prepared", "tile", "llvm", "asm"]),
        ("sm_90", ["ttir", "ttgir", "llvm", "ptx", "sass"]),
        ("gfx942", ["ttir", "ttgir", "llvm", "amdgcn"]),
    ],
)
def test_inspect_prints_each_stage_for_chips_that_are_not_here(capsys, target, stages):
    assert main(["inspect", "foreach/norm:norm_tensors", "--fresh", "--target", target]) == 0
    printed = capsys.readouterr().out
    assert [
        line.split()[-1] for line in printed.splitlines() if line.startswith("# ----")
    ] == stages


def test_inspect_shows_one_stage_with_the_users_constants(capsys):
    arguments = ["inspect", "foreach/norm:norm_tensors", "--stage", "ttir", "--set", "BLOCK=512"]
    assert main(arguments) == 0
    assert "constexpr int 512" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["no/such:kernel"], "there is no no/such.py"),
        (["foreach/norm:nothing"], "no Triton function nothing"),
        (["foreach/norm:norm_tensors", "--stage", "ptx"], "has the stages"),
        (["foreach/norm:norm_tensors", "--set", "NOTHING=1"], "has no parameter NOTHING"),
        (["norm_tensors"], "is not FAMILY/FILE:FUNCTION"),
    ],
)
def test_inspect_says_what_is_wrong(capsys, arguments, said):
    assert main(["inspect", *arguments]) == 1
    assert said in capsys.readouterr().err


def _store(folder, name, parameters):
    """An artifact without a binary (src/runtime/disk_cache.h)."""
    lines = ["tilewise_request=1", "kernel=foreach/norm", "function=norm_tensors", "target=cpu"]
    lines += [f"parameter={parameter}" for parameter in parameters]
    request = ("\n".join(lines) + "\nsource=\n").encode()
    header = kernel_requests._HEADER
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(
        header.pack(b"TILEWISE", 1, header.size, len(request), 0, 0) + request
    )


def test_inspect_passes_over_kernels_of_earlier_versions(capsys, monkeypatch, tmp_path):
    arguments = ["inspect", "foreach/norm:norm_tensors", "--stage", "ttir"]
    assert main([*arguments, "--fresh"]) == 0
    printed = capsys.readouterr().out.split("# ----")[0]
    present = [line[4:] for line in printed.splitlines() if line.startswith("#   ")]
    monkeypatch.setattr(inspect_kernel, "_store_path", lambda: tmp_path)
    folder = tmp_path / "artifacts" / "ab"
    _store(folder, "one more", [*present, "constexpr int 7"])
    _store(folder, "constants elsewhere", present[::-1])
    assert main(arguments) == 0
    assert "by the parameters' names" in capsys.readouterr().out
    _store(folder, "present", present)
    assert main(arguments) == 0
    assert "specialization 1 of 1" in capsys.readouterr().out


def test_damaged_files_of_the_store_are_passed_over(tmp_path):
    folder = tmp_path / "artifacts" / "ab"
    folder.mkdir(parents=True)
    (folder / "short").write_bytes(b"TILEWISE")
    (folder / "foreign").write_bytes(b"\0" * 4096)
    (folder / "torn").write_bytes(b"TILEWISE" + b"\xff" * 4096)
    assert list(kernel_requests.stored_names(tmp_path)) == []


def test_demo_refuses_a_device_that_is_not_there(tmp_path):
    answer = run("demo", "--output", str(tmp_path / "missing"))
    assert answer.returncode == 2
    assert "is no folder" in answer.stderr
