# SPDX-License-Identifier: Apache-2.0
"""Operators on lists of tensors: each overload against PyTorch's own, and what calls them."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch.testing._internal import common_methods_invocations as database
from torch.utils._pytree import tree_map

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FULL = os.environ.get("TILEWISE_TEST_FULL") == "1"
DTYPES = (
    (torch.float32, torch.bfloat16, torch.float16, torch.float64)
    if FULL
    else (torch.float32, torch.bfloat16)
)
OVERLOADS = [name for name in tilewise.registered(DEVICE) if name.startswith("_foreach_")]
# Less than a vector, several chunks with a rest, empty, one element without a dimension, not
# contiguous but dense.
SHAPES = ((5,), (70_001,), (0,), (), (64, 3))


def _packet(overload: str) -> Any:
    name, _, variant = overload.partition(".")
    return getattr(getattr(torch.ops.aten, name), variant or "default")


@tilewise.use(active=False)  # random numbers of stock PyTorch, whoever serves the call
def _tensors(dtype: torch.dtype, seed: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    made = [torch.rand(shape, generator=generator, dtype=torch.float64) for shape in SHAPES]
    made[4] = made[4].t()
    return [(t + 0.25).to(DEVICE, dtype) for t in made]


def _arguments(overload: str, dtype: torch.dtype) -> tuple[list[Any], dict[str, Any]]:
    """One of each kind that the schema asks for."""
    positional: list[Any] = []
    keywords: dict[str, Any] = {}
    for i, argument in enumerate(_packet(overload)._schema.arguments):
        kind = str(argument.type)
        if kind == "List[Tensor]":
            value: Any = _tensors(dtype, i)
            if overload == "_foreach_max":  # raises for a tensor without elements
                del value[2]
        elif argument.name == "scalars" and kind == "Tensor":
            value = torch.tensor([0.5, 2.0, 0.25, 1.5, 3])
        elif kind == "Tensor":
            value = torch.tensor(0.75, dtype=dtype, device=DEVICE)
        elif kind.startswith("List["):
            value = [0.5, 2.0, 0.25, 1.5, 3]
        elif argument.name == "ord":
            value = 2
        elif argument.has_default_value() and argument.name != "alpha":
            continue
        else:
            value = 0.625
        if argument.kwarg_only:
            keywords[argument.name] = value
        else:
            positional.append(value)
    return positional, keywords


def _served(overload: str) -> int:
    entry = tilewise.report()["operators"].get(f"{overload}/{DEVICE}")
    return 0 if entry is None else int(entry["served"])


def _run(overload: str, positional: list[Any], keywords: dict[str, Any]) -> list[torch.Tensor]:
    copies = [
        [t.clone() for t in a] if isinstance(a, list) and isinstance(a[0], torch.Tensor) else a
        for a in positional
    ]
    if overload.endswith("out"):
        keywords = keywords | {"out": [torch.zeros_like(t) for t in copies[0]]}
    result = _packet(overload)(*copies, **keywords)
    return keywords.get("out", copies[0]) if result is None else list(result)


def _widened(*arguments: Any) -> Any:
    return tree_map(lambda v: v.double() if isinstance(v, torch.Tensor) else v, arguments)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("overload", OVERLOADS)
def test_matches_aten(overload: str, dtype: torch.dtype) -> None:
    positional, keywords = _arguments(overload, dtype)
    expected = _run(overload, positional, keywords)
    tilewise.reset()
    with tilewise.use(strict=True):
        actual = _run(overload, positional, keywords)
    assert _served(overload) == 1
    if dtype.itemsize == 2:  # ATen's slow path rounds some products before it adds them
        wide = _run(overload, *_widened(positional, keywords))
        expected = [
            torch.where((a - w).abs() < (e - w).abs(), a, e)
            for a, e, w in zip(actual, expected, wide, strict=True)
        ]
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, equal_nan=True)
        # ATen's slow path for a number to the power of a list returns contiguous tensors.
        assert a.stride() == e.stride() or overload == "_foreach_pow.ScalarAndTensor"


@pytest.mark.parametrize("overload", [name for name in OVERLOADS if "Scalar" in name])
def test_special_values_match_aten(overload: str) -> None:
    special = torch.tensor([0.0, -0.0, float("inf"), -float("inf"), float("nan"), 1e-40, -2.5])
    positional, keywords = _arguments(overload, torch.float32)
    lists = [[special.to(DEVICE)] if isinstance(a, list) else a for a in positional]
    if "List" in overload:
        lists[-1] = [float("nan")]
    expected = _run(overload, lists, keywords)
    with tilewise.use():
        actual = _run(overload, lists, keywords)
    torch.testing.assert_close(actual, expected, equal_nan=True)


def test_mixed_lists_take_a_launch_for_each_dtype() -> None:
    def run() -> list[torch.Tensor]:
        lists = [[t.to(d) for t, d in zip(_tensors(torch.float32, i), dtypes, strict=True)]
                 for i in range(2)]  # fmt: skip
        first = torch._foreach_mul(lists[0], lists[1])
        torch._foreach_add_(first, [1, 2, 3, 4, 5])
        return list(first)

    dtypes = (torch.float32, torch.bfloat16, torch.float32, torch.int64, torch.bfloat16)
    expected = run()
    tilewise.reset()
    with tilewise.use(strict=True):
        actual = run()
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, equal_nan=True)


@pytest.mark.parametrize("dtype", (torch.int64, torch.int8), ids=str)
def test_integers(dtype: torch.dtype) -> None:
    def run() -> list[torch.Tensor]:
        x, y = ([(t * 100 - 60).to(dtype) for t in _tensors(torch.float32, i)] for i in range(2))
        torch._foreach_mul_(x, 3)
        torch._foreach_addcmul_(x, y, y, value=2)
        result = torch._foreach_add(x, y, alpha=2)
        torch._foreach_neg_(result)
        return [*torch._foreach_abs(result), *torch._foreach_maximum(x, [1, 2, 3, 4, 5])]

    expected = run()
    with tilewise.use(strict=True):
        assert all(torch.equal(a, e) for a, e in zip(run(), expected, strict=True))


def test_copy_casts() -> None:
    source = _tensors(torch.float32, 1)
    for dtype in (torch.bfloat16, torch.int32, torch.bool):
        target = [t.to(dtype) for t in _tensors(torch.float32, 0)]
        with tilewise.use(strict=True):
            torch._foreach_copy_(target, source)
        assert all(torch.equal(t, s.to(dtype)) for t, s in zip(target, source, strict=True))


def _entries() -> list[Any]:
    names = {name.split(".")[0].removesuffix("_") for name in OVERLOADS}
    lists = (
        database.foreach_unary_op_db,
        database.foreach_binary_op_db,
        database.foreach_pointwise_op_db,
        database.foreach_reduce_op_db,
        database.foreach_other_op_db,
    )
    return [op for group in lists for op in group if f"{op.name}" in names]


def _sample_outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "", call()
    except Exception as error:  # Whatever stock PyTorch raises is the expectation
        return f"{type(error).__name__}: {error}", None


@pytest.mark.parametrize("dtype", (torch.float32, torch.int32), ids=str)
@pytest.mark.parametrize("op", _entries(), ids=lambda op: op.name)
def test_pytorchs_own_samples(op: Any, dtype: torch.dtype) -> None:
    """Mixed lists, lengths that differ, scalars of every kind: served or not, the same outcome."""
    arguments: dict[str, Any] = {
        "num_input_tensors": [1, 2, 5],
        "allow_higher_dtype_scalars": True,
    }
    if dtype not in op.supported_dtypes(DEVICE):
        pytest.skip("PyTorch does not have this dtype")
    torch.manual_seed(0)
    for sample in op.sample_inputs(DEVICE, dtype, noncontiguous=False, **arguments):
        kwargs = {k: v for k, v in sample.kwargs.items() if k not in ("values",)}

        def call(sample: Any = sample, kwargs: Any = kwargs) -> Any:
            return op.method_variant(sample.input, *sample.args, **kwargs)

        expected_error, expected = _sample_outcome(call)
        with tilewise.use():
            error, actual = _sample_outcome(call)
        assert error == expected_error
        if not error:
            torch.testing.assert_close(actual, expected, equal_nan=True)


def _refusal(call: Callable[[], Any], overload: str) -> str:
    tilewise.reset()
    with tilewise.use():
        call()
    counts = tilewise.report()["operators"][f"{overload}/{DEVICE}"]
    assert counts["served"] == 0
    return next(iter(counts["fell_back"]))


def test_lists_that_one_launch_cannot_serve_fall_back() -> None:
    def ones(*shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        return torch.ones(shape, dtype=dtype, device=DEVICE)

    assert "layouts" in _refusal(
        lambda: torch._foreach_mul([ones(2, 3)], [ones(3, 2).t()]), "_foreach_mul.List"
    )
    assert "layouts" in _refusal(
        lambda: torch._foreach_mul([ones(2, 3)], [ones(3)]), "_foreach_mul.List"
    )
    assert "gaps" in _refusal(lambda: torch._foreach_sqrt([ones(6)[::2]]), "_foreach_sqrt")


def test_lists_of_several_dtypes_are_served() -> None:
    tensors = [
        torch.ones(size, dtype=dtype, device=DEVICE)
        for size, dtype in ((2, torch.float32), (3, torch.float64), (2, torch.int64))
    ]
    expected = torch._foreach_neg(tensors)
    with tilewise.use(strict=True):
        actual = torch._foreach_neg(tensors)
    for a, e in zip(actual, expected, strict=True):
        torch.testing.assert_close(a, e, equal_nan=True)


@pytest.mark.skipif(DEVICE != "cpu", reason="PyTorch's GPU kernel does not define the order either")
def test_tensors_that_share_memory_keep_their_order() -> None:
    x = torch.ones(5)
    reason = _refusal(lambda: torch._foreach_add_([x, x], 1), "_foreach_add_.Scalar")
    assert "share memory" in reason
    assert x.tolist() == [3.0] * 5
    a, b = torch.ones(4), torch.ones(4)
    with tilewise.use():
        torch._foreach_add_([a, b], [b, a])
    assert (a.tolist(), b.tolist()) == ([2.0] * 4, [3.0] * 4)
    with tilewise.use(strict=True):  # the same tensor at the same index is no hazard
        torch._foreach_addcmul_([a], [a], [a])
    assert a.tolist() == [6.0] * 4


def test_more_tensors_than_one_chunk_map_word() -> None:
    tensors = [torch.full((n % 7 + 1,), float(n), device=DEVICE) for n in range(301)]
    with tilewise.use(strict=True):
        norms = torch._foreach_norm(tensors, 1)
        doubled = torch._foreach_mul(tensors, 2.0)
    assert [n.item() for n in norms] == [n * (n % 7 + 1.0) for n in range(301)]
    assert all(bool((d == 2 * n).all()) for n, d in enumerate(doubled))


def _train(
    start: list[list[torch.Tensor]], options: dict[str, Any], max_norm: float
) -> list[torch.Tensor]:
    """AdamW from the first list of tensors, with the others as gradients."""
    parameters = [torch.nn.Parameter(t.clone()) for t in start[0]]
    optimizer = torch.optim.AdamW(parameters, lr=1e-2, foreach=True, **options)
    for gradients in start[1:]:
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.grad = gradient.clone()
        torch.nn.utils.clip_grad_norm_(parameters, max_norm, foreach=True)
        optimizer.step()
    return [p.detach() for p in parameters]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize(
    "options",
    (
        {},
        {"maximize": True, "amsgrad": True},
        {"weight_decay": 0.0},
        pytest.param(
            {"capturable": True},
            marks=pytest.mark.skipif(DEVICE == "cpu", reason="capturable needs a GPU"),
        ),
    ),
    ids=str,
)
def test_adamw_with_clipping_is_served(options: dict[str, Any], dtype: torch.dtype) -> None:
    generator = torch.Generator().manual_seed(0)
    shapes = ((33, 7), (7,), (128, 129), ())
    start = [
        [torch.randn(shape, generator=generator).to(DEVICE, dtype) for shape in shapes]
        for _ in range(5)
    ]
    expected = _train(start, options, 0.5)
    tilewise.reset()
    with tilewise.use():
        actual = _train(start, options, 0.5)
    counts = tilewise.report()["operators"]
    lists = {name: entry for name, entry in counts.items() if name.startswith("_foreach_")}
    assert len(lists) >= 9
    fell_back = {name: entry["fell_back"] for name, entry in lists.items() if entry["fell_back"]}
    # Capturable steps divide lists of parameters by lists of 0-dim tensors, which broadcasts;
    # PyTorch's own fast path does not take those either.
    assert set(fell_back) <= ({"_foreach_div_.List/cuda"} if "capturable" in options else set())
    for a, e in zip(actual, expected, strict=True):
        # Rounding of the norm moves every later step a little.
        torch.testing.assert_close(
            a,
            e,
            rtol=1e-4 if dtype.itemsize >= 4 else 2e-2,
            atol=1e-5 if dtype.itemsize >= 4 else 5e-4,
            equal_nan=True,  # fp16's second moments overflow
        )
