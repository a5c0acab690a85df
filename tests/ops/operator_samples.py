# SPDX-License-Identifier: Apache-2.0
"""From a registered overload to the OpInfo entries of PyTorch that call it.

PyTorch's operator database names public functions; many registered overloads are what these call
below autograd (`_softmax`, `native_layer_norm`, backward operators). `REACHED_THROUGH` names the
public function for those; every other overload is matched by its own name.
"""

from __future__ import annotations

import functools

import torch
from torch.testing._internal.common_methods_invocations import op_db
from torch.testing._internal.opinfo.core import OpInfo

# Overload base name -> names of OpInfo entries whose samples reach it.
REACHED_THROUGH: dict[str, tuple[str, ...]] = {
    "_add_relu": (),
    "_batch_norm_no_update": ("_batch_norm_with_update",),
    "_cdist_backward": ("cdist",),
    "_cdist_forward": ("cdist",),
    "_ctc_loss": ("nn.functional.ctc_loss",),
    "_ctc_loss_backward": ("nn.functional.ctc_loss",),
    "_cummax_helper": ("cummax",),
    "_cummin_helper": ("cummin",),
    "_fused_rms_norm": ("nn.functional.rms_norm",),
    "_fused_rms_norm_backward": ("nn.functional.rms_norm",),
    "_log_softmax": ("log_softmax",),
    "_log_softmax_backward_data": ("log_softmax",),
    "_logcumsumexp": ("logcumsumexp",),
    "_masked_softmax": ("masked.softmax",),
    "_native_batch_norm_legit_functional": ("_native_batch_norm_legit",),
    "_native_batch_norm_legit_no_training": ("_native_batch_norm_legit",),
    "_pdist_backward": ("nn.functional.pdist",),
    "_pdist_forward": ("nn.functional.pdist",),
    "_prelu_kernel": ("nn.functional.prelu",),
    "_prelu_kernel_backward": ("nn.functional.prelu",),
    "_safe_softmax": ("torch.ops.aten._safe_softmax.default",),
    "_softmax": ("softmax",),
    "_softmax_backward_data": ("softmax",),
    "_to_copy": ("to",),
    "arange": ("arange",),
    "batch_norm_backward": ("_batch_norm_with_update",),
    "binary_cross_entropy": ("nn.functional.binary_cross_entropy",),
    "binary_cross_entropy_backward": ("nn.functional.binary_cross_entropy",),
    "binary_cross_entropy_with_logits": ("nn.functional.binary_cross_entropy_with_logits",),
    "celu": ("nn.functional.celu",),
    "conj_physical_": ("conj_physical",),
    "constant_pad_nd": ("constant_pad_nd", "nn.functional.pad"),
    "cross_entropy_loss": ("nn.functional.cross_entropy",),
    "copy_": ("clone", "contiguous", "to"),
    "elu": ("nn.functional.elu", "nn.functional.selu"),
    "elu_backward": ("nn.functional.elu", "nn.functional.selu", "nn.functional.celu"),
    "embedding": ("nn.functional.embedding",),
    "embedding_dense_backward": ("nn.functional.embedding",),
    "fill_": ("fill", "full_like"),
    "gelu": ("nn.functional.gelu",),
    "gelu_backward": ("nn.functional.gelu",),
    "glu": ("nn.functional.glu",),
    "glu_backward": ("nn.functional.glu",),
    "hardshrink": ("nn.functional.hardshrink",),
    "hardshrink_backward": ("nn.functional.hardshrink",),
    "hardsigmoid": ("nn.functional.hardsigmoid",),
    "hardsigmoid_backward": ("nn.functional.hardsigmoid",),
    "hardswish": ("nn.functional.hardswish",),
    "hardswish_backward": ("nn.functional.hardswish",),
    "hardtanh": ("nn.functional.hardtanh", "nn.functional.relu6"),
    "hardtanh_backward": ("nn.functional.hardtanh", "nn.functional.relu6"),
    "huber_loss": ("nn.functional.huber_loss",),
    "huber_loss_backward": ("nn.functional.huber_loss",),
    "gather": ("gather", "take_along_dim"),
    "index": ("__getitem__",),
    "leaky_relu": ("nn.functional.leaky_relu",),
    "leaky_relu_backward": ("nn.functional.leaky_relu", "nn.functional.rrelu"),
    "log_sigmoid_backward": ("nn.functional.logsigmoid",),
    "log_sigmoid_forward": ("nn.functional.logsigmoid",),
    "logit_backward": ("logit",),
    "mish": ("nn.functional.mish",),
    "mish_backward": ("nn.functional.mish",),
    "mse_loss": ("nn.functional.mse_loss",),
    "mse_loss_backward": ("nn.functional.mse_loss",),
    "multi_margin_loss": ("nn.functional.multi_margin_loss",),
    "multi_margin_loss_backward": ("nn.functional.multi_margin_loss",),
    "multilabel_margin_loss_backward": ("nn.functional.multilabel_margin_loss",),
    "multilabel_margin_loss_forward": ("nn.functional.multilabel_margin_loss",),
    "native_batch_norm": (
        *("nn.functional.batch_norm", "nn.functional.instance_norm", "native_batch_norm"),
    ),
    "native_batch_norm_backward": ("nn.functional.batch_norm",),
    "native_group_norm": ("nn.functional.group_norm",),
    "native_group_norm_backward": ("nn.functional.group_norm",),
    "native_layer_norm": ("nn.functional.layer_norm", "native_layer_norm"),
    "native_layer_norm_backward": ("nn.functional.layer_norm",),
    "nll_loss2d_backward": ("nn.functional.nll_loss", "nn.functional.cross_entropy"),
    "nll_loss2d_forward": ("nn.functional.nll_loss", "nn.functional.cross_entropy"),
    "nll_loss_backward": ("nn.functional.nll_loss", "nn.functional.cross_entropy"),
    "nll_loss_forward": ("nn.functional.nll_loss", "nn.functional.cross_entropy"),
    "relu": ("nn.functional.relu",),
    "select_backward": ("select",),
    "sigmoid_backward": ("sigmoid",),
    "silu": ("nn.functional.silu",),
    "silu_backward": ("nn.functional.silu",),
    "slice_backward": ("slice",),
    "smooth_l1_loss": ("nn.functional.smooth_l1_loss",),
    "smooth_l1_loss_backward": ("nn.functional.smooth_l1_loss",),
    "soft_margin_loss": ("nn.functional.soft_margin_loss",),
    "soft_margin_loss_backward": ("nn.functional.soft_margin_loss",),
    "softplus": ("nn.functional.softplus",),
    "softplus_backward": ("nn.functional.softplus",),
    "softshrink": ("nn.functional.softshrink",),
    "softshrink_backward": ("nn.functional.softshrink",),
    "tanh_backward": ("tanh",),
    "threshold": ("nn.functional.threshold",),
    "threshold_backward": ("nn.functional.threshold", "nn.functional.relu"),
    "zero_": ("zeros_like", "new_zeros"),
}

