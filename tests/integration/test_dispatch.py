# SPDX-License-Identifier: Apache-2.0
"""Who is served: scopes, threads, nesting, fallbacks and strictness."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import textwrap
import threading

import pytest
import torch

import tilewise


@pytest.fixture(autouse=True)
def _stock():
    tilewise.disable()
    tilewise.reset()
    yield
    tilewise.disable()


def served(overload: str) -> int:
    return tilewise.report()["operators"].get(f"{overload}/cpu", {"served": 0})["served"]


def fell_back(overload: str) -> dict[str, int]:
    return tilewise.report()["operators"].get(f"{overload}/cpu", {"fell_back": {}})["fell_back"]


X = torch.arange(12, dtype=torch.float32).reshape(3, 4)


def test_nothing_is_served_without_a_scope():
    torch.add(X, X)
    assert served("add.Tensor") == 0
    assert fell_back("add.Tensor") == {}


def test_enable_serves_until_disable():
    tilewise.enable()
    result = torch.add(X, X)
    tilewise.disable()
    torch.add(X, X)
    assert served("add.Tensor") == 1
    torch.testing.assert_close(result, torch.arange(0, 24, 2.0).reshape(3, 4))


def test_use_works_without_enable_and_nests():
    scope = tilewise.use()
    with scope:
        torch.add(X, X)
        with scope, tilewise.use(exclude=["add"]):
            torch.add(X, X)
            torch.mul(X, X)
        torch.add(X, X)
    torch.add(X, X)
    assert served("add.Tensor") == 2
    assert served("mul.Tensor") == 1


def test_use_decorates_a_function():
    @tilewise.use(include=["add.Tensor"])
    def twice(x: torch.Tensor) -> torch.Tensor:
        return torch.mul(torch.add(x, x), 1.0)

    twice(X)
    assert twice.__name__ == "twice"
    assert (served("add.Tensor"), served("mul.Tensor")) == (1, 0)


def test_inactive_block_gives_stock_pytorch():
    tilewise.enable()
    with tilewise.use(active=False):
        torch.add(X, X)
    assert served("add.Tensor") == 0
    torch.add(X, X)
    assert served("add.Tensor") == 1


def test_scope_closes_when_the_block_raises():
    with pytest.raises(KeyError), tilewise.use():
        raise KeyError
    torch.add(X, X)
    assert served("add.Tensor") == 0


def test_use_holds_for_one_thread_only():
    inside, done = threading.Event(), threading.Event()

    def other() -> None:
        inside.wait()
        torch.add(X, X)
        done.set()

    thread = threading.Thread(target=other)
    thread.start()
    with tilewise.use():
        inside.set()
        done.wait()
        assert served("add.Tensor") == 0
        torch.add(X, X)
    thread.join()
    assert served("add.Tensor") == 1


def test_many_threads_count_exactly():
    def work() -> None:
        with tilewise.use():
            for _ in range(200):
                torch.add(X, X)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert served("add.Tensor") == 800


def test_backward_inside_a_block_is_served():
    x = X.clone().requires_grad_()
    with tilewise.use():
        torch.tanh(x).backward(torch.ones_like(x))
    assert served("tanh_backward") == 1
    torch.testing.assert_close(x.grad, 1 - torch.tanh(X) ** 2)


def test_scope_travels_with_pytorchs_thread_local_state():
    """What the autograd engine does when it hands a backward pass to another thread."""
    results = []
    with tilewise.use():
        future = torch.jit.fork(torch.add, X, X)
        results.append(torch.jit.wait(future))
    assert served("add.Tensor") == 1


def test_unserved_dtype_falls_back_and_is_counted():
    z = torch.ones(3, dtype=torch.complex64)
    with tilewise.use():
        torch.testing.assert_close(torch.exp(z), torch.full_like(z, math.e))
    assert fell_back("exp") == {"dtype without a Triton type": 1}


def test_a_kernel_that_cannot_be_compiled_falls_back_and_leaves_nothing(tmp_path):
    program = textwrap.dedent("""
        import sys
        sys.modules["llvmlite"] = None
        import torch, tilewise
        x = torch.rand(7)
        with tilewise.use():
            assert torch.equal(x.add(x), 2 * x)
        print(tilewise.report()["operators"]["add.Tensor/cpu"]["fell_back"])
        """)
    environment = {**os.environ, "TILEWISE_CACHE_DIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "pip install llvmlite" in done.stdout
    assert [p for p in tmp_path.rglob("*") if p.is_file() and p.stat().st_size > 0] == []


def test_strict_raises_instead_of_falling_back():
    z = torch.ones(3, dtype=torch.complex64)
    with tilewise.use(strict=True), pytest.raises(NotImplementedError, match="exp"):
        torch.exp(z)


def test_errors_are_pytorchs_own():
    with tilewise.use(), pytest.raises(RuntimeError, match=r"must match the size of tensor b"):
        torch.add(torch.ones(3), torch.ones(4))


def test_unknown_names_are_an_error():
    with pytest.raises(ValueError, match="no_such_operator"):
        tilewise.enable(include=["no_such_operator"])


def test_registered_lists_overloads():
    names = tilewise.registered("cpu")
    assert {"add.Tensor", "add_.Tensor", "add.out", "tanh_backward"} <= set(names)
    assert tilewise.registered("cuda") == [] or torch.cuda.is_available()


def test_report_prints_a_table_with_exact_numbers():
    with tilewise.use():
        torch.add(X, X)
    report = tilewise.report()
    assert report["served"] == 1
    assert "add.Tensor/cpu" in str(report)


def test_composite_operators_are_left_alone_or_taken_over_with_autograd():
    for name in tilewise.registered("cpu"):
        base, _, overload = name.partition(".")
        packet = getattr(torch.ops.aten, base)
        op = getattr(packet, overload or "default")
        keys = torch._C.DispatchKey
        decomposed = op.has_kernel_for_dispatch_key(keys.CompositeImplicitAutograd) and not (
            op.has_kernel_for_dispatch_key(keys.Autograd)
            or op.has_kernel_for_dispatch_key(keys.AutogradCPU)
        )
        assert not decomposed, name


def test_inference_mode_and_vmap_work():
    with tilewise.use():
        with torch.inference_mode():
            torch.testing.assert_close(torch.add(X, 1), X + 1)
        torch.testing.assert_close(torch.vmap(torch.add)(X, X), 2 * X)
