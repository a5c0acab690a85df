# SPDX-License-Identifier: Apache-2.0
"""Runs one OpInfo sample in every form, on Tilewise and on stock PyTorch, and compares.

The reference runs outside of Tilewise's scope, where the kernel that PyTorch had before serves;
inside it "compare with ATen" would compare us with ourselves.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.testing._internal.opinfo.core import OpInfo, SampleInput
from torch.utils._pytree import tree_flatten, tree_map

import tilewise

# The type in which an exact result is computed where stock PyTorch's own is in doubt.
WIDER = {
    torch.float16: torch.float64,
    torch.bfloat16: torch.float64,
    torch.float32: torch.float64,
}
INTEGERS = {torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
# Part of the largest value by which a result may be off (torch.testing's relative tolerance).
ROUNDING = {torch.float16: 1e-3, torch.bfloat16: 1.6e-2, torch.float32: 1.3e-6}


def _clone(value: Any) -> Any:
    """A deep copy that keeps strides and requires_grad, so that both runs start alike."""
    if not isinstance(value, torch.Tensor):
        return value
    with torch.no_grad():
        copy = value.detach().clone(memory_format=torch.preserve_format)
    return copy.requires_grad_(value.requires_grad)


def _noncontiguous(value: Any) -> Any:
    if not isinstance(value, torch.Tensor) or value.numel() < 2 or value.layout != torch.strided:
        return value
    from torch.testing._internal.common_utils import noncontiguous_like

    return noncontiguous_like(value)


def tensors_of(result: Any) -> list[torch.Tensor]:
    """The tensors in a result, in order."""
    return [value for value in tree_flatten(result)[0] if isinstance(value, torch.Tensor)]


def assert_same(actual: Any, expected: Any, what: str) -> None:
    """Values within PyTorch's default tolerance of the dtype; same dtype, shape and strides."""
    if isinstance(expected, bool):
        assert actual is expected, what
    actual_tensors, expected_tensors = tensors_of(actual), tensors_of(expected)
    assert len(actual_tensors) == len(expected_tensors), what
    for a, e in zip(actual_tensors, expected_tensors, strict=True):
        torch.testing.assert_close(
            a,
            e,
            equal_nan=True,
            msg=lambda text: f"{what}: {text}",
        )
        assert _significant_strides(a) == _significant_strides(e), (
            f"{what}: strides {a.stride()} instead of {e.stride()} for shape {tuple(e.shape)}"
        )


def _significant_strides(tensor: torch.Tensor) -> list[int]:
    if tensor.layout != torch.strided or tensor.numel() == 0:
        return []
    return [s for n, s in zip(tensor.shape, tensor.stride(), strict=True) if n > 1]


