# SPDX-License-Identifier: Apache-2.0
"""Fused optimizer steps and loss scaling against PyTorch's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FULL = os.environ.get("TILEWISE_TEST_FULL") == "1"
DTYPES = (
    (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    if FULL
    else (torch.float32, torch.bfloat16)
)
# Less than a block, several chunks with a rest, empty, a number, dense but not contiguous.
SHAPES = ((5,), (70_001,), (0,), (), (64, 3))

ADAM: dict[str, Any] = {
    "lr": 0.05,
    "beta1": 0.9,
    "beta2": 0.999,
    "weight_decay": 0.1,
    "eps": 1e-6,
    "amsgrad": False,
    "maximize": False,
}
SGD: dict[str, Any] = {
    "weight_decay": 0.1,
    "momentum": 0.9,
    "lr": 0.05,
    "dampening": 0.25,
    "nesterov": False,
    "maximize": False,
    "is_first_step": False,
}
ADAGRAD: dict[str, Any] = {
    "lr": 0.05,
    "lr_decay": 0.01,
    "weight_decay": 0.1,
    "eps": 1e-6,
    "maximize": False,
}

CASES: list[tuple[str, dict[str, Any]]] = [
    *(
        (name, ADAM | change)
        for name in ("_fused_adam_", "_fused_adamw_")
        for change in ({}, {"amsgrad": True, "maximize": True}, {"weight_decay": 0.0})
    ),
    ("_fused_sgd_", SGD),
    ("_fused_sgd_", SGD | {"nesterov": True, "dampening": 0.0, "maximize": True}),
    ("_fused_sgd_", SGD | {"is_first_step": True, "weight_decay": 0.0}),
    ("_fused_sgd_", SGD | {"momentum": 0.0}),
    ("_fused_adagrad_", ADAGRAD),
    ("_fused_adagrad_", ADAGRAD | {"maximize": True, "weight_decay": 0.0}),
]


@tilewise.use(active=False)  # random numbers of stock PyTorch, whoever serves the step
def _tensors(dtype: torch.dtype, seed: int, low: float) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.rand(shape, generator=generator, dtype=torch.float64) + low for shape in SHAPES]
    made[4] = made[4].t()
    return [t.to(DEVICE, dtype) for t in made]


def _number(value: float, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.tensor(value, dtype=dtype, device=DEVICE)


def _lists(name: str, options: dict[str, Any], dtype: torch.dtype) -> list[list[torch.Tensor]]:
    lists = [_tensors(dtype, 0, -0.5), _tensors(dtype, 1, -0.5)]
    steps = [_number(step) for step in (1.0, 7.0, 3.0, 100.0, 2.0)]
    if name == "_fused_sgd_":
        return [*lists, _tensors(dtype, 2, -0.5) if options["momentum"] else []]
    lists.append(_tensors(dtype, 2, 0.1))
    if name == "_fused_adagrad_":
        return [*lists, steps]
    largest = _tensors(dtype, 4, 0.4) if options["amsgrad"] else []
    return [*lists, _tensors(dtype, 3, 0.1), largest, steps]


def _step(
    name: str, options: dict[str, Any], dtype: torch.dtype, overload: str = "default", **extra: Any
) -> list[torch.Tensor]:
    lists = _lists(name, options, dtype)
    getattr(getattr(torch.ops.aten, name), overload)(*lists, **(options | extra))
    return [tensor for group in lists for tensor in group]


def _assert_close(
    actual: list[torch.Tensor], expected: list[torch.Tensor], exact: list[torch.Tensor]
) -> None:
    """16-bit steps round states at other places than ATen: judged by the exact step then."""
    for a, e, x in zip(actual, expected, exact, strict=True):
        if a.dtype.itemsize == 2:
            torch.testing.assert_close(a.double(), x, rtol=1.6e-2, atol=4e-3)
        else:
            torch.testing.assert_close(a, e, rtol=1e-5, atol=1e-6)


def _check(name: str, options: dict[str, Any], dtype: torch.dtype, **extra: Any) -> None:
    expected = _step(name, options, dtype, **extra)
    exact = _step(name, options, torch.float64, **extra)
    tilewise.reset()
    with tilewise.use(strict=True):
        actual = _step(name, options, dtype, **extra)
    overload = "" if extra.get("overload", "default") == "default" else f".{extra['overload']}"
    assert tilewise.report()["operators"][f"{name}{overload}/{DEVICE}"]["served"] == 1
    _assert_close(actual, expected, [x if x.dtype == torch.float64 else x.double() for x in exact])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(("name", "options"), CASES, ids=str)
def test_step_matches_aten(name: str, options: dict[str, Any], dtype: torch.dtype) -> None:
    _check(name, options, dtype)


@pytest.mark.parametrize("name", ("_fused_adam_", "_fused_sgd_", "_fused_adagrad_"))
def test_scaled_gradients(name: str) -> None:
    """Gradients are unscaled, in memory too; where one is infinite nothing changes at all."""
    if name == "_fused_adagrad_" and DEVICE != "cpu":
        pytest.skip("left to PyTorch, whose two kernels differ")
    options = dict(CASES)[name]
    _check(name, options, torch.float32, grad_scale=_number(4.0), found_inf=_number(0.0))
    _check(name, options, torch.float32, grad_scale=_number(4.0), found_inf=_number(1.0))


@pytest.mark.parametrize("name", ("_fused_adam_", "_fused_adamw_", "_fused_sgd_"))
def test_learning_rate_in_memory(name: str) -> None:
    options = dict(CASES)[name] | {"lr": _number(0.05)}
    _check(name, options, torch.float32, overload="tensor_lr")
    if DEVICE != "cpu":
        options["lr"] = torch.tensor(0.05)
        _check(name, options, torch.float32, overload="tensor_lr")


def test_double_precision() -> None:
    _check("_fused_adamw_", ADAM, torch.float64)


def test_steps_that_do_not_fit_fall_back() -> None:
    lists = _lists("_fused_adam_", ADAM, torch.float32)
    lists[1][1] = lists[1][1].to(torch.float64)
    tilewise.reset()
    with tilewise.use(), pytest.raises(RuntimeError):
        torch.ops.aten._fused_adam_(*lists[:2], lists[2], lists[3][:2], [], lists[5], **ADAM)
    assert tilewise.report()["operators"][f"_fused_adam_/{DEVICE}"]["served"] == 0


OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2, fused=True, amsgrad=True),
    "adam": lambda p: torch.optim.Adam(p, lr=1e-2, fused=True, weight_decay=0.1),
    "sgd": lambda p: torch.optim.SGD(p, lr=1e-2, fused=True, momentum=0.9, nesterov=True),
    "adagrad": lambda p: torch.optim.Adagrad(p, lr=1e-2, fused=True),
}


def _train(name: str) -> list[torch.Tensor]:
    parameters = [torch.nn.Parameter(t) for t in _tensors(torch.float32, 0, -0.5)]
    optimizer = OPTIMIZERS[name](parameters)
    for seed in range(1, 5):
        for parameter, gradient in zip(
            parameters, _tensors(torch.float32, seed, -0.5), strict=True
        ):
            parameter.grad = gradient
        optimizer.step()
    return [p.detach() for p in parameters]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_of_pytorch_are_served(name: str) -> None:
    if name == "adagrad" and DEVICE != "cpu":
        pytest.skip("PyTorch's fused Adagrad is for CPUs")
    expected = _train(name)
    tilewise.reset()
    with tilewise.use():
        actual = _train(name)
    operator = {"adamw": "_fused_adamw_", "adam": "_fused_adam_"}.get(name, f"_fused_{name}_")
    assert tilewise.report()["operators"][f"{operator}/{DEVICE}"]["served"] == 4
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e)


@pytest.mark.parametrize("dtype", (torch.float32, torch.bfloat16, torch.float16), ids=str)
@pytest.mark.parametrize("broken", (None, float("inf"), float("nan")))
def test_unscale(broken: float | None, dtype: torch.dtype) -> None:
    def run() -> tuple[list[torch.Tensor], torch.Tensor]:
        gradients, found = _tensors(dtype, 0, -0.5), _number(0.0)
        if broken is not None:
            gradients[1][69_999] = broken
        torch.ops.aten._amp_foreach_non_finite_check_and_unscale_(gradients, found, _number(0.125))
        return gradients, found

    try:
        expected, expected_found = run()
    except NotImplementedError:
        pytest.skip("PyTorch has no kernel for this dtype on this device")
    with tilewise.use(strict=True):
        actual, found = run()
    assert found.item() == expected_found.item() == (0 if broken is None else 1)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, equal_nan=True)


@pytest.mark.parametrize(("scale", "tracker"), ((8.0, 0), (8.0, 2), (3e38, 2)))
@pytest.mark.parametrize("found", (0.0, 1.0))
def test_update_scale(scale: float, tracker: int, found: float) -> None:
    def run() -> tuple[float, float]:
        state, steps = _number(scale), _number(tracker, torch.int32)
        torch.ops.aten._amp_update_scale_(state, steps, _number(found), 2.0, 0.5, 3)
        return state.item(), steps.item()

    expected = run()
    with tilewise.use(strict=True):
        assert run() == expected


@pytest.mark.skipif(DEVICE == "cpu", reason="graphs are captured on GPUs")
def test_step_in_a_captured_graph() -> None:
    def train(in_graph: bool) -> list[torch.Tensor]:
        parameters = [torch.nn.Parameter(t) for t in _tensors(torch.float32, 0, -0.5)]
        for parameter, gradient in zip(parameters, _tensors(torch.float32, 1, -0.5), strict=True):
            parameter.grad = gradient
        optimizer = torch.optim.AdamW(parameters, lr=1e-2, fused=True, capturable=True)
        steps = 6
        if in_graph:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side), tilewise.use():
                optimizer.step()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            tilewise.reset()
            with tilewise.use(), torch.cuda.graph(graph):
                optimizer.step()
            assert tilewise.report()["operators"]["_fused_adamw_/cuda"]["served"] == 1
            for _ in range(steps - 1):
                graph.replay()
        else:
            for _ in range(steps):
                optimizer.step()
        return [p.detach() for p in parameters]

    for a, e in zip(train(True), train(False), strict=True):
        torch.testing.assert_close(a, e)
