# SPDX-License-Identifier: Apache-2.0
"""The Python side of tilewise::pointwise: shapes without data, vmap, and PyTorch's operators in
place of a kernel.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tilewise.fusion.definitions import Definition, find, result_dtype
from tilewise.fusion.errors import FusionError
from tilewise.fusion.text import compose

Numbers = Sequence[Any] | None


def _operands(tensors: Sequence[Any], numbers: Numbers, kinds: str) -> list[Any]:
    """Tensors and numbers in the order of the parameters."""
    if not kinds:
        return list(tensors)
    rest, values = iter(tensors), iter(numbers or ())
    operands: list[Any] = []
    for kind in kinds:
        operand = next(rest) if kind == "t" else next(values)
        if isinstance(operand, float) and kind != "f":
            operand = bool(operand) if kind == "b" else int(operand)
        operands.append(operand)
    return operands


def _common_dtype(operands: Sequence[Any]) -> torch.dtype:
    dtype = None
    tensors = [operand for operand in operands if isinstance(operand, Tensor)]
    # result_type takes two; what decides is the highest category, dimensions before none.
    for candidate in (*tensors, *(o for o in operands if not isinstance(o, Tensor))):
        dtype = candidate if dtype is None else _promoted(dtype, candidate)
    return dtype.dtype if isinstance(dtype, Tensor) else torch.get_default_dtype()


def _promoted(a: Any, b: Any) -> Any:
    """A stand-in for both operands: of their common type and of the weight of the heavier one."""
    dtype = torch.result_type(a, b)
    dims = max(a.dim(), b.dim() if isinstance(b, Tensor) else 0)
    return torch.empty([1] * dims, dtype=dtype, device="meta")


def _kept_tensors(tensors: Sequence[Tensor]) -> Tensor:
    return next((tensor for tensor in tensors if tensor.dim() or not tensor.is_cpu), tensors[0])


@torch.library.register_fake("tilewise::pointwise")
def _(
    function: str, tensors: Sequence[Tensor], numbers: Numbers = None, kinds: str = ""
) -> list[Tensor]:
    from torch._prims_common import compute_elementwise_output_logical_to_physical_perm

    definition = find(function)
    common = _common_dtype(_operands(tensors, numbers, kinds))
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))
    expanded = [tensor.expand(shape) for tensor in tensors if tensor.dim() or not shape]
    found = compute_elementwise_output_logical_to_physical_perm(*expanded)
    order = found[0] if isinstance(found, tuple) else found
    device = _kept_tensors(tensors).device
    return [
        torch.empty_permuted(
            shape, order, dtype=result_dtype(common, category) or common, device=device
        )
        for category in definition.results
    ]


@torch.library.register_fake("tilewise::pointwise.out")
def _(
    function: str,
    tensors: Sequence[Tensor],
    numbers: Numbers = None,
    kinds: str = "",
    *,
    out: Sequence[Tensor],
) -> None:
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))
    for tensor in out:
        if tensor.shape != shape:
            tensor.resize_(shape)


def _batched(tensor: Tensor, dim: int | None, rank: int) -> Tensor:
    """The batch dimension in front, before as many dimensions as the widest operand has."""
    if dim is None:
        return tensor
    tensor = tensor.movedim(dim, 0)
    missing = rank - (tensor.dim() - 1)
    return tensor.reshape(tensor.shape[0], *[1] * missing, *tensor.shape[1:])


@torch.library.register_vmap("tilewise::pointwise")
def _(
    info: Any,
    in_dims: Any,
    function: str,
    tensors: Sequence[Tensor],
    numbers: Numbers = None,
    kinds: str = "",
) -> tuple[list[Tensor], Any]:
    dims = in_dims[1]
    rank = max(tensor.dim() - (dim is not None) for tensor, dim in zip(tensors, dims, strict=True))
    aligned = [_batched(tensor, dim, rank) for tensor, dim in zip(tensors, dims, strict=True)]
    results = torch.ops.tilewise.pointwise(function, aligned, numbers, kinds)
    return results, [0] * len(results)


@torch.library.register_vmap("tilewise::pointwise_parts")
def _(
    info: Any,
    in_dims: Any,
    function: str,
    tensors: Sequence[Tensor],
    parts: Sequence[int],
    interleaved: bool,
) -> tuple[Tensor, int]:
    dims = in_dims[1]
    rank = max(tensor.dim() - (dim is not None) for tensor, dim in zip(tensors, dims, strict=True))
    aligned = [_batched(tensor, dim, rank) for tensor, dim in zip(tensors, dims, strict=True)]
    return torch.ops.tilewise.pointwise_parts(function, aligned, parts, interleaved), 0


@torch.library.register_fake("tilewise::gelu_dropout")
def _(input: Tensor, other: Tensor | None, p: float, approximate: str) -> tuple[Tensor, Tensor]:
    state = torch.empty(4, dtype=torch.int64, device="cpu")
    return torch.empty(input.shape, dtype=input.dtype, device=input.device), state


@torch.library.register_fake("tilewise::gelu_dropout_backward")
def _(
    grad_output: Tensor, input: Tensor, other: Tensor | None, state: Tensor, p: float, approx: str
) -> Tensor:
    return torch.empty(input.shape, dtype=input.dtype, device=input.device)


# Reasons of a refusal that are the function's own fault: Triton's error, with its line.
_COMPILE_ERROR = re.compile(r"\bat (\d+):\d+:|does not compile|Error:")


def _explain(definition: Definition, reason: str) -> str:
    return f"tilewise: {definition.title} cannot be run: {reason}"


def _composed(
    function: str, tensors: Sequence[Tensor], numbers: Numbers, kinds: str, reason: str
) -> list[Tensor]:
    """The function by PyTorch's operators, as a kernel would do it: in the common type."""
    definition = find(function)
    graph = definition.traced()
    if graph is None or (not definition.source_is_traced and _COMPILE_ERROR.search(reason)):
        raise FusionError(_explain(definition, reason))
    operands = _operands(tensors, numbers, kinds)
    common = _common_dtype(operands)
    compute = result_dtype(common, definition.compute) or common
    shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))
    device = _kept_tensors(tensors).device
    converted = [
        operand.to(compute) if isinstance(operand, Tensor) else operand for operand in operands
    ]
    results = []
    for value, category in zip(compose(graph, converted), definition.results,
                               strict=True):  # fmt: skip
        dtype = result_dtype(common, category) or value.dtype
        result = value.to(device=device, dtype=dtype)
        # Results are tensors of their own; a function may return its operand.
        is_operand = any(result is operand for operand in operands)
        result = result.expand(shape)
        results.append(result.clone() if is_operand or result.shape != value.shape else result)
    return results


_LIBRARY = torch.library.Library("tilewise", "IMPL")
_LIBRARY.impl("pointwise_composed", _composed, "CompositeExplicitAutograd")
