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


# Operator -> arguments up to the out= ones.
REDUCTION_CALLS: dict[str, Callable[[], Arguments]] = {
    "bincount": lambda: [_bins(), _x(50), 12],
    "dot": lambda: [_x(50), _x(50)],
    "histc": lambda: [_x(5, 7), 6, 0.25, 1.0],
    "kthvalue": lambda: [_x(5, 7), 3, 0],
    "median.dim": lambda: [_x(5, 7), 1],
    "mode": lambda: [_x(5, 7).round(decimals=1), 1],
    "nanmedian.dim": lambda: [_x(5, 7), 1],
    "vdot": lambda: [_x(50), _x(50)],
}
