# SPDX-License-Identifier: Apache-2.0
"""The compile client: requests in, binaries out, on a machine without a GPU."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tilewise import compile_client, kernel_modules
from tilewise.compile_request import parse_request

ADD = """import triton
import triton.language as tl


@triton.jit
def add(x_ptr, y_ptr, out_ptr, n, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    tl.store(out_ptr + i, tl.load(x_ptr + i, mask) + tl.load(y_ptr + i, mask), mask)
"""
ADD_PARAMETERS = ("*bf16 aligned", "*bf16 aligned", "*bf16", "i32", "constexpr int 1024")


def request(
    target: str,
    parameters: tuple[str, ...] = ADD_PARAMETERS,
    kernel: str = "generated/add",
    function: str = "add",
    source: str = ADD,
) -> str:
    lines = [
        "tilewise_request=1",
        f"kernel={kernel}",
        f"function={function}",
        f"target={target}",
        "num_warps=8",
        "num_stages=2",
        "fp_fusion=1",
        "libdevice_ftz=0",
        *(f"parameter={parameter}" for parameter in parameters),
    ]
    return "\n".join(lines) + "\n" + (f"source=\n{source}" if source else "")


def test_request_is_parsed_back() -> None:
    parsed = parse_request(request("cuda:90"))
    assert parsed.name == "generated/add:add"
    assert parsed.options == {
        "num_warps": 8,
        "num_stages": 2,
        "enable_fp_fusion": True,
        "enable_reflect_ftz": False,
    }
    assert parsed.parameters == list(ADD_PARAMETERS)
    assert parsed.source == ADD


ASSERTION = ADD.replace(
    "    mask = i < n", "    mask = i < n\n    tl.device_assert(i < 7, 'seven')"
)


def test_assertions_are_compiled_in_for_gpus() -> None:
    """Operators of CPUs look before they launch."""
    made = compile_client._run_stages(parse_request(request("cuda:90", source=ASSERTION)))[0]
    assert "__assertfail" in made["ptx"]
    # No check of overflows comes along.
    assert made["ttir"].count("tt.assert") == 1
    made = compile_client._run_stages(parse_request(request("cpu:x86-64-v2", source=ASSERTION)))[0]
    assert "tt.assert" not in made["ttir"]


def test_a_request_of_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="format 2"):
        parse_request("tilewise_request=2\n")


@pytest.mark.parametrize(
    ("target", "kind"), [("cuda:80", "cubin"), ("cuda:90", "cubin"), ("hip:gfx942", "hsaco")]
)
def test_gpu_binaries_are_made_without_a_gpu(target: str, kind: str) -> None:
    payload, metadata = compile_client.compile_text(request(target))
    assert payload[:4] == b"\x7fELF"
    assert metadata["kind"] == kind
    assert metadata["entry"] == "add"
    assert metadata["num_warps"] == 8
    assert all(float(metadata[f"{phase}_seconds"]) > 0 for phase in ("frontend", "lowering"))


def test_stages_are_texts_and_the_last_is_the_binary() -> None:
    stages = compile_client.stages_of(request("cuda:90"))
    assert list(stages) == ["ttir", "ttgir", "llir", "ptx", "cubin"]
    assert "tt.load" in stages["ttir"]
    assert "#blocked" not in stages["ttir"]
    assert ".visible .entry add" in stages["ptx"]


def test_traits_shape_the_code() -> None:
    aligned, _ = compile_client.compile_text(
        request("cuda:90", ("*bf16 aligned",) * 3 + ("i32 divisible", "constexpr int 1024"))
    )
    plain, _ = compile_client.compile_text(
        request("cuda:90", ("*bf16",) * 3 + ("i32", "constexpr int 1024"))
    )
    assert aligned != plain


def test_every_constexpr_kind_reaches_the_kernel() -> None:
    source = """import triton
import triton.language as tl


@triton.jit
def f(out, stride, A: tl.constexpr, B: tl.constexpr, C: tl.constexpr, D: tl.constexpr, E):
    tl.static_assert(stride == 1)
    tl.static_assert(A == -7)
    tl.static_assert(B == 0.1)
    tl.static_assert(C == tl.bfloat16)
    tl.static_assert(D)
    tl.static_assert(E is None)
    tl.store(out, A)
"""
    parameters = (
        "*i64",
        "constexpr one",
        "constexpr int -7",
        f"constexpr float {(0.1).hex()}",
        "constexpr dtype bf16",
        "constexpr bool 1",
        "constexpr none",
    )
    payload, _ = compile_client.compile_text(
        request("cuda:90", parameters, "generated/constants", "f", source)
    )
    assert payload


def test_a_kernel_that_does_not_compile_names_the_line() -> None:
    broken = ADD.replace("tl.load(x_ptr + i, mask) +", "tl.no_such_thing(x_ptr) +")
    with pytest.raises(Exception, match="no_such_thing") as caught:
        compile_client.compile_text(request("cuda:90", source=broken))
    text = compile_client._error_text(caught.value)
    assert "at 4:" in text  # Of the function, which Triton quotes up to there.
    assert "tl.no_such_thing(x_ptr) + tl.load(y_ptr + i, mask)" in text


def test_a_wrong_number_of_arguments_names_the_parameters() -> None:
    with pytest.raises(ValueError, match=r"5 parameters \(x_ptr, .*BLOCK\).*4 arguments"):
        compile_client.compile_text(request("cuda:90", ADD_PARAMETERS[:4]))


def test_kernel_files_import_each_other_and_hide_nothing(tmp_path, monkeypatch) -> None:
    (tmp_path / "family").mkdir()
    (tmp_path / "shared_code").mkdir()
    (tmp_path / "shared_code" / "value.py").write_text("VALUE = 41\n")
    (tmp_path / "family" / "kernel.py").write_text(
        "from shared_code.value import VALUE\nresult = VALUE + 1\n"
    )
    other = type(sys)("shared_code")
    monkeypatch.setitem(sys.modules, "shared_code", other)
    assert kernel_modules.load_file("family/kernel", str(tmp_path)).result == 42
    assert sys.modules["shared_code"] is other
    assert str(tmp_path) not in sys.path


def test_connecting_imports_neither_triton_nor_llvmlite() -> None:
    code = (
        "import sys\n"
        "from tilewise import compile_client\n"
        "compile_client.connect()\n"
        "print([m for m in ('triton', 'llvmlite') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]", done.stdout
