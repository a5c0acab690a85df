# SPDX-License-Identifier: Apache-2.0
"""Arguments for direct calls of reductions and selections (see direct_calls.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from direct_arguments import x as _x

Arguments = list[Any]


def _bins() -> torch.Tensor:
    return (_x(50) * 8).long()


def _cdist_backward() -> Arguments:
    x, y = _x(2, 5, 7), _x(2, 3, 7)
    return [_x(2, 5, 3), x, y, 1.5, torch.cdist(x, y, 1.5)]


def _pdist_backward() -> Arguments:
    x = _x(5, 7)
    return [_x(10), x, 3.0, torch.pdist(x, 3.0)]


# Operator -> arguments up to the out= ones.
REDUCTION_CALLS: dict[str, Callable[[], Arguments]] = {
    "_assert_async": lambda: [_x(1)],
    "_functional_assert_async.msg": lambda: [_x(1), "message", _x(2)],
    "_cdist_backward": _cdist_backward,
    "_pdist_backward": _pdist_backward,
    "_pdist_forward": lambda: [_x(5, 7), 2.0],
    "bincount": lambda: [_bins(), _x(50), 12],
    "count_nonzero": lambda: [_x(5, 7) - 0.5],
    "cummax": lambda: [_x(5, 7), 1],
    "cummin": lambda: [_x(5, 7), 0],
    "dot": lambda: [_x(50), _x(50)],
    "histc": lambda: [_x(5, 7), 6, 0.25, 1.0],
    "kthvalue": lambda: [_x(5, 7), 3, 0],
    "median.dim": lambda: [_x(5, 7), 1],
    "logcumsumexp": lambda: [_x(5, 7), 1],
    "mode": lambda: [torch.tensor([[0.5, 2.0, 0.5], [3.0, 1.5, 1.5]]), 1],
    "nanmedian.dim": lambda: [_x(5, 7), 1],
    "norm.Scalar": lambda: [_x(5, 7), 3.0],
    "vdot": lambda: [_x(50), _x(50)],
}