def _outcome(run: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return run(), None
    except Exception as error:
        return None, error


def _narrowed(exact: Any, like: Any) -> list[torch.Tensor]:
    pairs = zip(tensors_of(exact), tensors_of(like), strict=True)
    return [torch.empty_like(t).copy_(e) for e, t in pairs]


def compare(run: Callable[[], Any], what: str, run_wide: Callable[[], Any] | None = None) -> None:
    """`run` twice, stock and served: same result, or the same exception with the same text.

    Some of ATen's kernels round after every step, or subtract what they rounded, and are off by
    more than their own tolerance; with `run_wide`, the same call in a wider type, a result that is
    close to the exact one counts as well.
    """
    expected, stock_error = _outcome(run)
    tilewise.reset()
    with tilewise.use():
        actual, error = _outcome(run)
    for name, counts in tilewise.report()["operators"].items():
        broken = [reason for reason in counts["fell_back"] if ":kernel for " in reason]
        assert not broken, f"{what}: {name} does not compile: {broken}"
    if stock_error is not None or error is not None:
        assert type(error) is type(stock_error), f"{what}: {error!r} instead of {stock_error!r}"
        assert str(error) == str(stock_error), f"{what}: {error} instead of {stock_error}"
        return
    try:
        assert_same(actual, expected, what)
    except AssertionError:
        results = [t for t in tensors_of(expected) if t.numel() > 0]
        if run_wide is None or any(t.dtype not in WIDER for t in results):
            raise
        assert_no_worse(actual, expected, _narrowed(run_wide(), expected), what)


def assert_no_worse(actual: Any, expected: Any, exact: list[torch.Tensor], what: str) -> None:
    """Where ATen's own result is off, ours is not further from the exact one than twice that."""
    for a, e, x in zip(tensors_of(actual), tensors_of(expected), exact, strict=True):
        assert a.shape == e.shape and a.dtype == e.dtype, what
        if x.numel() == 0:
            continue
        error = torch.where((a == x) | (a.isnan() & x.isnan()), 0, (a - x).abs())
        largest = torch.where(x.isfinite(), x.abs(), 0).max()
        off = torch.where(x.isfinite() & e.isfinite(), (e - x).abs(), 0).max()
        allowed = 2 * off + ROUNDING[x.dtype] * largest
        assert (error <= allowed).all(), f"{what}: further from the exact result than ATen"


# Operators that return an element and its index, and where `dim` is among the arguments. Of equal
# elements PyTorch leaves open which one's index that is.
SELECTIONS = {"kthvalue": 1, "median": 0, "nanmedian": 0, "mode": 0}


def _dim(op: OpInfo, args: Any, kwargs: Any) -> int:
    position = SELECTIONS[op.name]
    return kwargs.get("dim", args[position] if len(args) > position else -1)


def _selected(op: OpInfo, first: torch.Tensor, args: Any, kwargs: Any, result: Any) -> Any:
    """The values, and the elements that the indices name."""
    dim = _dim(op, args, kwargs)
    values, indices = result
    if first.dim() == 0 or first.numel() == 0:
        return values, indices
    kept = indices if indices.dim() == first.dim() else indices.unsqueeze(dim)
    if op.name == "mode" and first.is_cuda:
        # PyTorch's is any of the most frequent elements there.
        element = values if values.dim() == first.dim() else values.unsqueeze(dim)
        assert torch.equal(first.detach().gather(dim, kept).view(values.shape), values)
        return (first == element).sum(dim), indices.new_empty(0)
    return values, first.detach().gather(dim, kept).view(indices.shape), indices.new_empty(0)


def _call(op: Callable[..., Any], sample: SampleInput, prepare: Callable[[Any], Any]) -> Any:
    first, args, kwargs = tree_map(prepare, (sample.input, sample.args, sample.kwargs))
    result = op(first, *args, **kwargs)
    if isinstance(op, OpInfo) and op.name in SELECTIONS and isinstance(result, tuple):
        return _selected(op, first, args, kwargs, result)
    return result


def _widen(value: Any) -> Any:
    if isinstance(value, torch.Tensor) and value.dtype in WIDER:
        return value.detach().to(WIDER[value.dtype]).requires_grad_(value.requires_grad)
    return value


def _widen_integers(value: Any) -> Any:
    """Of operators that take integers for fp32 numbers."""
    is_integral = isinstance(value, torch.Tensor) and value.dtype in INTEGERS
    return value.to(torch.float64) if is_integral else value


def _run_wide(op: OpInfo, sample: SampleInput) -> Any:
    first, dtype = sample.input, sample.kwargs.get("dtype")
    if dtype in WIDER:
        kwargs = {**sample.kwargs, "dtype": WIDER[dtype]}
        return op(first, *sample.args, **kwargs)
    takes_integers = isinstance(first, torch.Tensor) and first.dtype in INTEGERS
    return _call(op, sample, _widen_integers if takes_integers else _widen)


def check_forward(op: OpInfo, sample: SampleInput) -> None:
    """The functional form, on the sample and on a non-contiguous copy of it."""
    compare(
        lambda: _call(op, sample, _clone),
        f"{op.formatted_name} {sample.summary()}",
        lambda: _run_wide(op, sample),
    )
    with torch.no_grad():
        strided = sample.transform(_noncontiguous)
    compare(
        lambda: _call(op, strided, _clone),
        f"{op.formatted_name} non-contiguous",
        lambda: _run_wide(op, strided),
    )


def check_inplace(op: OpInfo, sample: SampleInput) -> None:
    """The in-place form, where the operator has one."""
    inplace = op.inplace_variant
    if inplace is None or sample.broadcasts_input:
        return

    def run() -> Any:
        first, args, kwargs = tree_map(
            lambda v: _clone(v.detach()) if isinstance(v, torch.Tensor) else v,
            (sample.input, sample.args, sample.kwargs),
        )
        return inplace(first, *args, **kwargs)

    if op.name == "clamp" and sample.input.is_cuda and _outcome(run)[1] is None:
        # With one bound ATen's GPU kernel computes in the type of the tensor (6, not below -6 of
        # int32, is 250 as uint8), its CPU kernel in the common type; so does ours on both.
        expected = op(sample.input, *sample.args, **sample.kwargs).to(sample.input.dtype)
        with tilewise.use():
            assert_same(run(), expected, f"clamp in-place {sample.summary()}")
        return
    compare(
        run,
        f"{op.formatted_name} in-place {sample.summary()}",
        lambda: _run_wide(op, sample),
    )


def check_out(op: OpInfo, sample: SampleInput) -> None:
    """out=: right size, to be resized, with other strides, and of a wrong dtype."""
    if not op.supports_out:
        return
    with torch.no_grad():
        expected = op(sample.input, *sample.args, **sample.kwargs)
    if not isinstance(expected, torch.Tensor) or expected.layout != torch.strided:
        return

    def run_with(make: Callable[[], torch.Tensor]) -> Callable[[], Any]:
        def run() -> Any:
            with torch.no_grad():
                out = make()
                result = _call(lambda *a, **k: op(*a, out=out, **k), sample, _clone)
                assert result is out
                return out

        return run

    def check(make: Callable[[], torch.Tensor], what: str) -> None:
        try:
            compare(run_with(make), what, lambda: _run_wide(op, sample))
        except AssertionError:
            # Stock gelu ignores the strides of out= with oneDNN: its functional form is right.
            with tilewise.use():
                assert_same(run_with(make)().contiguous(), expected.contiguous(), what)

    name = op.formatted_name
    check(lambda: torch.full_like(expected, 1), f"{name} out=")
    check(lambda: expected.new_empty(0), f"{name} out= resized")
    if expected.dim() > 1:
        flipped = tuple(reversed(expected.shape))
        check(
            lambda: expected.new_full(flipped, 1).permute(*reversed(range(expected.dim()))),
            f"{name} out= transposed",
        )
    other = torch.int32 if expected.dtype != torch.int32 else torch.int16
    if op.name == "bitwise_left_shift" and expected.is_cuda:
        # PyTorch's kernel stores the int in which C++ shifts 8 and 16 bits: what overflows, too.
        return
    compare(
        run_with(lambda: torch.zeros_like(expected, dtype=other)), f"{name} out= of another dtype"
    )


def check_error(op: OpInfo, sample: SampleInput) -> None:
    """An input that PyTorch rejects (or, on this device, accepts): the same outcome."""
    compare(lambda: op(sample.input, *sample.args, **sample.kwargs), f"{op.formatted_name} error")


def _gradients(
    outputs: list[torch.Tensor], inputs: list[torch.Tensor], create_graph: bool = False
) -> list[torch.Tensor]:
    """Of random multiples of the outputs."""
    outputs = [t for t in outputs if t.requires_grad]
    if not outputs:
        return []
    # Drawn by stock PyTorch in both runs: random operators have numbers of their own.
    with tilewise.use(active=False):
        generator = torch.Generator().manual_seed(0)
        seeds = [torch.randn(t.shape, generator=generator).to(t.device, t.dtype) for t in outputs]
    grads = torch.autograd.grad(
        outputs, inputs, seeds, allow_unused=True, create_graph=create_graph
    )
    return [g for g in grads if g is not None]


def check_backward(op: OpInfo, sample: SampleInput, twice: bool = False) -> None:
    """Gradients of every input that wants one, or the gradients of those."""

    def run(prepare: Callable[[Any], Any] = _clone) -> Any:
        first, args, kwargs = tree_map(prepare, (sample.input, sample.args, sample.kwargs))
        inputs = [t for t in tensors_of((first, args, kwargs)) if t.requires_grad]
        grads = _gradients(tensors_of(op(first, *args, **kwargs)), inputs, create_graph=twice)
        if op.name in SELECTIONS and first.dim() > 0:
            grads = [g.sort(_dim(op, args, kwargs)).values for g in grads]
        return _gradients(grads, inputs) if twice else grads

    what = "double backward" if twice else "backward"
    compare(run, f"{op.formatted_name} {what} {sample.summary()}", lambda: run(_widen))
