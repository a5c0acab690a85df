# SPDX-License-Identifier: Apache-2.0
"""Launches whose programs take turns (kernels/common/turns.py): the kernels on small tensors by
stock Triton, on either device, and the operators that use them where tensors exceed a GPU's cache.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from types import ModuleType

import pytest
import torch
import torch.nn.functional as F
import triton
import triton.language as tl

import tilewise
from tilewise.triton_backend import native

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
DTYPES = (torch.float32, torch.bfloat16, torch.float64)
on_gpu = pytest.mark.skipif(DEVICE == "cpu", reason="CPUs do not read twice")


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Imports a module of the kernels."""
    monkeypatch.syspath_prepend(native.kernels_dir())
    return importlib.import_module


def _random(*shape: int, dtype: torch.dtype) -> torch.Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)


def _accumulator(dtype: torch.dtype) -> torch.dtype:
    return torch.float64 if dtype == torch.float64 else torch.float32


def _softmax(
    module: ModuleType, x: torch.Tensor, axis: int, lanes: int, block: int, delay: int, log: bool
) -> torch.Tensor:
    """Of x [outer, length, inner] along the length."""
    outer, length, inner = x.shape
    out = torch.empty_like(x)
    groups, chunks = outer * triton.cdiv(inner, block), triton.cdiv(length, lanes)
    options = {"device": x.device, "dtype": _accumulator(x.dtype)}
    partial = torch.empty(groups * chunks * 2 * block, **options)
    totals = torch.empty(groups * 2 * block, **options)
    turns = torch.zeros(1 + groups, dtype=torch.int32, device=x.device)
    module.forward[(2 * (groups + delay) * chunks,)](
        x, out, partial, totals, turns, groups, inner, length, chunks, delay,
        *(t.stride(i) for t in (x, out) for i in (0, 2, 1)),
        ACC=tl.float64 if x.dtype == torch.float64 else tl.float32,
        LOG=log, SAFE=False, AXIS=axis, LANES=lanes, BLOCK=block,
    )  # fmt: skip
    return out


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("dtype", "log"), [(dtype, False) for dtype in DTYPES] + [(torch.float32, True)]
)
def test_softmax_kernel(
    kernels: Callable[[str], ModuleType], dtype: torch.dtype, log: bool, axis: int
) -> None:
    module = kernels("normalization.softmax_in_turns")
    stock = torch.log_softmax if log else torch.softmax
    for length, inner, delay in ((700, 45, 2), (5000, 3, 4)):
        x = _random(3, length, inner, dtype=dtype)
        if length > 1000:
            x[0, 77, 0], x[1, :, 1], x[2, 4999, 2] = torch.inf, -torch.inf, torch.nan
            x[0, :4096, 2] = -torch.inf
        if axis == 1:
            x = x.transpose(1, 2).contiguous().transpose(1, 2)
        tile = (64, 16) if axis == 0 else (1024, 1)
        actual = _softmax(module, x, axis, *tile, delay, log)
        torch.testing.assert_close(actual, stock(x, 1), equal_nan=True)
        again = _softmax(module, x, axis, *tile, delay, log)
        assert again.nan_to_num().equal(actual.nan_to_num())


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize(
    ("dtype", "log"), [(dtype, False) for dtype in DTYPES] + [(torch.float32, True)]
)
def test_softmax_backward_kernel(
    kernels: Callable[[str], ModuleType], dtype: torch.dtype, log: bool, axis: int
) -> None:
    module = kernels("normalization.softmax_in_turns")
    outer, length, inner, delay = 3, 700, 45, 2
    lanes, block = (64, 16) if axis == 0 else (128, 1)
    x, grad = (_random(2, outer, length, inner, dtype=dtype)[i] for i in (0, 1))
    if axis == 1:
        x, grad = (t.transpose(1, 2).contiguous().transpose(1, 2) for t in (x, grad))
    out = (torch.log_softmax if log else torch.softmax)(x, 1)
    groups, chunks = outer * triton.cdiv(inner, block), triton.cdiv(length, lanes)
    options = {"device": x.device, "dtype": _accumulator(dtype)}
    partial = torch.empty(groups * chunks * block, **options)
    totals, grad_input = torch.empty(groups * block, **options), torch.empty_like(x)
    turns = torch.zeros(1 + groups, dtype=torch.int32, device=x.device)
    module.backward[(2 * (groups + delay) * chunks,)](
        grad, out, grad_input, partial, totals, turns, groups, inner, length, chunks, delay,
        *(t.stride(i) for t in (grad, out, grad_input) for i in (0, 2, 1)),
        ACC=tl.float64 if dtype == torch.float64 else tl.float32,
        LOG=log, AXIS=axis, LANES=lanes, BLOCK=block,
    )  # fmt: skip
    backward = torch.ops.aten._log_softmax_backward_data if log else (
        torch.ops.aten._softmax_backward_data
    )  # fmt: skip
    exact = backward(grad.double(), out.double(), 1, torch.float64)
    torch.testing.assert_close(grad_input, exact.to(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("shape", "block", "delay"),
    [((700, 45, 1), 16, 2), ((33, 100, 1), 16, 9), ((5, 7, 48), 1, 3), ((9, 3, 50), 1, 1)],
)
def test_batch_norm_kernels(
    kernels: Callable[[str], ModuleType],
    dtype: torch.dtype,
    shape: tuple[int, ...],
    block: int,
    delay: int,
) -> None:
    module = kernels("normalization.batch_norm_in_turns")
    images, channels, pixels = shape
    rows, tile_rows = images * pixels, 64
    x, grad = _random(*shape, dtype=dtype) + 3, _random(2, *shape, dtype=dtype)[1]
    weight, bias = _random(channels, dtype=dtype), _random(2, channels, dtype=dtype)[1]
    accumulator = _accumulator(dtype)
    tile = {
        "ACC": tl.float64 if dtype == torch.float64 else tl.float32,
        "ROWS": tile_rows,
        "BLOCK": block,
    }
    groups, chunks = triton.cdiv(channels, block), triton.cdiv(rows, tile_rows)
    grid = (2 * (groups + delay) * chunks,)
    new = lambda *shape: torch.empty(shape, device=DEVICE, dtype=accumulator)  # noqa: E731
    mean, rstd, save_mean, save_rstd = (new(channels) for _ in range(4))
    running_mean, running_var = torch.zeros_like(mean), torch.ones_like(mean)
    partial, out = new(groups, chunks, 2, block), torch.empty_like(x)
    turns = torch.zeros(1 + groups, dtype=torch.int32, device=DEVICE)
    module.normalize[grid](
        x, weight, bias, partial, mean, rstd, turns, save_mean, save_rstd, running_mean,
        running_var, out, channels, rows, pixels, chunks, delay, *x.stride(), *out.stride(),
        0.1, rows / (rows - 1), 1e-5, **tile,
    )  # fmt: skip
    wide = [t.double() for t in (x, weight, bias)]
    expected_mean = torch.zeros(channels, device=DEVICE, dtype=torch.float64)
    expected_var = torch.ones_like(expected_mean)
    expected = F.batch_norm(
        wide[0], expected_mean, expected_var, *wide[1:], training=True, momentum=0.1
    )
    torch.testing.assert_close(out, expected.to(dtype))
    torch.testing.assert_close(save_mean, wide[0].mean((0, 2)).to(accumulator))
    torch.testing.assert_close(running_mean, expected_mean.to(accumulator))
    torch.testing.assert_close(running_var, expected_var.to(accumulator))

    turns.zero_()
    grad_input, grad_weight, grad_bias = (torch.empty_like(t) for t in (x, weight, bias))
    module.backward_input[grid](
        grad, x, weight, save_mean, save_rstd, partial, new(2, channels), turns,
        grad_weight, grad_bias, grad_input, channels, rows, pixels, chunks, delay,
        *grad.stride(), *x.stride(), *grad_input.stride(), **tile,
    )  # fmt: skip
    gradients = torch.ops.aten.native_batch_norm_backward(
        grad.double(), wide[0], wide[1], None, None, save_mean.double(), save_rstd.double(), True,
        1e-5, [True, True, True],
    )  # fmt: skip
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float64: 1e-10}[dtype]
    for actual, exact in zip((grad_input, grad_weight, grad_bias), gradients, strict=True):
        torch.testing.assert_close(actual, exact.to(dtype), rtol=tolerance, atol=3 * tolerance)


