# SPDX-License-Identifier: Apache-2.0
"""Arguments for a direct call of any registered overload, made from its schema.

OpInfo reaches operators through public functions; some overloads (`eq.Scalar`, `relu_`,
`tanh_backward.grad_input`) have no sample that calls just them. Pointwise operators take any
tensors of one shape; operators whose arguments belong together are listed in `MATCHED`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

Arguments = list[Any]


def _x(*shape: int) -> torch.Tensor:
    return torch.rand(shape, generator=_generator) + 0.25


_generator = torch.Generator()


def _layer_norm_backward() -> Arguments:
    x, weight, bias = _x(5, 7), _x(7), _x(7)
    _, mean, rstd = torch.native_layer_norm(x, [7], weight, bias, 1e-5)
    return [_x(5, 7), x, [7], mean, rstd, weight, bias, [True, True, True]]


def _softmax_backward() -> Arguments:
    return [_x(5, 7), torch.softmax(_x(5, 7), -1), -1, torch.float32]


def _nll() -> Arguments:
    return [torch.log_softmax(_x(5, 7), -1), torch.tensor([0, 3, 6, 2, 2]), _x(7), 1, 3]


def _nll_backward() -> Arguments:
    logits, target, weight, reduction, ignored = _nll()
    return [torch.tensor(1.5), logits, target, weight, reduction, ignored, weight.sum()]


# Operator -> arguments up to the out= ones.
MATCHED: dict[str, Callable[[], Arguments]] = {
    "_log_softmax": lambda: [_x(5, 7), -1, False],
    "_log_softmax_backward_data": _softmax_backward,
    "_softmax": lambda: [_x(5, 7), 0, False],
    "_softmax_backward_data": _softmax_backward,
    "addmm": lambda: [_x(3), _x(5, 7), _x(7, 3)],
    "addmm_": lambda: [_x(5, 3), _x(5, 7), _x(7, 3)],
    "all.dim": lambda: [_x(5, 7) > 0.5, 1],
    "amax": lambda: [_x(5, 7), [1]],
    "amin": lambda: [_x(5, 7), [0]],
    "any.dim": lambda: [_x(5, 7) > 0.5, 0],
    "baddbmm": lambda: [_x(2, 5, 3), _x(2, 5, 7), _x(2, 7, 3)],
    "baddbmm_": lambda: [_x(2, 5, 3), _x(2, 5, 7), _x(2, 7, 3)],
    "bmm": lambda: [_x(2, 5, 7), _x(2, 7, 3)],
    "cat": lambda: [[_x(5, 7), _x(2, 7), torch.empty(0)], 0],
    "clamp": lambda: [_x(5, 7), 0.4, 0.8],
    "clamp_": lambda: [_x(5, 7), None, 0.8],
    "embedding": lambda: [_x(9, 7), torch.tensor([[1, 8], [0, 3]])],
    "embedding_dense_backward": lambda: [_x(2, 7), torch.tensor([4, 4]), 9, -1, False],
    "gelu": lambda: [_x(5, 7)],
    "gelu_": lambda: [_x(5, 7)],
    "gelu_backward": lambda: [_x(5, 7), _x(5, 7)],
    "linalg_vector_norm": lambda: [_x(5, 7), 2.0, [1]],
    "masked_fill": lambda: [_x(5, 7), _x(5, 7) > 0.5, 2.0],
    "masked_fill_": lambda: [_x(5, 7), _x(7) > 0.5, 2.0],
    "mean": lambda: [_x(5, 7), [1]],
    "mm": lambda: [_x(5, 7), _x(7, 3)],
    "native_layer_norm": lambda: [_x(5, 7), [7], _x(7), _x(7), 1e-5],
    "native_layer_norm_backward": _layer_norm_backward,
    "nll_loss_backward": _nll_backward,
    "nll_loss_forward": _nll,
    "sum": lambda: [_x(5, 7), [0]],
    "where": lambda: [_x(5, 7) > 0.5, _x(5, 7), _x(7)],
}


def _scalar_argument(kind: str) -> Any:
    if kind == "List[Tensor]":
        return [_x(5, 7), _x(3), _x(0), _x(70, 70)]
    if kind == "List[number]":
        return [0.5, 1.5, 2.5, 3.5]
    if kind == "Tensor":
        return _x(5, 7)
    return {"number": 0.75, "float": 0.75, "int": 1, "bool": True, "str": "none"}[kind]


def find_overload(name: str) -> torch._ops.OpOverload:
    """ "add.Tensor" -> torch.ops.aten.add.Tensor."""
    base, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, base), overload or "default")


def make_arguments(name: str, device: str) -> tuple[Arguments, dict[str, Any]]:
    """Positional arguments and out= ones for a direct call; the same values on every call."""
    _generator.manual_seed(0)
    schema = find_overload(name)._schema
    base = name.partition(".")[0]
    ordinary = [a for a in schema.arguments if not a.is_out]
    make = MATCHED.get(name.removesuffix("_out")) or MATCHED.get(base)
    if base in ("all", "any") and "dim" not in [a.name for a in ordinary]:
        values: Arguments = [_x(5, 7) > 0.5]
    elif make is not None:
        values = make()
    else:
        required = [a for a in ordinary if not a.has_default_value() and not a.kwarg_only]
        values = [_scalar_argument(str(a.type)) for a in required]
        if base.startswith("bitwise"):
            values = [(v * 8).to(torch.int64) for v in values]
        if base == "_foreach_add" or base == "_foreach_add_":
            values = values[:2]
        if base.startswith("_foreach") and len(values) > 1 and isinstance(values[1], torch.Tensor):
            values[1] = torch.tensor(0.75)
    outs = {
        a.name: torch.empty(0, dtype=_out_dtype(base, values)) for a in schema.arguments if a.is_out
    }
    move = lambda v: v.to(device) if isinstance(v, torch.Tensor) else v  # noqa: E731
    moved = [[move(u) for u in v] if isinstance(v, list) else move(v) for v in values]
    return moved, {key: move(value) for key, value in outs.items()}


_PREDICATES = {"eq", "ge", "gt", "le", "lt", "ne", "isnan", "all", "any"}


def _out_dtype(base: str, values: Arguments) -> torch.dtype:
    if base in _PREDICATES or base.startswith("logical"):
        return torch.bool
    return torch.int64 if base.startswith("bitwise") else torch.float32
