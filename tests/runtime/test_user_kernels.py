# SPDX-License-Identifier: Apache-2.0
"""What stock Triton offers around a kernel, on CPU tensors: tuning, heuristics, hooks, compile."""

import os
import subprocess
import sys
import textwrap
from collections import namedtuple

import pytest
import torch
import triton
import triton.language as tl
from triton.backends.compiler import GPUTarget

from tilewise.triton_backend import driver as cpu_driver
from tilewise.triton_backend import native, object_file
from tilewise.triton_backend.errors import CompileError


@pytest.fixture(autouse=True)
def on_the_cpu():
    from triton.runtime.driver import driver

    driver.set_active(cpu_driver.CPUDriver())
    yield
    driver.reset_active()


@triton.jit
def add(x_ptr, y_ptr, n, scale, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    tl.store(y_ptr + i, tl.load(x_ptr + i, i < n) * scale, i < n)


def test_autotune_chooses_among_configurations():
    ran = []
    configs = [
        triton.Config(
            {"BLOCK": b}, num_warps=w, num_stages=2, pre_hook=lambda a: ran.append(a["BLOCK"])
        )
        for b, w in ((64, 1), (1024, 8))
    ]
    tuned = triton.autotune(configs, key=["n"], reset_to_zero=["y_ptr"])(add)
    x, y = torch.randn(3000), torch.zeros(3000)
    tuned[lambda meta: (triton.cdiv(3000, meta["BLOCK"]),)](x, y, 3000, 2.0)
    assert torch.equal(y, x * 2) and set(ran) == {64, 1024}
    assert tuned.best_config in configs and len(tuned.configs_timings) == 2
    ran.clear()
    tuned[lambda meta: (triton.cdiv(3000, meta["BLOCK"]),)](x, y, 3000, 3.0)
    assert torch.equal(y, x * 3) and ran == [tuned.best_config.kwargs["BLOCK"]]


def test_heuristics_and_a_callable_grid():
    guided = triton.heuristics({"BLOCK": lambda a: triton.next_power_of_2(a["n"])})(add)
    x, y = torch.randn(100), torch.zeros(100)
    kernel = guided[lambda meta: (triton.cdiv(100, meta["BLOCK"]), 1, 1)](x, y, 100, 2.0)
    assert torch.equal(y, x * 2)
    assert "128x" in kernel.asm["ttir"]


def test_warmup_compiles_and_does_not_run():
    x, y = torch.ones(64), torch.zeros(64)
    kernel = add.warmup(x, y, 64, 2.0, BLOCK=64, grid=(1,))
    assert (y == 0).all()
    assert set(kernel.asm) >= {"ttir", "llir", "obj"} and "define void @add" in kernel.asm["llir"]
    kernel[(1, 1, 1)](x, y, 64, 2.0)
    assert (y == 2).all()
    by_type = add.warmup(torch.float32, torch.float32, 64, 2.0, BLOCK=64, grid=(1,))
    assert by_type.metadata.target.backend == "cpu"


def test_hooks_of_kernels_and_launches(monkeypatch):
    seen = []
    monkeypatch.setattr(add, "pre_run_hooks", [lambda *a, **k: seen.append("pre")])
    enter = lambda metadata: seen.append(("enter", metadata.get()["name"]))  # noqa: E731
    leave = lambda metadata: seen.append(("exit", metadata.get()["name"]))  # noqa: E731
    triton.knobs.runtime.launch_enter_hook.add(enter)
    triton.knobs.runtime.launch_exit_hook.add(leave)
    try:
        x, y = torch.ones(64), torch.zeros(64)
        add[(1,)](x, y, 64, 3.0, BLOCK=64)
    finally:
        triton.knobs.runtime.launch_enter_hook.remove(enter)
        triton.knobs.runtime.launch_exit_hook.remove(leave)
    assert seen == ["pre", ("enter", "add"), ("exit", "add")] and (y == 3).all()


def test_triton_compile_for_a_named_target():
    types = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "scale": "fp32", "BLOCK": "constexpr"}
    source = triton.compiler.ASTSource(add, types, {"BLOCK": 64})
    for target in ("x86-64-v3", "aarch64", "riscv64"):
        kernel = triton.compile(source, target=GPUTarget("cpu", target, 1))
        assert kernel.asm["obj"].startswith(b"\x7fELF")
    here = triton.compile(source, target=GPUTarget("cpu", native.cpu_target(), 1))
    x, y = torch.ones(64), torch.zeros(64)
    here[(1, 1, 1)](x, y, 64, 5.0)
    assert (y == 5).all()