def _check_served(
    names: str, call: Callable[..., tuple[torch.Tensor, ...]], *tensors: torch.Tensor
) -> None:
    """One of the operators has served. Results are within twice the distance of PyTorch's from
    float64's and some roundings, and the same bits in every run.
    """
    exact, stock = call(*[t.double() for t in tensors]), call(*tensors)
    tilewise.reset()
    with tilewise.use():
        results = call(*tensors)
        again = call(*tensors)
    operators = tilewise.report()["operators"]
    counts = [
        operators[f"{name}/{DEVICE}"] for name in names.split() if f"{name}/{DEVICE}" in operators
    ]
    assert counts and all(c["served"] > 0 and not c["fell_back"] for c in counts), counts
    for a, b, s, e in zip(results, again, stock, exact, strict=True):
        assert a.dtype == s.dtype and a.stride() == s.stride()
        assert a.nan_to_num().equal(b.nan_to_num())
        assert a.isfinite().equal(e.isfinite()) and a.isnan().equal(e.isnan())
        a_dtype = a.dtype
        a, s, e = (t.double()[e.isfinite()] for t in (a, s, e))
        allowed = 2 * (s - e).abs().max() + 20 * torch.finfo(a_dtype).eps * e.abs().max()
        assert (a - e).abs().max() <= allowed


