# SPDX-License-Identifier: Apache-2.0
"""Norms and losses beyond OpInfo: layouts, mixed dtypes, running statistics, long sums.

Results are held against the exact ones (float64): no further off than twice stock PyTorch's.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch
import torch.nn.functional as F

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
BF16, F32 = torch.bfloat16, torch.float32
Call = Callable[..., Sequence[torch.Tensor]]


def _random(*shape: int, dtype: torch.dtype = F32, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(shape, generator=generator, dtype=torch.float64).to(DEVICE, dtype)


def _wide(value: Any) -> Any:
    is_float = isinstance(value, torch.Tensor) and value.is_floating_point()
    return value.double() if is_float else value


def _served(call: Call, arguments: Sequence[Any], operators: Sequence[str]) -> Sequence[Any]:
    """The results of a call that Tilewise alone serves."""
    tilewise.reset()
    with tilewise.use():
        results = call(*[a.clone() if isinstance(a, torch.Tensor) else a for a in arguments])
    report = tilewise.report()["operators"]
    for name in operators:
        counts = report[f"{name}/{DEVICE}"]
        assert counts["served"] > 0 and not counts["fell_back"], (name, counts)
    return results


def _check(call: Call, *arguments: Any, served: Sequence[str], exact: Call | None = None) -> None:
    """dtype, shape and strides as stock PyTorch's; values near the exact ones; the same each time.

    `call` may write to its arguments: it gets copies.
    """
    clone = lambda a: a.clone() if isinstance(a, torch.Tensor) else a  # noqa: E731
    right = (exact or call)(*[_wide(clone(a)) for a in arguments])
    stock = call(*[clone(a) for a in arguments])
    actual = _served(call, arguments, served)
    again = _served(call, arguments, served)
    for a, b, s, r in zip(actual, again, stock, right, strict=True):
        assert a.equal(b) or a.isnan().any(), "not the same from run to run"
        assert (a.dtype, a.shape, a.stride()) == (s.dtype, s.shape, s.stride())
        if a.numel() == 0:
            continue
        error = (s.double() - r).abs().max()
        steps = 1000 if a.dtype == torch.float64 else 4  # there the exact result is stock PyTorch's
        allowed = 2 * error + steps * torch.finfo(a.dtype).eps * r.abs().max()
        assert (a.double() - r).abs().max() <= allowed


LAYOUTS = {
    "nchw": lambda: (5, 6, 9, 7),
    "nc": lambda: (1000, 37),
    "ncl": lambda: (3, 70, 129),
    "nchw-chunks": lambda: (4, 3, 130, 129),
    "ncdhw": lambda: (2, 5, 3, 4, 5),
}


def _input(layout: str, dtype: torch.dtype, channels_last: bool) -> torch.Tensor:
    x = _random(*LAYOUTS[layout](), dtype=dtype) * 2 + 3
    if channels_last:
        formats = {4: torch.channels_last, 5: torch.channels_last_3d}
        return x.contiguous(memory_format=formats[x.dim()])
    return x


BATCH_NORM_CASES = [
    *[(layout, dtype, dtype, False) for layout in LAYOUTS for dtype in (F32, BF16)],
    *[(layout, F32, F32, True) for layout in ("nchw", "nchw-chunks", "ncdhw")],
    ("nchw", BF16, F32, False),
    ("nchw-chunks", BF16, F32, True),
    ("nc", torch.float16, F32, False),
]


@pytest.mark.parametrize(("layout", "dtype", "parameters", "channels_last"), BATCH_NORM_CASES)
@pytest.mark.parametrize("training", [True, False])
def test_batch_norm(
    layout: str,
    dtype: torch.dtype,
    parameters: torch.dtype,
    channels_last: bool,
    training: bool,
) -> None:
    x = _input(layout, dtype, channels_last)
    grad = _random(*x.shape, dtype=dtype, seed=1)
    channels = x.shape[1]
    weight, bias, mean = (_random(channels, dtype=parameters, seed=i) for i in (2, 3, 4))
    variance = _random(channels, dtype=parameters, seed=5).abs() + 0.5

    def call(x: Any, weight: Any, bias: Any, mean: Any, variance: Any, grad: Any) -> Any:
        operators = torch.ops.aten
        out, saved, rstd = operators.native_batch_norm(
            x, weight, bias, mean, variance, training, 0.1, 1e-5
        )
        gradients = operators.native_batch_norm_backward(
            grad, x, weight, mean, variance, saved, rstd, training, 1e-5, [True, True, True]
        )
        return (out, saved, rstd, mean, variance, *gradients)

    _check(
        call,
        *(x, weight, bias, mean, variance, grad),
        # ATen's gradient of inference is contiguous on GPUs: PyTorch's kernel makes it of others.
        served=("native_batch_norm", "native_batch_norm_backward")
        if DEVICE == "cpu" or training or not channels_last
        else ("native_batch_norm",),
    )


@pytest.mark.parametrize("training", [True, False])
def test_batch_norm_without_parameters(training: bool) -> None:
    x = _random(4, 3, 5, 5)

    def call(x: torch.Tensor, mean: torch.Tensor, variance: torch.Tensor) -> Any:
        return (F.batch_norm(x, mean, variance, training=training), mean, variance)

    served = ("native_batch_norm",) if DEVICE == "cpu" else ()
    _check(call, x, _random(3), _random(3).abs() + 1, served=served)
    _check(lambda x: (F.instance_norm(x),), x, served=served)


@pytest.mark.skipif(DEVICE != "cuda", reason="cuDNN's spelling")
@pytest.mark.parametrize("dtype", [F32, torch.float16])
@pytest.mark.parametrize("channels_last", [False, True])
def test_cudnn_batch_norm(dtype: torch.dtype, channels_last: bool) -> None:
    x = _input("nchw-chunks", dtype, channels_last)
    grad, weight = _random(*x.shape, dtype=dtype, seed=1), _random(3)

    def call(x: Any, weight: Any, bias: Any, mean: Any, variance: Any) -> Any:
        x.requires_grad_()
        out = F.batch_norm(x, mean, variance, weight, bias, training=True)
        # Out of the scope: PyTorch's gradient must do with what our forward pass left.
        with tilewise.use(active=False):
            (stock,) = torch.autograd.grad(out, x, grad.to(x.dtype), retain_graph=True)
        (gradient,) = torch.autograd.grad(out, x, grad.to(x.dtype))
        return out.detach(), mean, variance, stock, gradient

    statistics = (_random(3), _random(3).abs() + 1)
    served = ("cudnn_batch_norm", "cudnn_batch_norm_backward")
    _check(call, x, weight, _random(3), *statistics, served=served)


def test_batch_norm_of_one_value_a_channel_is_pytorchs_error() -> None:
    x = torch.empty(0, 3, 5, 5, device=DEVICE)
    stock = torch.nn.BatchNorm2d(3).to(DEVICE)(x)
    with tilewise.use():
        served = torch.nn.BatchNorm2d(3).to(DEVICE)(x)
    assert served.shape == stock.shape
    with tilewise.use(), pytest.raises(ValueError, match="more than 1 value per channel"):
        F.batch_norm(torch.ones(1, 4, device=DEVICE), None, None, training=True)


GROUP_SHAPES = [
    ((3, 12, 5, 7), 4),
    ((2, 64, 33, 31), 2),
    ((2, 6, 129), 6),
    ((4, 8), 2),
    ((1, 40, 9, 9), 1),
]
if DEVICE != "cpu":  # Enough groups that registers hold in three and in seven tiles.
    GROUP_SHAPES += [((67, 44, 33, 31), 2), ((67, 100, 33, 31), 2)]


@pytest.mark.parametrize("channels_last", [False, True])
@pytest.mark.parametrize(("shape", "groups"), GROUP_SHAPES)
@pytest.mark.parametrize(
    ("dtype", "parameters"), [(F32, F32), (BF16, BF16), (BF16, F32), (F32, None)]
)
def test_group_norm(
    channels_last: bool,
    shape: tuple[int, ...],
    groups: int,
    dtype: torch.dtype,
    parameters: torch.dtype | None,
) -> None:
    if channels_last and (len(shape) != 4 or DEVICE != "cpu"):
        pytest.skip("PyTorch has this layout for images on CPUs only")
    if parameters not in (None, dtype) and DEVICE != "cpu":
        pytest.skip("PyTorch's GPU kernel takes one dtype")
    x = _random(*shape, dtype=dtype) + 2
    grad = _random(*shape, dtype=dtype, seed=1)
    if channels_last:
        x, grad = (t.contiguous(memory_format=torch.channels_last) for t in (x, grad))
    channels, pixels = shape[1], x[0, 0].numel()
    weight = bias = None
    if parameters is not None:
        weight, bias = _random(channels, dtype=parameters), _random(channels, dtype=parameters)

    def call(x: Any, weight: Any, bias: Any, grad: Any) -> Any:
        sizes = (shape[0], channels, pixels, groups)
        out, mean, rstd = torch.ops.aten.native_group_norm(x, weight, bias, *sizes, 1e-5)
        mask = [True, weight is not None, weight is not None]
        gradients = torch.ops.aten.native_group_norm_backward(
            grad, x, mean, rstd, weight, *sizes, mask
        )
        return [out, mean, rstd, *[g for g in gradients if g is not None]]

    _check(call, x, weight, bias, grad, served=("native_group_norm", "native_group_norm_backward"))


@pytest.mark.parametrize("shape", [(3, 129), (2, 20_000), (1500, 48)])
@pytest.mark.parametrize(
    ("dtype", "parameters"), [(F32, F32), (BF16, BF16), (BF16, F32), (F32, None)]
)
def test_rms_and_layer_norm(
    shape: tuple[int, int], dtype: torch.dtype, parameters: torch.dtype | None
) -> None:
    x, grad = _random(*shape, dtype=dtype) + 2, _random(*shape, dtype=dtype, seed=1)
    weight = bias = None
    if parameters is not None:
        weight = _random(shape[1], dtype=parameters)
        bias = _random(shape[1], dtype=parameters, seed=2)
    has_weight = weight is not None

    def layer_norm(x: Any, weight: Any, bias: Any, grad: Any) -> Any:
        out, mean, rstd = torch.native_layer_norm(x, shape[1:], weight, bias, 1e-5)
        gradients = torch.ops.aten.native_layer_norm_backward(
            grad, x, shape[1:], mean, rstd, weight, bias, [True, has_weight, has_weight]
        )
        return [out, mean, rstd, *[g for g in gradients if g is not None]]

    def rms_norm(x: Any, weight: Any, grad: Any) -> Any:
        x.requires_grad_()
        inputs = [x, weight.requires_grad_()] if weight is not None else [x]
        out = F.rms_norm(x, shape[1:], weight, 1e-5)
        return [out.detach(), *torch.autograd.grad(out, inputs, grad)]

    if parameters in (None, dtype) or DEVICE == "cpu":
        names = ("native_layer_norm", "native_layer_norm_backward")
        _check(layer_norm, x, weight, bias, grad, served=names)
    # With weights of another dtype PyTorch decomposes rms_norm itself.
    names = ("_fused_rms_norm", "_fused_rms_norm_backward")
    _check(rms_norm, x, weight, grad, served=names if parameters in (None, dtype) else ())


@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("eps", [None, 0.5])
def test_rms_norm_eps(dtype: torch.dtype, eps: float | None) -> None:
    x = _random(4, 9, dtype=dtype) * 1e-4
    _check(
        lambda x: (F.rms_norm(x, (9,), eps=eps),),
        x,
        served=("_fused_rms_norm",),
        # float64's own default would be another one
        exact=lambda x: (F.rms_norm(x, (9,), eps=eps or torch.finfo(F32).eps),),
    )


def test_rms_norm_without_scope() -> None:
    """The derivative formula holds on a CPU too, once a kernel is there: first, second, forward."""
    x = _random(3, 5).double().requires_grad_()
    weight = _random(5).double().requires_grad_()
    call = lambda x, w: F.rms_norm(x, (5,), w, 1e-3)  # noqa: E731
    assert torch.autograd.gradcheck(call, (x, weight))
    assert torch.autograd.gradgradcheck(call, (x, weight))
    with tilewise.use():
        assert torch.autograd.gradcheck(call, (x, weight))
        assert torch.autograd.gradgradcheck(call, (x, weight))


LOSSES: dict[str, Callable[..., torch.Tensor]] = {
    "mse_loss": F.mse_loss,
    "smooth_l1_loss": lambda x, y, **k: F.smooth_l1_loss(x, y, beta=0.7, **k),
    "huber_loss": lambda x, y, **k: F.huber_loss(x, y, delta=0.7, **k),
    "soft_margin_loss": lambda x, y, **k: F.soft_margin_loss(x, y.sign(), **k),
    "binary_cross_entropy": lambda x, y, **k: F.binary_cross_entropy(
        x.abs().clamp(0.1, 0.9), y.abs().clamp(0, 1), y[:1].abs(), **k
    ),
    "binary_cross_entropy_with_logits": lambda x, y, **k: F.binary_cross_entropy_with_logits(
        x, y.abs().clamp(0, 1), pos_weight=y[0].abs(), **k
    ),
}


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_losses(name: str, dtype: torch.dtype, reduction: str) -> None:
    def call(x: torch.Tensor, y: torch.Tensor) -> Any:
        x.requires_grad_()
        loss = LOSSES[name](x, y, reduction=reduction)
        (gradient,) = torch.autograd.grad(loss.sum(), x)
        return loss.detach(), gradient

    # Dense; transposed; more than one launch.
    for shape, transpose in (((6, 37), False), ((6, 37), True), ((300, 701), False)):
        x, y = _random(*shape, dtype=dtype), _random(*shape, dtype=dtype, seed=1)
        _check(call, x.t() if transpose else x, y.t() if transpose else y, served=(name,))


def test_probability_out_of_range_is_pytorchs_error() -> None:
    if DEVICE != "cpu":
        pytest.skip("a device-side assertion there")
    with tilewise.use(), pytest.raises(RuntimeError, match="between 0 and 1"):
        F.binary_cross_entropy(torch.tensor([0.5, 1.5]), torch.zeros(2))


@pytest.mark.parametrize("dtype", [F32, BF16])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
def test_cross_entropy_of_images(dtype: torch.dtype, smoothing: float, reduction: str) -> None:
    x, weight = _random(2, 5, 33, 40, dtype=dtype), _random(5, dtype=dtype).abs()
    target = torch.arange(2 * 33 * 40, device=DEVICE).reshape(2, 33, 40) % 5

    def call(x: torch.Tensor, weight: torch.Tensor) -> Any:
        x.requires_grad_()
        loss = F.cross_entropy(
            x, target, weight, ignore_index=3, reduction=reduction, label_smoothing=smoothing
        )
        return loss.detach(), torch.autograd.grad(loss.sum(), x)[0]

    _check(call, x, weight, served=("cross_entropy_loss",))
    if DEVICE == "cpu":
        target[0, 1, 2] = 5
        with tilewise.use(), pytest.raises(IndexError, match="out of bounds"):
            call(x, weight)


@pytest.mark.parametrize("concatenated", [True, False])
@pytest.mark.parametrize("zero_infinity", [True, False])
@pytest.mark.parametrize("dtype", [F32, torch.float64])
def test_ctc_loss(concatenated: bool, zero_infinity: bool, dtype: torch.dtype) -> None:
    steps, batch, classes, longest = 50, 4, 11, 17
    logits = _random(steps, batch, classes, dtype=dtype)
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(1, classes, (batch, longest), generator=generator)
    targets[1, 3:6] = 2  # repeated labels need blanks between them
    input_lengths, target_lengths = [50, 33, 9, 50], [17, 5, 17, 0]
    if concatenated:
        targets = torch.cat([t[:n] for t, n in zip(targets, target_lengths, strict=True)])
    targets = targets.to(DEVICE)

    def call(logits: torch.Tensor) -> Any:
        logits.requires_grad_()
        loss = F.ctc_loss(
            logits.log_softmax(-1), targets, input_lengths, target_lengths,
            zero_infinity=zero_infinity, reduction="none",
        )  # fmt: skip
        finite = torch.where(loss.isinf(), torch.zeros_like(loss), loss)
        (gradient,) = torch.autograd.grad(finite.sum(), logits)
        return finite.detach(), loss.isinf().double().detach(), gradient.nan_to_num(7.0)

    _check(call, logits, served=("_ctc_loss", "_ctc_loss_backward"))


@pytest.mark.parametrize("dim", [0, 2])
@pytest.mark.parametrize("dtype", [F32, BF16])
def test_weight_norm(dim: int, dtype: torch.dtype) -> None:
    v = _random(70, 9, 40, dtype=dtype)
    g = _random(*[n if i == dim else 1 for i, n in enumerate(v.shape)], dtype=dtype)

    def call(v: torch.Tensor, g: torch.Tensor, grad: torch.Tensor) -> Any:
        out, norm = torch.ops.aten._weight_norm_interface(v, g, dim)
        gradients = torch.ops.aten._weight_norm_interface_backward(grad, v, g, norm, dim)
        return out, norm, *gradients

    names = ("_weight_norm_interface", "_weight_norm_interface_backward")
    _check(call, v, g, _random(70, 9, 40, dtype=dtype, seed=1), served=names)
