# SPDX-License-Identifier: Apache-2.0
"""Arguments for a direct call of any registered overload, made from its schema.

OpInfo reaches operators through public functions; some overloads (`eq.Scalar`, `relu_`,
`tanh_backward.grad_input`) have no sample that calls just them. Pointwise operators take any
tensors of one shape; operators whose arguments belong together are listed in `MATCHED`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from direct_arguments import generator as _generator
from direct_arguments import x as _x
from norm_and_loss_calls import NORM_AND_LOSS_CALLS, NORM_AND_LOSS_OUTS
from reduction_calls import REDUCTION_CALLS

Arguments = list[Any]


def _layer_norm_backward() -> Arguments:
    x, weight, bias = _x(5, 7), _x(7), _x(7)
    _, mean, rstd = torch.native_layer_norm(x, [7], weight, bias, 1e-5)
    return [_x(5, 7), x, [7], mean, rstd, weight, bias, [True, True, True]]


def _softmax_backward() -> Arguments:
    return [_x(5, 7), torch.softmax(_x(5, 7), -1), -1, torch.float32]


def _cumulative() -> Arguments:
    return [_x(5, 7), torch.empty(5, 7), torch.empty(5, 7, dtype=torch.int64), 1]


def _nll() -> Arguments:
    return [torch.log_softmax(_x(5, 7), -1), torch.tensor([0, 3, 6, 2, 2]), _x(7), 1, 3]


def _nll_backward() -> Arguments:
    logits, target, weight, reduction, ignored = _nll()
    return [torch.tensor(1.5), logits, target, weight, reduction, ignored, weight.sum()]


def _step_lists(count: int) -> list[list[torch.Tensor]]:
    return [[_x(5, 7), _x(3), _x(70, 70)] for _ in range(count)]


def _steps() -> list[torch.Tensor]:
    return [torch.tensor(3.0) for _ in range(3)]


_ADAM = {"lr": 0.1, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.1, "eps": 1e-6,
         "amsgrad": False, "maximize": False}  # fmt: skip
_SGD = {"weight_decay": 0.1, "momentum": 0.9, "lr": 0.1, "dampening": 0.0, "nesterov": True,
        "maximize": False, "is_first_step": False}  # fmt: skip
_ADAGRAD = {"lr": 0.1, "lr_decay": 0.0, "weight_decay": 0.1, "eps": 1e-6,
            "maximize": False}  # fmt: skip

# Arguments by keyword.
KEYWORDS: dict[str, dict[str, Any]] = {
    **dict.fromkeys(("_fused_adagrad", "_fused_adagrad_"), _ADAGRAD),
    **dict.fromkeys(("_fused_adam", "_fused_adam_", "_fused_adamw", "_fused_adamw_"), _ADAM),
    **dict.fromkeys(("_fused_sgd", "_fused_sgd_"), _SGD),
}


def _log_sigmoid_backward() -> Arguments:
    x = _x(5, 7) - 0.75
    return [_x(5, 7), x, torch.exp(-x.abs())]


# Operator -> arguments up to the out= ones.
MATCHED: dict[str, Callable[[], Arguments]] = {
    "_amp_foreach_non_finite_check_and_unscale_": lambda: [
        [_x(5, 7), _x(3), _x(0)],
        torch.tensor(0.0),
        torch.tensor(0.5),
    ],
    "_amp_update_scale_": lambda: [
        torch.tensor(4.0),
        torch.tensor(1, dtype=torch.int32),
        torch.tensor(0.0),
        2.0,
        0.5,
        2,
    ],
    "_foreach_max": lambda: [[_x(5, 7), _x(3), _x(70, 70)]],
    **dict.fromkeys(("_fused_adagrad", "_fused_adagrad_"), lambda: [*_step_lists(3), _steps()]),
    **dict.fromkeys(
        ("_fused_adam", "_fused_adam_", "_fused_adamw", "_fused_adamw_"),
        lambda: [*_step_lists(4), [], _steps()],
    ),
    **dict.fromkeys(("_fused_sgd", "_fused_sgd_"), lambda: _step_lists(3)),
    "_cdist_forward": lambda: [_x(5, 7), _x(3, 7), 1.5, None],
    "_cummax_helper": _cumulative,
    "_cummin_helper": _cumulative,
    "_log_softmax": lambda: [_x(5, 7), -1, False],
    "_log_softmax_backward_data": _softmax_backward,
    "_masked_softmax": lambda: [_x(5, 7), _x(5, 7) > 0.5, 1, 2],
    "_masked_softmax_backward": lambda: [_x(5, 7), _x(5, 7), _x(5, 7) > 0.5, 1],
    "_softmax": lambda: [_x(5, 7), 0, False],
    "_softmax_backward_data": _softmax_backward,
    "addmm": lambda: [_x(3), _x(5, 7), _x(7, 3)],
    "addmm_": lambda: [_x(5, 3), _x(5, 7), _x(7, 3)],
    "_is_all_true": lambda: [_x(5, 7) > 0.5],
    "_is_any_true": lambda: [_x(5, 7) > 0.5],
    "all.dim": lambda: [_x(5, 7) > 0.5, 1],
    "amax": lambda: [_x(5, 7), [1]],
    "amin": lambda: [_x(5, 7), [0]],
    "any.dim": lambda: [_x(5, 7) > 0.5, 0],
    "arange": lambda: [9],
    "arange.start": lambda: [2, 9],
    "arange.start_step": lambda: [2, 9, 2],
    "arange.start_out": lambda: [2, 9, 2],
    "baddbmm": lambda: [_x(2, 5, 3), _x(2, 5, 7), _x(2, 7, 3)],
    "baddbmm_": lambda: [_x(2, 5, 3), _x(2, 5, 7), _x(2, 7, 3)],
    "bmm": lambda: [_x(2, 5, 7), _x(2, 7, 3)],
    "cat": lambda: [[_x(5, 7), _x(2, 7), torch.empty(0)], 0],
    "clamp": lambda: [_x(5, 7), 0.4, 0.8],
    "clamp_": lambda: [_x(5, 7), None, 0.8],
    "count_nonzero.dim_IntList": lambda: [_x(5, 7) - 0.5, [1]],
    "clamp.Tensor": lambda: [_x(5, 7), _x(7), _x(5, 1)],
    "clamp_.Tensor": lambda: [_x(5, 7), _x(7), None],
    "embedding": lambda: [_x(9, 7), torch.tensor([[1, 8], [0, 3]])],
    "embedding_dense_backward": lambda: [_x(2, 7), torch.tensor([4, 4]), 9, -1, False],
    "eye.m_out": lambda: [5, 7],
    "eye.out": lambda: [5],
    "fill.Scalar": lambda: [_x(5, 7), 2.5],
    "full": lambda: [[5, 7], 2.5],
    "full_like": lambda: [_x(5, 7), 2.5],
    "gelu": lambda: [_x(5, 7)],
    "gelu_": lambda: [_x(5, 7)],
    "gelu_backward": lambda: [_x(5, 7), _x(5, 7)],
    "glu": lambda: [_x(5, 8), 1],
    "glu_backward": lambda: [_x(5, 4), _x(5, 8), 1],
    "linalg_vector_norm": lambda: [_x(5, 7), 2.0, [1]],
    "linspace": lambda: [-1.0, 3.0, 11],
    "linspace.out": lambda: [-1.0, 3.0, 11],
    "logspace": lambda: [-1.0, 3.0, 11, 2.0],
    "logspace.out": lambda: [-1.0, 3.0, 11, 2.0],
    "logsumexp": lambda: [_x(5, 7), [1]],
    "log_sigmoid_backward": _log_sigmoid_backward,
    "masked_fill.Tensor": lambda: [_x(5, 7), _x(5, 7) > 0.5, torch.tensor(2.0)],
    "masked_fill_.Tensor": lambda: [_x(5, 7), _x(7) > 0.5, torch.tensor(2.0)],
    "masked_fill": lambda: [_x(5, 7), _x(5, 7) > 0.5, 2.0],
    "masked_fill_": lambda: [_x(5, 7), _x(7) > 0.5, 2.0],
    "mean.dim": lambda: [_x(5, 7), [1]],
    "mean.out": lambda: [_x(5, 7), [1]],
    "mm": lambda: [_x(5, 7), _x(7, 3)],
    "mvlgamma": lambda: [_x(5, 7) + 2, 3],
    "mvlgamma_": lambda: [_x(5, 7) + 2, 3],
    "native_layer_norm": lambda: [_x(5, 7), [7], _x(7), _x(7), 1e-5],
    "native_layer_norm_backward": _layer_norm_backward,
    "constant_pad_nd": lambda: [_x(5, 7), [1, 2, -1, 3], 2.5],
    "eye": lambda: [5],
    "eye.m": lambda: [5, 7],
    "fill.Tensor": lambda: [_x(5, 7), torch.tensor(0.75)],
    "fill_.Tensor": lambda: [_x(5, 7), torch.tensor(0.75)],
    "flip": lambda: [_x(5, 7), [1]],
    "gather": lambda: [_x(5, 7), 1, torch.tensor([[6, 0, 3], [1, 1, 2], [0, 5, 5]])],
    "index": lambda: [_x(5, 7, 2), [torch.tensor([4, 0, -1]), None, torch.tensor([1, 0, 1])]],
    "index_select": lambda: [_x(5, 7), 1, torch.tensor([6, 0, 3, 3])],
    "new_full": lambda: [_x(5, 7), [2, 3], 2.5],
    "new_ones": lambda: [_x(5, 7), [2, 3]],
    "new_zeros": lambda: [_x(5, 7), [2, 3]],
    "nll_loss_backward": _nll_backward,
    "nll_loss_forward": _nll,
    "ones": lambda: [[5, 7]],
    "repeat": lambda: [_x(5, 7), [2, 1, 3]],
    "roll": lambda: [_x(5, 7), [2, -3], [0, 1]],
    "scalar_tensor": lambda: [2.5],
    "select_backward": lambda: [_x(5, 7), [5, 3, 7], 1, -1],
    "slice_backward": lambda: [_x(5, 7), [5, 20], 1, 3, 10, 1],
    "stack": lambda: [[_x(5, 7), _x(5, 7)], 1],
    "range": lambda: [1, 9],
    "range.step": lambda: [1, 9, 2],
    "range.out": lambda: [1, 9, 2],
    "norm.ScalarOpt_dim_dtype": lambda: [_x(5, 7), 3, [1], False],
    "norm": lambda: [_x(5, 7), 3, [1], False],
    "tril_indices": lambda: [5, 7, -1],
    "triu_indices": lambda: [5, 7, 2],
    "tril": lambda: [_x(5, 7), 1],
    "triu": lambda: [_x(5, 7), 1],
    "triu_": lambda: [_x(5, 7), -1],
    "zeros": lambda: [[5, 7]],
    "sum.IntList": lambda: [_x(5, 7), [0]],
    "sum.dim_IntList": lambda: [_x(5, 7), [0]],
    "where": lambda: [_x(5, 7) > 0.5, _x(5, 7), _x(7)],
    **NORM_AND_LOSS_CALLS,
    **REDUCTION_CALLS,
}


# Operators on integers only, by the start of their names.
_INTEGER = ("bitwise", "gcd", "lcm", "__lshift__", "__rshift__", "__ilshift__", "__irshift__")


def _scalar_argument(kind: str) -> Any:
    if kind == "List[Tensor]":
        return [_x(5, 7), _x(3), _x(0), _x(70, 70)]
    if kind == "List[int]":
        return [5, 7]
    if kind == "List[number]":
        return [0.5, 1.5, 2.5, 3.5]
    if kind == "Tensor":
        return _x(5, 7)
    return {"number": 0.75, "float": 0.75, "int": 1, "bool": True, "str": "none"}[kind]


def find_overload(name: str) -> torch._ops.OpOverload:
    """ "add.Tensor" -> torch.ops.aten.add.Tensor."""
    base, _, overload = name.partition(".")
    return getattr(getattr(torch.ops.aten, base), overload or "default")


def _moved(values: Iterable[Any], device: str) -> Arguments:
    move = lambda v: v.to(device) if isinstance(v, torch.Tensor) else v  # noqa: E731
    return [[move(u) for u in v] if isinstance(v, list) else move(v) for v in values]


def make_arguments(name: str, device: str) -> tuple[Arguments, dict[str, Any]]:
    """Positional and keyword arguments (out=) for a direct call; the same values on every call."""
    _generator.manual_seed(0)
    schema = find_overload(name)._schema
    base = name.partition(".")[0]
    ordinary = [a for a in schema.arguments if not a.is_out]
    make = MATCHED.get(name) or MATCHED.get(name.removesuffix("_out")) or MATCHED.get(base)
    if base in ("all", "any") and "dim" not in [a.name for a in ordinary]:
        values: Arguments = [_x(5, 7) > 0.5]
    elif make is not None:
        values = make()
    else:
        required = [a for a in ordinary if not a.has_default_value() and not a.kwarg_only]
        values = [_scalar_argument(str(a.type)) for a in required]
        if base.startswith(_INTEGER):
            values = [(v * 8).long() if isinstance(v, torch.Tensor) else 2 for v in values]
        if "_polynomial_" in base:
            values = [v * 4 for v in values]
        if base == "_foreach_add" or base == "_foreach_add_":
            values = values[:2]
        if base.startswith("_foreach") and len(values) > 1 and isinstance(values[1], torch.Tensor):
            values[1] = torch.tensor(0.75)
        if base.startswith("_foreach_addc") and name.endswith(".Tensor"):
            values[3] = torch.tensor([0.5, 1.5, 2.5, 3.5])  # stays in the CPU's memory
            return [*_moved(values[:3], device), values[3]], {}
    outs: dict[str, Any] = {
        a.name: torch.empty(
            0, dtype=torch.int64 if a.name in _INDICES else _out_dtype(base, a.name)
        )
        for a in schema.arguments
        if a.is_out
    }
    if base.startswith("_foreach") and outs:
        outs = {key: [torch.empty_like(t) for t in values[0]] for key in outs}
    if outs:
        outs |= {key: out.clone() for key, out in NORM_AND_LOSS_OUTS.get(base, {}).items()}
    keywords = outs | KEYWORDS.get(base, {})
    if any(a.name == "device" for a in schema.arguments):
        keywords["device"] = torch.device(device)
    if "rounding_mode" in [a.name for a in ordinary]:
        keywords["rounding_mode"] = "floor"
    if name.endswith(".tensor_lr"):
        keywords["lr"] = torch.tensor(0.1)
    if any(a.name == "dtype" and not a.has_default_value() for a in ordinary):
        keywords["dtype"] = torch.float32
    return _moved(values, device), dict(
        zip(keywords, _moved(keywords.values(), device), strict=True)
    )


_INDICES = {"indices", "min_indices", "max_values"}  # max_values: what max.dim_max calls them.
_COUNTS = {"argmax", "argmin", "count_nonzero"}
_PREDICATES = {
    *("eq", "ge", "gt", "le", "lt", "ne", "all", "any"),
    *("isnan", "isinf", "isneginf", "isposinf", "signbit"),
}


def _out_dtype(base: str, argument: str) -> torch.dtype:
    if argument == "exponent":
        return torch.int32
    if base in _PREDICATES or base.startswith("logical"):
        return torch.bool
    return torch.int64 if base in _COUNTS or base.startswith(_INTEGER) else torch.float32