def _softmax_backward(grad: torch.Tensor, out: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (torch.ops.aten._softmax_backward_data(grad, out, 1, grad.dtype),)


def _log_softmax_backward(grad: torch.Tensor, out: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (torch.ops.aten._log_softmax_backward_data(grad, out, 1, grad.dtype),)


@on_gpu
@pytest.mark.parametrize("dtype", DTYPES)
def test_long_rows_and_columns(dtype: torch.dtype) -> None:
    rows = _random(97, 300_001, dtype=dtype)
    rows[5], rows[6, 77], rows[7, 300_000] = -torch.inf, torch.inf, torch.nan
    columns = _random(3, 5003, 2011, dtype=dtype)
    _check_served("_softmax", lambda x: (torch.softmax(x, 1),), rows)
    _check_served("_log_softmax", lambda x: (torch.log_softmax(x, 1),), rows)
    _check_served("_safe_softmax", lambda x: (torch.ops.aten._safe_softmax(x, -1),), rows)
    _check_served("_softmax", lambda x: (torch.softmax(x, 1),), columns)
    _check_served("_log_softmax", lambda x: (torch.log_softmax(x, 1),), columns)
    for x in (_random(97, 300_001, dtype=dtype), columns):
        out, grad = torch.softmax(x.double(), 1).to(dtype), x.cos()
        log_out = torch.log_softmax(x.double(), 1).to(dtype)
        _check_served("_softmax_backward_data", _softmax_backward, grad, out)
        _check_served("_log_softmax_backward_data", _log_softmax_backward, grad, log_out)


@on_gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layout", ["contiguous_format", "channels_last"])
@pytest.mark.parametrize("shape", [(30_001, 1000), (8, 320, 112, 112), (8, 320, 111, 111)])
def test_batch_norm_of_many_rows(dtype: torch.dtype, shape: tuple[int, ...], layout: str) -> None:
    if len(shape) == 2 and layout == "channels_last":
        pytest.skip("not an image")
    x = (_random(*shape, dtype=dtype) + 2).contiguous(memory_format=getattr(torch, layout))
    parameters = [_random(shape[1], dtype=dtype) for _ in range(3)]

    def call(
        x: torch.Tensor, mean: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> tuple[torch.Tensor, ...]:
        running = mean.clone(), mean.abs()
        inputs = [t.detach().requires_grad_() for t in (x, weight, bias)]
        out = F.batch_norm(inputs[0], *running, *inputs[1:], training=True)
        return out.detach(), *running, *torch.autograd.grad(out, inputs, x.cos())

    _check_served("cudnn_batch_norm native_batch_norm", call, x, *parameters)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("depth", "pixels", "channels"), [(5, 50, 2), (70, 16, 4), (3, 64, 1)])
def test_group_norm_kernel(
    kernels: Callable[[str], ModuleType],
    dtype: torch.dtype,
    depth: int,
    pixels: int,
    channels: int,
) -> None:
    module = kernels("normalization.group_norm_in_turns")
    images, groups, delay = 2, 3, 2
    rows, chunks = images * groups, triton.cdiv(depth, channels)
    x, grad = (_random(2, images, groups * depth, pixels, dtype=dtype)[i] for i in (0, 1))
    weight = _random(groups * depth, dtype=dtype)
    options = {"device": DEVICE, "dtype": _accumulator(dtype)}
    wide = x.double().view(rows, -1)
    mean, rstd = wide.mean(1), 1 / (wide.var(1, correction=0) + 1e-5).sqrt()
    sums, means = torch.empty(2, images, groups * depth, **options), torch.empty(rows, 2, **options)
    turns = torch.zeros(1 + rows, dtype=torch.int32, device=DEVICE)
    grad_input = torch.empty_like(x)
    module.backward_input[(2 * (rows + delay) * chunks,)](
        grad, x, weight, mean.to(dtype), rstd.to(dtype), sums, means, turns, grad_input,
        rows, groups, depth, pixels, chunks, delay, depth * pixels, pixels,
        ACC=tl.float64 if dtype == torch.float64 else tl.float32, CHANNELS=channels,
        PIXELS=triton.next_power_of_2(pixels),
    )  # fmt: skip
    saved = [t.to(dtype).double().view(images, groups) for t in (mean, rstd)]
    exact = torch.ops.aten.native_group_norm_backward(
        grad.double(), x.double(), *saved, weight.double(), images, groups * depth, pixels, groups,
        [True, True, True],
    )  # fmt: skip
    tolerance = {torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float64: 1e-10}[dtype]
    torch.testing.assert_close(grad_input, exact[0].to(dtype), rtol=tolerance, atol=tolerance)
    expected = grad.double().sum(2)
    torch.testing.assert_close(sums[0].double(), expected, rtol=1e-4, atol=1e-4)


@on_gpu
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [56, 40])
def test_group_norm_of_images(dtype: torch.dtype, size: int) -> None:
    x = _random(24, 320, size, size, dtype=dtype)
    parameters = [_random(320, dtype=dtype) for _ in range(2)]

    def call(x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> tuple[torch.Tensor, ...]:
        inputs = [t.detach().requires_grad_() for t in (x, weight, bias)]
        out = F.group_norm(inputs[0], 32, *inputs[1:])
        return out.detach(), *torch.autograd.grad(out, inputs, x.cos())

    _check_served("native_group_norm", call, x, *parameters)
