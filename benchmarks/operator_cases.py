# SPDX-License-Identifier: Apache-2.0
"""Operator calls to measure: name -> a function that makes the call's closure for a shape."""

from __future__ import annotations

from collections.abc import Callable

import torch
import torch.nn.functional as F

Call = Callable[[], object]


def make_call(name: str, shape: tuple[int, ...], dtype: torch.dtype, device: str) -> Call:
    """A closure that calls `name` on fresh random inputs of this shape, without autograd."""
    x = torch.randn(shape, device=device).to(dtype)
    y = torch.randn(shape, device=device).to(dtype)
    weight = torch.randn(shape[-1], device=device).to(dtype)
    bias = torch.randn(shape[-1], device=device).to(dtype)
    targets = torch.randint(shape[-1], shape[:-1], device=device)
    calls: dict[str, Call] = {
        "add": lambda: torch.add(x, y),
        "mul": lambda: torch.mul(x, y),
        "mul_scalar": lambda: torch.mul(x, 0.5),
        "gelu": lambda: F.gelu(x),
        "softmax": lambda: torch.softmax(x, -1),
        "log_softmax": lambda: torch.log_softmax(x, -1),
        "layer_norm": lambda: F.layer_norm(x, (shape[-1],), weight, bias),
        "sum": lambda: torch.sum(x, -1),
        "mean": lambda: torch.mean(x, -1),
        "amax": lambda: torch.amax(x, -1),
        "cross_entropy": lambda: F.cross_entropy(x, targets),
        "exp": lambda: torch.exp(x),
        "relu": lambda: torch.relu(x),
        "tanh": lambda: torch.tanh(x),
        "copy_transposed": lambda: x.t().contiguous(),
    }
    return calls[name]


NAMES = [
    *("add", "mul", "gelu", "softmax", "layer_norm", "sum"),
    *("mul_scalar", "log_softmax", "mean", "exp", "relu", "tanh"),
]


def make_matmul(m: int, n: int, k: int, dtype: torch.dtype, device: str) -> Call:
    """(m, k) @ (k, n)."""
    a = torch.randn(m, k, device=device).to(dtype)
    b = torch.randn(k, n, device=device).to(dtype)
    return lambda: torch.mm(a, b)