def test_do_bench_measures():
    x, y = torch.ones(1 << 16), torch.zeros(1 << 16)
    run = lambda: add[(64,)](x, y, 1 << 16, 2.0, BLOCK=1024)  # noqa: E731
    median, low, high = triton.testing.do_bench(run, warmup=2, rep=5, quantiles=[0.5, 0.2, 0.8])
    assert 0 < low <= median <= high
    assert triton.testing.do_bench(run, warmup=2, rep=5) > 0


Pair = namedtuple("Pair", ["left", "right"])


@triton.jit
def tuples(inputs, y_ptr, sizes, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    a, b = tl.load(inputs.left + i, i < sizes[0]), tl.load(inputs.right + i, i < sizes[0])
    tl.store(y_ptr + i, (a + b) * sizes[1], i < sizes[0])


def test_tuples_are_arguments():
    x, y = torch.randn(40), torch.zeros(40)
    tuples[(1,)](Pair(x, x), y, (40, 3), BLOCK=64)
    torch.testing.assert_close(y, x * 6)


@triton.jit
def numbers(y_ptr, maybe, a, b, c, d):
    if maybe is not None:
        tl.store(y_ptr, 100)
    else:
        tl.store(y_ptr, (a + b).to(tl.int64) + c + d)


def test_none_and_numbers_of_every_kind():
    y = torch.zeros(1, dtype=torch.int64)
    numbers[(1,)](y, None, 1.5, True, 2**40, -3)
    assert y.item() == 2 + 2**40 - 3
    numbers[(1,)](y, y, 1.5, True, 2**40, -3)
    assert y.item() == 100


def test_kernels_are_kept_by_triton_on_disk(tmp_path, monkeypatch):
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))
    x, y = torch.ones(32), torch.zeros(32)
    fresh = triton.jit(add.fn)
    fresh[(1,)](x, y, 32, 2.0, BLOCK=32)
    objects = list(tmp_path.rglob("*.obj"))
    assert len(objects) == 1
    monkeypatch.setattr(object_file, "emit", lambda *a, **k: pytest.fail("compiled again"))
    again = triton.jit(add.fn)
    again[(1,)](x, y, 32, 4.0, BLOCK=32)
    assert (y == 4).all() and list(tmp_path.rglob("*.obj")) == objects


@triton.jit
def with_assembly(x_ptr):
    x = tl.load(x_ptr)
    y = tl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [x], tl.float32, is_pure=True, pack=1)
    tl.store(x_ptr, y)


def test_a_refused_kernel_says_where_and_why_and_leaves_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(triton.knobs.cache, "dir", str(tmp_path))
    with pytest.raises(CompileError) as caught:
        with_assembly[(1,)](torch.ones(1))
    error = caught.value
    assert error.kernel == "with_assembly" and "inline assembly" in error.reason
    assert error.location.startswith(f"{__file__}:") and "triton.language" in error.remedy
    assert not [p for p in tmp_path.rglob("*") if p.suffix in (".obj", ".llir")]