# Fixed choice for the everyday run; `make test-full` takes every dtype that an operator supports.
EVERYDAY_DTYPES = (torch.float32, torch.bfloat16, torch.int64, torch.bool)
ALL_DTYPES = (
    *(torch.float64, torch.float32, torch.float16, torch.bfloat16),
    *(torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool),
)


@functools.cache
def _entries_by_name() -> dict[str, list[OpInfo]]:
    table: dict[str, list[OpInfo]] = {}
    for op in op_db:
        names = {op.name, op.aten_name, op.name.replace("special.", "special_")}
        for name in names:
            table.setdefault(name, []).append(op)
    return table


def base_name(overload: str) -> str:
    """ "add_.Tensor" -> "add_" ; "add.out" -> "add"."""
    return overload.split(".", 1)[0]


def opinfo_names(overload: str) -> tuple[str, ...]:
    """Names of the OpInfo entries for an overload; empty if there are none."""
    base = base_name(overload)
    for name in (base, base.removesuffix("_")):
        if name in REACHED_THROUGH:
            return REACHED_THROUGH[name]
        if name in _entries_by_name():
            return (name,)
    return ()


def opinfos(names: tuple[str, ...]) -> list[OpInfo]:
    """The OpInfo entries with these names."""
    return [op for name in names for op in _entries_by_name().get(name, [])]
