# SPDX-License-Identifier: Apache-2.0
"""Users' own `@triton.jit` kernels on CPU tensors, launched by stock Triton."""

from __future__ import annotations

import pytest
import torch
import triton
import triton.language as tl

from tilewise.triton_backend import driver as cpu_driver
from tilewise.triton_backend import launcher


@triton.jit
def add_kernel(x_ptr, y_ptr, out_ptr, n, scale, BLOCK: tl.constexpr):
    i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = i < n
    x = tl.load(x_ptr + i, mask)
    y = tl.load(y_ptr + i, mask)
    tl.store(out_ptr + i, x + y * scale, mask)


@triton.jit
def row_sum_kernel(x_ptr, out_ptr, columns, stride, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    i = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * stride + i, i < columns, 0.0)
    tl.store(out_ptr + row, tl.sum(x.to(tl.float32), 0))


@pytest.fixture(autouse=True)
def on_the_cpu():
    """Where a GPU is present its driver is the active one."""
    from triton.runtime.driver import driver

    driver.set_active(cpu_driver.CPUDriver())
    yield
    driver.reset_active()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("n", [1, 17, 1000, 100003])
def test_pointwise_kernel_matches_torch(dtype: torch.dtype, n: int) -> None:
    x = torch.randn(n, dtype=dtype)
    y = torch.randn(n, dtype=dtype)
    out = torch.full((n + 8,), 7.0, dtype=dtype)
    add_kernel[(triton.cdiv(n, 1024),)](x, y, out, n, 0.5, BLOCK=1024)
    torch.testing.assert_close(out[:n], x + y * 0.5)
    assert (out[n:] == 7).all()


def test_reduction_kernel_matches_torch() -> None:
    x = torch.randn(33, 300)
    out = torch.empty(33)
    row_sum_kernel[(33,)](x, out, 300, x.stride(0), BLOCK=512)
    torch.testing.assert_close(out, x.sum(1))


def test_a_warm_launch_uses_the_same_kernel() -> None:
    x = torch.ones(64)
    out = torch.empty(64)
    first = add_kernel[(1,)](x, x, out, 64, 1.0, BLOCK=64)
    second = add_kernel[(1,)](x, x, out, 64, 2.0, BLOCK=64)
    assert first.function == second.function
    assert (out == 3).all()


def test_an_empty_grid_runs_nothing() -> None:
    out = torch.zeros(4)
    add_kernel[(0,)](out, out, out, 4, 1.0, BLOCK=4)
    assert (out == 0).all()


@pytest.mark.parametrize("value", [0.0, -1.5, 65504.0, 1e-7, float("inf")])
def test_float_arguments_become_the_bits_that_torch_has(value: float) -> None:
    for name, dtype, view in [
        ("fp16", torch.float16, torch.int16),
        ("bf16", torch.bfloat16, torch.int16),
        ("fp32", torch.float32, torch.int32),
        ("fp64", torch.float64, torch.int64),
    ]:
        expected = torch.tensor(value, dtype=dtype).view(view).item()
        bits = 8 * dtype.itemsize
        assert launcher.slot(name, value) == expected % (1 << bits)
