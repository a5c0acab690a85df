# SPDX-License-Identifier: Apache-2.0
"""Arguments for direct calls of norms and losses (see direct_calls.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from direct_arguments import x as _x

Arguments = list[Any]


def _batch_norm() -> Arguments:
    return [_x(4, 3, 5), _x(3), _x(3), _x(3), _x(3)]


def _batch_norm_backward() -> Arguments:
    x, weight, _, mean, var = _batch_norm()
    return [_x(4, 3, 5), x, weight, mean, var, _x(3), _x(3), True, 1e-5, [True, True, True]]


def _sync_backward_reduce() -> Arguments:
    return [_x(4, 3, 5), _x(4, 3, 5), _x(3), _x(3), _x(3), True, True, True]


def _sync_backward_elemt() -> Arguments:
    counts = torch.tensor([20, 12], dtype=torch.int32)
    return [_x(4, 3, 5), _x(4, 3, 5), _x(3), _x(3), _x(3), _x(3), _x(3), counts]


def _sync_gather() -> Arguments:
    return [_x(4, 3, 5), _x(2, 3), _x(2, 3), _x(3), _x(3), 0.1, 1e-5]


def _cudnn_batch_norm_backward() -> Arguments:
    x, weight, bias, mean, var = (t.cuda() for t in _batch_norm())
    _, saved, invstd, reserve = torch.ops.aten.cudnn_batch_norm(
        x, weight, bias, mean, var, True, 0.1, 1e-5
    )
    return [x, _x(4, 3, 5), weight, mean, var, saved, invstd, 1e-5, reserve]


def _group_norm_backward() -> Arguments:
    x, weight = _x(2, 6, 5), _x(6)
    _, mean, rstd = torch.native_group_norm(x, weight, weight, 2, 6, 5, 3, 1e-5)
    return [_x(2, 6, 5), x, mean, rstd, weight, 2, 6, 5, 3, [True, True, True]]


def _ctc() -> Arguments:
    targets = torch.tensor([[1, 2, 2], [3, 1, 4]])
    return [torch.log_softmax(_x(8, 2, 5), -1), targets, [8, 8], [3, 3]]


def _ctc_backward() -> Arguments:
    arguments = _ctc()
    return [_x(2), *arguments, *torch.ops.aten._ctc_loss(*arguments), 0]


def _with_tensor_lengths(arguments: Arguments) -> Arguments:
    is_lengths = lambda v: isinstance(v, list)  # noqa: E731
    return [torch.tensor(v) if is_lengths(v) else v for v in arguments]


def _multi_margin() -> Arguments:
    return [_x(5, 7), torch.tensor([0, 3, 6, 2, 2]), 2, 0.75, _x(7), 1]


def _multilabel() -> Arguments:
    labels = torch.tensor([[3, 1, -1, 2, 0, 0, 0]] * 5)
    return [_x(5, 7), labels, 2]


def _multilabel_backward() -> Arguments:
    x, labels, reduction = _multilabel()
    is_target = torch.zeros(5, 7)
    is_target[:, [1, 3]] = 1
    return [_x(), x, labels, reduction, is_target]


def _nll2d() -> Arguments:
    target = torch.arange(2 * 3 * 5).reshape(2, 3, 5) % 4
    return [torch.log_softmax(_x(2, 4, 3, 5), 1), target, _x(4), 1, 3]


def _nll2d_backward() -> Arguments:
    logits, target, weight, reduction, ignored = _nll2d()
    return [torch.tensor(1.5), logits, target, weight, reduction, ignored, weight.sum()]


def _rms_norm_backward() -> Arguments:
    x, weight = _x(5, 7), _x(7)
    rstd = x.square().mean(1, keepdim=True).rsqrt()
    return [_x(5, 7), x, [7], rstd, weight, [True, True]]


def _pair() -> Arguments:
    return [_x(5, 7) * 0.8, _x(5, 7) * 0.8]


# Operator -> arguments up to the out= ones.
NORM_AND_LOSS_CALLS: dict[str, Callable[[], Arguments]] = {
    "_batch_norm_no_update": lambda: [*_batch_norm(), 0.1, 1e-5],
    "_batch_norm_with_update": lambda: [*_batch_norm(), 0.1, 1e-5],
    "_batch_norm_with_update_functional": lambda: [*_batch_norm(), 0.1, 1e-5],
    "_ctc_loss": _ctc,
    "cross_entropy_loss": lambda: [_x(5, 7), torch.tensor([0, 3, 6, 2, 2]), _x(7), 1, 3, 0.2],
    "_ctc_loss.Tensor": lambda: _with_tensor_lengths(_ctc()),
    "_ctc_loss_backward": _ctc_backward,
    "_ctc_loss_backward.Tensor": lambda: _with_tensor_lengths(_ctc_backward()),
    "_fused_rms_norm": lambda: [_x(5, 7), [7], _x(7), 1e-5],
    "_fused_rms_norm_backward": _rms_norm_backward,
    "_native_batch_norm_legit": lambda: [*_batch_norm(), True, 0.1, 1e-5],
    "_native_batch_norm_legit.no_stats": lambda: [*_batch_norm()[:3], True, 0.1, 1e-5],
    "_native_batch_norm_legit_functional": lambda: [*_batch_norm(), True, 0.1, 1e-5],
    "_native_batch_norm_legit_no_training": lambda: [*_batch_norm(), 0.1, 1e-5],
    "_weight_norm_interface": lambda: [_x(5, 7), _x(5, 1), 0],
    "_weight_norm_interface_backward": lambda: [_x(5, 7), _x(5, 7), _x(1, 7), _x(1, 7), 1],
    "batch_norm_backward": lambda: [*_batch_norm_backward(), torch.empty(0, dtype=torch.uint8)],
    "batch_norm_backward_elemt": _sync_backward_elemt,
    "batch_norm_backward_reduce": _sync_backward_reduce,
    "batch_norm_elemt": lambda: [*_batch_norm(), 1e-5],
    "batch_norm_gather_stats": lambda: [*_sync_gather(), 20],
    "batch_norm_gather_stats_with_counts": lambda: [*_sync_gather(), torch.tensor([20.0, 12.0])],
    "batch_norm_stats": lambda: [_x(4, 3, 5), 1e-5],
    "batch_norm_update_stats": lambda: [_x(4, 3, 5), _x(3), _x(3), 0.1],
    "binary_cross_entropy": lambda: [*_pair(), _x(7)],
    "binary_cross_entropy_backward": lambda: [_x(), *_pair(), _x(7)],
    "binary_cross_entropy_with_logits": lambda: [*_pair(), _x(5, 7), _x(7), 2],
    "cudnn_batch_norm": lambda: [*_batch_norm(), True, 0.1, 1e-5],
    "cudnn_batch_norm_backward": _cudnn_batch_norm_backward,
    "huber_loss": lambda: [*_pair(), 1, 0.1],
    "huber_loss_backward": lambda: [_x(), *_pair(), 1, 0.1],
    "mse_loss": lambda: [*_pair(), 0],
    "mse_loss_backward": lambda: [_x(), *_pair(), 2],
    "multi_margin_loss": _multi_margin,
    "multi_margin_loss_backward": lambda: [_x(), *_multi_margin()],
    "multilabel_margin_loss_backward": _multilabel_backward,
    "multilabel_margin_loss_forward": _multilabel,
    "native_batch_norm": lambda: [*_batch_norm(), True, 0.1, 1e-5],
    "native_batch_norm_backward": _batch_norm_backward,
    "native_group_norm": lambda: [_x(2, 6, 5), _x(6), _x(6), 2, 6, 5, 3, 1e-5],
    "native_group_norm_backward": _group_norm_backward,
    "nll_loss2d_backward": _nll2d_backward,
    "nll_loss2d_forward": _nll2d,
    "renorm": lambda: [_x(5, 7), 2.0, 0, 1.1],
    "renorm_": lambda: [_x(5, 7), 2.0, 1, 1.1],
    "smooth_l1_loss": lambda: [*_pair(), 1, 0.1],
    "smooth_l1_loss_backward": lambda: [_x(5, 7), *_pair(), 0, 0.1],
    "soft_margin_loss": lambda: [*_pair(), 1],
    "soft_margin_loss_backward": lambda: [_x(), *_pair(), 1],
}

# out= tensors that PyTorch does not make from an empty float32 one.
NORM_AND_LOSS_OUTS: dict[str, dict[str, torch.Tensor]] = {
    "_batch_norm_with_update": {"reserve": torch.empty(0, dtype=torch.uint8)},
    "batch_norm_elemt": {"out": torch.empty(4, 3, 5)},
    "binary_cross_entropy": {"out": torch.empty(5, 7)},
    "binary_cross_entropy_backward": {"grad_input": torch.empty(5, 7)},
}
