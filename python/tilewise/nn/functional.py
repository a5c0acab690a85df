# SPDX-License-Identifier: Apache-2.0
"""Fused operators with derivatives, one kernel in each direction.

They take CPU and GPU tensors of any strides, of float16, bfloat16, float32 or float64 (16-bit types
compute in float32), and work under `torch.compile(fullgraph=True)` and `torch.export`. What a
kernel does not serve, PyTorch's operators do, counted with the reason in `tilewise.report()`.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from tilewise.fusion.kernel_file import KernelFunction
from tilewise.nn.norm_and_loss import add_layer_norm, add_rms_norm, linear_cross_entropy

__all__ = [
    "adamw_step",
    "add_gelu_dropout",
    "add_layer_norm",
    "add_rms_norm",
    "geglu",
    "gelu_and_mul",
    "linear_cross_entropy",
    "rotary_embedding",
    "silu_and_mul",
    "swiglu",
]

_PARTS = torch.ops.tilewise.pointwise_parts.default
_GELU_DROPOUT = torch.ops.tilewise.gelu_dropout.default

_silu_and_mul = KernelFunction("fused/gated", "silu_and_mul", 2)
_gelu_and_mul = KernelFunction("fused/gated", "gelu_and_mul", 2)
_gelu_tanh_and_mul = KernelFunction("fused/gated", "gelu_tanh_and_mul", 2)
_rotate = KernelFunction("fused/rotary", "rotate", 4, results=2)
_adamw_step = KernelFunction("fused/adamw", "adamw_step", 10, results=3)


def _gated(function: KernelFunction, gate: Tensor, up: Tensor | None) -> Tensor:
    if up is not None:
        result: Tensor = function(gate, up)
        return result
    return _of_parts(function, [gate, gate], [0, 1], False)


def _of_parts(
    function: KernelFunction, tensors: list[Tensor], parts: list[int], interleaved: bool
) -> Tensor:
    result: Tensor = _PARTS(function.name, tensors, parts, interleaved)
    return result


def _gelu_of(approximate: str) -> KernelFunction:
    if approximate == "none":
        return _gelu_and_mul
    if approximate == "tanh":
        return _gelu_tanh_and_mul
    raise ValueError(f"approximate argument must be either none or tanh, not {approximate!r}")


def silu_and_mul(x: Tensor) -> Tensor:
    """`silu(a) * b`, where a and b are the halves of x's last dimension.

    Args:
        x: (..., 2 * d).

    Returns:
        (..., d), of x's dtype.

    Raises:
        ValueError: the last dimension is odd, or there is none.
    """
    return _gated(_silu_and_mul, x, None)


def gelu_and_mul(x: Tensor, approximate: str = "none") -> Tensor:
    """`gelu(a) * b`, where a and b are the halves of x's last dimension.

    Args:
        x: (..., 2 * d).
        approximate: "none" or "tanh", as of `torch.nn.functional.gelu`.

    Returns:
        (..., d), of x's dtype.

    Raises:
        ValueError: the last dimension is odd, or there is none; or approximate is neither.
    """
    return _gated(_gelu_of(approximate), x, None)


def swiglu(gate: Tensor, up: Tensor | None = None) -> Tensor:
    """`silu(gate) * up` (Shazeer 2020), of two tensors or of the halves of one.

    Args:
        gate: any shape; without `up`, (..., 2 * d) with the gate in the first half.
        up: broadcasts and promotes with `gate`.

    Returns:
        The broadcast shape, or (..., d).
    """
    return _gated(_silu_and_mul, gate, up)


def geglu(gate: Tensor, up: Tensor | None = None, approximate: str = "none") -> Tensor:
    """`gelu(gate) * up` (Shazeer 2020), of two tensors or of the halves of one.

    Args:
        gate: any shape; without `up`, (..., 2 * d) with the gate in the first half.
        up: broadcasts and promotes with `gate`.
        approximate: "none" or "tanh", as of `torch.nn.functional.gelu`.

    Returns:
        The broadcast shape, or (..., d).
    """
    return _gated(_gelu_of(approximate), gate, up)


def add_gelu_dropout(
    x: Tensor,
    other: Tensor | None = None,
    p: float = 0.5,
    training: bool = True,
    approximate: str = "none",
) -> Tensor:
    """`dropout(gelu(x + other), p)`.

    The mask is not stored: backward draws it again from the seed and offset that forward took from
    PyTorch's generator. So a seed gives the same mask in both, and on a CPU and a GPU.

    Args:
        x: any shape, of a floating dtype.
        other: a bias or residual of x's dtype, whose shape is that of x's last dimensions.
        p: the probability to drop an element.
        training: without it nothing is dropped.
        approximate: "none" or "tanh", as of `torch.nn.functional.gelu`.

    Returns:
        x's shape and dtype.

    Raises:
        RuntimeError: p is no probability, or approximate is neither of the two.
        TypeError: dtypes differ or are not floating.
        ValueError: the shape of `other` does not fit.
        NotImplementedError: a second derivative is asked for.
    """
    result: Tensor = _GELU_DROPOUT(x, other, p if training else 0.0, approximate)[0]
    return result


def rotary_embedding(
    q: Tensor, k: Tensor | None, cos: Tensor, sin: Tensor, interleaved: bool = False
) -> tuple[Tensor, Tensor | None]:
    """Rotates the pairs of q and k by position-dependent angles (Su et al. 2021).

    Pairs are (x[i], x[i + d / 2]) as in Llama, or with `interleaved` (x[2 i], x[2 i + 1]) as in
    GPT-J. Both cost one launch a tensor; k may have another number of heads than q.

    Args:
        q: (..., d).
        k: (..., d), or None.
        cos: of the angles; (..., d / 2), broadcasts with q's and k's pairs: (positions, d / 2) for
            q of (batch, heads, positions, d), (positions, 1, d / 2) for (batch, positions, heads,
            d).
        sin: like `cos`.
        interleaved: which elements make a pair.

    Returns:
        q and k rotated, of their own shapes and dtypes.

    Raises:
        ValueError: the last dimension is odd.
    """
    rotated = _of_parts(_rotate, [q, q, cos, sin], [0, 1, -1, -1], interleaved)
    if k is None:
        return rotated, None
    return rotated, _of_parts(_rotate, [k, k, cos, sin], [0, 1, -1, -1], interleaved)


@torch.no_grad()
def adamw_step(
    param: Tensor,
    grad: Tensor,
    exp_avg: Tensor,
    exp_avg_sq: Tensor,
    step: int,
    *,
    lr: float = 1e-3,
    betas: Sequence[float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> None:
    """One step of `torch.optim.AdamW` for one parameter, in place, in one pass over memory.

    Args:
        param: changed.
        grad: of param's shape.
        exp_avg: the running mean of the gradient; changed.
        exp_avg_sq: the running mean of its square; changed.
        step: the number of this step, from 1.
        lr: as of `torch.optim.AdamW`, like what follows.
        betas: decay of the running means.
        eps: added to the denominator.
        weight_decay: decoupled from the gradient.
    """
    beta1, beta2 = betas
    _adamw_step(
        param, grad, exp_avg, exp_avg_sq, 1 - lr * weight_decay, beta1, beta2,
        lr / (1 - beta1**step), (1 - beta2**step) ** 0.5, eps, out=(param, exp_avg, exp_avg_sq),
    )  # fmt: skip
