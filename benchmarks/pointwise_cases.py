# SPDX-License-Identifier: Apache-2.0
"""Calls of registered overloads for measuring: which of them are pointwise, and on what inputs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_flatten, tree_map

import tilewise

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "ops"))
import direct_calls
import norm_and_loss_calls

# What the kernels of the families are called: generated ones by their layout, others by folder.
_MARKS = ("_flat_", "foreach/", "foreach_", "random/", "creation/")
# On a CPU the host fills what is small.
_FILLED_BY_HOST = frozenset(
    "zero_ fill_.Scalar fill.Scalar full full_like new_full new_ones new_zeros ones ones_like "
    "scalar_tensor zeros zeros_like".split()
)
_RANKS = tuple(f"_{rank}d_" for rank in range(2, 9))


def _is_ours(kernel_name: str) -> bool:
    return any(mark in kernel_name for mark in (*_MARKS, *_RANKS))


def launches() -> dict[str, int]:
    """Launches of each kernel so far."""
    kernels = tilewise.report()["runtime"]["kernels"]
    counts: dict[str, int] = {}
    for kernel in kernels:
        counts[kernel["name"]] = counts.get(kernel["name"], 0) + kernel["launches"]
    return counts


def _own_size(overload: str, shape: tuple[int, ...]) -> list[Any] | None:
    """Arguments of operators whose size is a number."""
    rows, columns = shape
    n = rows * columns
    name, _, variant = overload.partition(".")
    if name in ("arange", "range"):
        return {"": [n], "start": [2, n], "out": [n] if name == "arange" else [0, n, 1]}.get(
            variant, [2, 2 * n, 2]
        )
    table: dict[str, list[Any]] = {
        "linspace": [-1.0, 3.0, n],
        "logspace": [-1.0, 3.0, n, 2.0],
        "randperm": [n],
    }
    if name == "eye":
        side = int(n**0.5)
        return [side] if variant in ("", "out") else [side, side]
    return table.get(name)


def arguments(
    overload: str, shape: tuple[int, ...], dtype: torch.dtype, device: str
) -> tuple[list[Any], dict[str, Any]]:
    """The tests' arguments for a direct call, with `shape` where those have (5, 7)."""
    generator = torch.Generator(device).manual_seed(0)
    # (5, 8) and (5, 4) are what glu is called with; small calls are those of the tests.
    sizes_of_tensors: dict[tuple[int, ...], tuple[int, ...]] = {
        (5, 7): shape,
        (7,): shape[-1:],
        (5, 8): shape,
        (5, 4): (*shape[:-1], shape[-1] // 2),
    }
    is_for_negatives = overload.split(".")[0].rstrip("_") in ("celu", "elu", "leaky_relu", "relu")

    def make(*small: int) -> torch.Tensor:
        size = small if shape == (5, 7) else sizes_of_tensors.get(small, small)
        with tilewise.use(active=False):
            # Between 0.25 and 0.95: some arguments are probabilities. Of both signs where negative
            # numbers alone are changed, as no network calls such a function on positive ones.
            low = -0.35 if is_for_negatives else 0.25
            return torch.rand(size, device=device, generator=generator) * 0.7 + low

    modules = (direct_calls, norm_and_loss_calls)
    original = direct_calls._x
    for module in modules:
        module._x = make
    try:
        positional, keywords = direct_calls.make_arguments(overload, device)
        own = _own_size(overload, shape) if shape != (5, 7) else None
        if own is not None:
            positional = own
    finally:
        for module in modules:
            module._x = original

    def narrowed(value: Any) -> Any:
        wants = isinstance(value, torch.Tensor) and value.dtype == torch.float32 and value.dim()
        return value.to(dtype) if wants else value

    sizes = lambda v: list(shape) if isinstance(v, list) and v in ([5, 7], [2, 3]) else v  # noqa: E731
    positional = [sizes(value) for value in tree_map(narrowed, positional)]
    return positional, tree_map(narrowed, keywords)


# Their first argument gives its size and is not read.
_OVERWRITING = frozenset(
    "zero_ fill_ fill copy_ bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ "
    "uniform_ full_like ones_like rand_like randint_like randn_like zeros_like new_full new_ones "
    "new_zeros _foreach_zero_ _foreach_zero _foreach_copy_".split()
)


def _bytes_moved(
    op: torch._ops.OpOverload, positional: list[Any], keywords: dict[str, Any], result: Any
) -> int:
    """What the call reads, and what it writes by its schema or returns; a tensor counts once."""
    read: dict[int, int] = {}  # bytes by address
    written: dict[int, int] = {}

    def count(counted: dict[int, int], value: Any) -> None:
        for t in tree_flatten(value)[0]:
            if isinstance(t, torch.Tensor):
                counted[t.data_ptr()] = min(t.nbytes, t.untyped_storage().nbytes())

    for i, argument in enumerate(op._schema.arguments):
        value = keywords.get(argument.name, positional[i] if i < len(positional) else None)
        is_written = argument.alias_info is not None and argument.alias_info.is_write
        is_output = is_written and argument.kwarg_only
        # Fused optimizers write gradients where they divide them by a scale.
        is_kept = argument.name == "grads" and keywords.get("grad_scale") is None
        if is_written and not is_kept:
            count(written, value)
        if not is_output and (i > 0 or op._schema.name.removeprefix("aten::") not in _OVERWRITING):
            count(read, value)
    count(written, result)
    return sum(read.values()) + sum(written.values())


def make_call(
    overload: str, shape: tuple[int, ...], dtype: torch.dtype, device: str
) -> tuple[Callable[[], Any], Callable[[Any], int]]:
    """The call, and how many bytes it moves, by its result."""
    op = direct_calls.find_overload(overload)
    positional, keywords = arguments(overload, shape, dtype, device)
    return (
        lambda: op(*positional, **keywords),
        lambda result: _bytes_moved(op, positional, keywords, result),
    )


def is_pointwise(overload: str, dtype: torch.dtype, device: str) -> bool:
    """Whether a small call is served, strictly, by kernels of these families alone. (Compiles.)"""
    try:
        call, _ = make_call(overload, (5, 7), dtype, device)
        before = launches()
        with tilewise.use(strict=True):
            call()
    except Exception:  # not for this dtype, or a family whose operands belong together
        return False
    launched = [name for name, count in launches().items() if count > before.get(name, 0)]
    if not launched:
        return device == "cpu" and overload in _FILLED_BY_HOST
    return all(map(_is_ours, launched))


# The parameters of a Llama of one billion: 32 layers of 9 tensors, the embedding, the last norm.
def llama_shapes(
    hidden: int = 1536, inner: int = 4096, layers: int = 32, words: int = 32000
) -> list[tuple[int, ...]]:
    """290 shapes, 955 million elements."""
    layer = [*[(hidden, hidden)] * 4, *[(inner, hidden)] * 2, (hidden, inner), (hidden,), (hidden,)]
    return [(words, hidden), *layer * layers, (hidden,)]
