# SPDX-License-Identifier: Apache-2.0
"""Addition and norm, linear layer and cross entropy: differentiable, traceable by torch.compile.

>>> from tilewise.nn.functional import add_rms_norm, linear_cross_entropy
>>> hidden, residual = add_rms_norm(attention_output, residual, weight=norm.weight)
>>> loss = linear_cross_entropy(hidden, lm_head.weight, labels)
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

import tilewise

tilewise._start()  # defines torch.ops.tilewise.*

_REDUCTIONS = {"none": 0, "mean": 1, "sum": 2}


def add_layer_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    normalized_shape: tuple[int, ...] | None = None,
    eps: float = 1e-5,
) -> tuple[Tensor, Tensor]:
    """(layer_norm(x + residual), x + residual) in one kernel.

    Over the last dimension, or the trailing ones of `normalized_shape` (default: weight's shape).
    """
    shape = _normalized_shape(x, weight, normalized_shape)
    out, total, _, _ = torch.ops.tilewise.add_layer_norm(x, residual, shape, weight, bias, eps)
    return out, total


def add_rms_norm(
    x: Tensor,
    residual: Tensor,
    weight: Tensor | None = None,
    *,
    normalized_shape: tuple[int, ...] | None = None,
    eps: float | None = None,
) -> tuple[Tensor, Tensor]:
    """(rms_norm(x + residual), x + residual) in one kernel; arguments as for `add_layer_norm`."""
    shape = _normalized_shape(x, weight, normalized_shape)
    out, total, _ = torch.ops.tilewise.add_rms_norm(x, residual, shape, weight, eps)
    return out, total


def linear_cross_entropy(
    input: Tensor,
    weight: Tensor,
    target: Tensor,
    bias: Tensor | None = None,
    *,
    class_weight: Tensor | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """cross_entropy(linear(input, weight, bias), target) without ever holding the logits.

    input [..., features], weight [classes, features], target [...] of class indices. A chunk of
    rows and classes is computed at a time, in the backward pass again.
    """
    if reduction not in _REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    loss: Tensor = torch.ops.tilewise.linear_cross_entropy(
        input.reshape(-1, input.shape[-1]),
        weight,
        bias,
        target.reshape(-1),
        class_weight,
        _REDUCTIONS[reduction],
        ignore_index,
        label_smoothing,
    )[0]
    return loss.reshape(target.shape) if reduction == "none" else loss


def _normalized_shape(
    x: Tensor, weight: Tensor | None, given: tuple[int, ...] | None
) -> tuple[int, ...]:
    if given is not None:
        return tuple(given)
    return tuple(weight.shape) if weight is not None else (x.shape[-1],)


def _statistics(x: Tensor, shape: list[int]) -> Tensor:
    kept = x.shape[: x.dim() - len(shape)]
    dtype = torch.float64 if x.dtype == torch.float64 else torch.float32
    return x.new_empty((*kept, *(1 for _ in shape)), dtype=dtype)


def _contiguous_like(x: Tensor) -> Tensor:
    return x.new_empty(x.shape)


@torch.library.register_fake("tilewise::add_layer_norm")
def _(x: Tensor, residual: Tensor, shape: list[int], *_: Any) -> tuple[Tensor, ...]:
    mean = _statistics(x, shape)
    return _contiguous_like(x), _contiguous_like(x), mean, torch.empty_like(mean)


@torch.library.register_fake("tilewise::add_rms_norm")
def _(x: Tensor, residual: Tensor, shape: list[int], *_: Any) -> tuple[Tensor, ...]:
    return _contiguous_like(x), _contiguous_like(x), _statistics(x, shape)


@torch.library.register_fake("tilewise::add_layer_norm_backward")
def _(
    grad: Tensor, grad_sum: Any, total: Tensor, shape: Any, mean: Any, rstd: Any,
    weight: Tensor | None, bias: Tensor | None, mask: list[bool],
) -> tuple[Tensor | None, ...]:  # fmt: skip
    return (
        _contiguous_like(total) if mask[0] else None,
        torch.empty_like(weight) if mask[1] and weight is not None else None,
        torch.empty_like(bias) if mask[2] and bias is not None else None,
    )


@torch.library.register_fake("tilewise::add_rms_norm_backward")
def _(
    grad: Tensor, grad_sum: Any, total: Tensor, shape: Any, rstd: Any,
    weight: Tensor | None, mask: list[bool],
) -> tuple[Tensor | None, ...]:  # fmt: skip
    return (
        _contiguous_like(total) if mask[0] else None,
        torch.empty_like(weight) if mask[1] and weight is not None else None,
    )


@torch.library.register_fake("tilewise::linear_cross_entropy")
def _(
    input: Tensor, weight: Tensor, bias: Any, target: Tensor, class_weight: Any, reduction: int,
    ignore_index: int, label_smoothing: float,
) -> tuple[Tensor, ...]:  # fmt: skip
    dtype = torch.float64 if input.dtype == torch.float64 else torch.float32
    loss = input.new_empty(target.shape if reduction == 0 else ())
    return loss, input.new_empty(target.shape, dtype=dtype), input.new_empty((), dtype=dtype)


@torch.library.register_fake("tilewise::linear_cross_entropy_backward")
def _(
    grad: Tensor, input: Tensor, weight: Tensor, bias: Tensor | None, target: Any,
    class_weight: Any, lse: Any, total_weight: Any, reduction: Any, ignore_index: Any,
    label_smoothing: Any, mask: list[bool],
) -> tuple[Tensor | None, ...]:  # fmt: skip
    return (
        _contiguous_like(input) if mask[0] else None,
        _contiguous_like(weight) if mask[1] else None,
        torch.empty_like(bias) if mask[2] and bias is not None else None,
    )


def _save_cross_entropy(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
    *tensors, ctx.reduction, ctx.ignore_index, ctx.label_smoothing = inputs
    _, lse, total_weight = output
    ctx.save_for_backward(*tensors, lse, total_weight)
    ctx.mark_non_differentiable(lse, total_weight)


def _cross_entropy_backward(ctx: Any, grad: Tensor, *_: Any) -> Any:
    needs = ctx.needs_input_grad
    grad_input, grad_weight, grad_bias = torch.ops.tilewise.linear_cross_entropy_backward(
        grad, *ctx.saved_tensors, ctx.reduction, ctx.ignore_index, ctx.label_smoothing,
        [needs[0], needs[1], needs[2]],
    )  # fmt: skip
    return grad_input, grad_weight, grad_bias, None, None, None, None, None


torch.library.register_autograd(
    "tilewise::linear_cross_entropy", _cross_entropy_backward, setup_context=_save_cross_entropy
)