def test_damaged_and_newer_ir_unknown_targets_and_missing_llvmlite(monkeypatch):
    target = native.cpu_target()
    with pytest.raises(CompileError, match="is expected") as caught:
        native.compile_ttir("module { tt.func public @k( { tt.return } }", target, "k")
    assert caught.value.kernel == "k" and ":1:" in caught.value.location
    newer = "module {\ntt.func public @k() {\ntt.teleport\ntt.return\n}\n}"
    with pytest.raises(CompileError, match=r"tt\.teleport.*not known.*Triton 3\.6"):
        native.compile_ttir(newer, target, "k")
    with pytest.raises(CompileError, match='unknown CPU target "z80"; known: x86-64-v4'):
        native.compile_ttir("module {}", "z80", "k")
    with pytest.raises(CompileError, match="z80"):
        native.describe_cpu_target("z80")
    monkeypatch.setitem(sys.modules, "llvmlite", None)
    object_file._llvm.cache_clear()
    with pytest.raises(CompileError, match="llvmlite.*missing.*pip install llvmlite"):
        object_file.emit("", "x86_64-unknown-linux-gnu", "x86-64", "")


def test_beside_a_gpu_the_tensors_decide(tmp_path):
    """A driver that stands for a GPU's is the active one; only launches on CPU tensors leave it."""
    (tmp_path / "beside_gpu.py").write_text(
        textwrap.dedent('''
        import threading
        import torch, triton, triton.language as tl
        from triton.backends import Backend, backends
        from triton.backends.driver import DriverBase

        asked = []
        class Gpu(DriverBase):
            """Notes every question; there is no GPU behind it."""
            def __init__(self): pass
            @classmethod
            def is_active(cls): return True
            def get_current_device(self):
                asked.append(threading.get_ident())
                raise LookupError("the GPU was asked")
            def map_python_to_cpp_type(self, ty): return ty
            def get_current_target(self): raise LookupError("the GPU was asked")
            def get_active_torch_device(self): return torch.device("cuda")
            def get_benchmarker(self): return "gpu's"
        class Compiler:
            @staticmethod
            def supports_target(target): return target.backend == "gpu"
        for name in [n for n in backends if n != "cpu"]: del backends[name]  # a real GPU's
        backends["gpu"] = Backend(compiler=Compiler, driver=Gpu)

        @triton.jit
        def double(x_ptr, n, BLOCK: tl.constexpr):
            i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
            tl.store(x_ptr + i, tl.load(x_ptr + i, i < n) * 2, i < n)

        active = triton.runtime.driver.active
        assert type(active) is Gpu
        x = torch.ones(100)
        double[(2,)](x, 100, BLOCK=64)
        assert (x == 2).all() and not asked
        assert triton.runtime.driver.active is active

        class OnGpu:  # As a CUDA tensor looks to Triton.
            device = torch.device("cuda")
            dtype = torch.float32
            def data_ptr(self): return 0
        for arguments in ((OnGpu(), 1), (1, 1)):
            try: double[(1,)](*arguments, BLOCK=64)
            except LookupError: pass
            else: raise AssertionError("the GPU was not asked")
        assert len(asked) == 2

        configs = [triton.Config({"BLOCK": b}) for b in (32, 64)]
        tuned = triton.autotune(configs, key=["n"])(double)
        tuned[lambda m: (triton.cdiv(100, m["BLOCK"]),)](x, 100)
        assert not tuned.cache and tuned.best_config in configs
        assert tuned.do_bench == "gpu's"

        compiled = double.warmup(x, 100, BLOCK=64, grid=(1,))
        before = x.clone()
        compiled[(2, 1, 1)](x, 100)
        assert torch.equal(x, before * 2) and len(asked) == 2
        print("fine")
        ''')
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / "beside_gpu.py")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0 and done.stdout == "fine\n", done.stderr


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_beside_a_real_gpu_both_devices_launch():
    """In a process of its own: which driver is active is settled once."""
    program = textwrap.dedent("""
        import sys, torch, triton
        sys.path.insert(0, sys.argv[1])
        from test_user_kernels import add
        for device in ("cuda", "cpu", "cuda", "cpu"):
            x, y = torch.ones(100, device=device), torch.zeros(100, device=device)
            add[(4,)](x, y, 100, 2.0, BLOCK=32)
            assert (y == 2).all(), device
        assert triton.runtime.driver.active.get_current_target().backend in ("cuda", "hip")
        """)
    command = [sys.executable, "-c", program, os.path.dirname(__file__)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
