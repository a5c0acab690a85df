# SPDX-License-Identifier: Apache-2.0
"""softmax and log_softmax, forward and backward, over one dimension of any tensors.

`*_tile`: a row fits a tile; each element is read and written once. `*_loop`: any length; the input
is read twice, first for maximum and sum, which every lane keeps on its own until the end (one
exponential an element, no step across lanes), then for the result and from the end to the begin,
so that what was read last is found in a cache. `*_elements`: scalar functions of the second step
alone, for few long rows whose first step is a reduction of its own.

The functions are called by generated code (src/codegen/row_source.h), which knows where rows lie
and whether the lanes are the last AXIS. LOG selects log_softmax. Rows are scaled by one
reciprocal: a division per element costs more than the exponential (AVX-512), and the result stays
within 1.5 ulp. Everything is computed in ACC (fp32, or fp64 for fp64 input); the output dtype is
that of the output pointer (half_to_float). A row of only -inf, or with a NaN or +inf, gives NaN, as
in ATen; with SAFE a row of only -inf gives 0. STREAM stores past the cache (CPUs, outputs that no
cache holds).

`masked_*` leave out elements whose mask is set.
"""

import triton
import triton.language as tl

from common.target import on_gpu
from reduction.log_sum_exp import finite, maximum_and_total


@triton.jit
def _scaled(exponential, total, SAFE: tl.constexpr):
    if SAFE:
        return exponential * (1.0 / tl.where(total == 0, 1.0, total))
    else:
        return exponential * (1.0 / total)


@triton.jit
def _shift(maximum, SAFE: tl.constexpr):
    """What is subtracted from the elements."""
    if SAFE:
        return finite(maximum)
    else:
        return maximum


@triton.jit
def forward_tile(
    x, out, lane, kept_mask, length, stride_x, stride_out, AXIS: tl.constexpr, LANES: tl.constexpr,
    ACC: tl.constexpr, LOG: tl.constexpr, SAFE: tl.constexpr, STREAM: tl.constexpr,
):  # fmt: skip
    """length <= LANES."""
    mask = (lane < length) & kept_mask
    x = tl.load(x, mask=mask, other=float("-inf")).to(ACC)
    shifted = x - _shift(tl.max(x, AXIS, keep_dims=True), SAFE)
    exponential = tl.exp(shifted)
    total = tl.sum(exponential, AXIS, keep_dims=True)
    if LOG:
        result = shifted - tl.log(total)
    else:
        result = _scaled(exponential, total, SAFE)
    tl.store(
        out,
        result.to(out.dtype.element_ty),
        mask=mask,
        cache_modifier=".cs" if STREAM else "",
    )


@triton.jit
def masked_forward_tile(
    x, left_out, out, lane, kept_mask, length, stride_x, stride_left_out, stride_out,
    AXIS: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """The same where left_out is false; 0 elsewhere, NaN in rows that are left out as a whole."""
    mask = (lane < length) & kept_mask
    used = mask & (tl.load(left_out, mask=mask, other=1) == 0)
    x = tl.load(x, mask=used, other=float("-inf")).to(ACC)
    shifted = x - tl.max(x, AXIS, keep_dims=True)
    exponential = tl.where(used, tl.exp(shifted), 0.0)
    total = tl.sum(exponential, AXIS, keep_dims=True)
    tl.store(out, (exponential * (1.0 / total)).to(out.dtype.element_ty), mask=mask)


@triton.jit
def _result(x, maximum, total, LOG: tl.constexpr, SAFE: tl.constexpr):
    if LOG:
        return x - maximum - tl.log(total)
    else:
        return _scaled(tl.exp(x - _shift(maximum, SAFE)), total, SAFE)


@triton.jit
def _totals(maximum, total, AXIS: tl.constexpr):
    """Those of all lanes. With +inf the total is NaN: exp(inf - inf) is one of its summands."""
    maximum, total = tl.reduce((maximum, total), AXIS, maximum_and_total)
    total = tl.where(maximum == float("inf"), float("nan"), total)
    maximum = tl.expand_dims(maximum, AXIS)
    return maximum, tl.expand_dims(total, AXIS)


@triton.jit
def _load_four(x, start, stride, LANES: tl.constexpr):
    """Whole tiles, next to each other; all four loads are under way before the first is used."""
    x += tl.cast(start, tl.int64) * stride
    step = tl.cast(stride, tl.int64) * LANES
    return tl.load(x), tl.load(x + step), tl.load(x + 2 * step), tl.load(x + 3 * step)


@triton.jit
def _with_four(maximum, total, a, b, c, d):
    """Maxima and sums of the lanes with four more elements each: five exponentials."""
    larger = tl.maximum(maximum, tl.maximum(tl.maximum(a, b), tl.maximum(c, d)))
    shift = finite(larger)
    new = (tl.exp(a - shift) + tl.exp(b - shift)) + (tl.exp(c - shift) + tl.exp(d - shift))
    return larger, total * tl.exp(maximum - shift) + new


@triton.jit
def _store_result(
    x, out, offset, mask, maximum, total, LOG: tl.constexpr, SAFE: tl.constexpr,
    STREAM: tl.constexpr,
):  # fmt: skip
    result = _result(x, maximum, total, LOG, SAFE).to(out.dtype.element_ty)
    tl.store(out + offset, result, mask=mask, cache_modifier=".cs" if STREAM else "")


@triton.jit
def forward_loop(
    x, out, lane, kept_mask, length, stride_x, stride_out, AXIS: tl.constexpr, LANES: tl.constexpr,
    ACC: tl.constexpr, LOG: tl.constexpr, SAFE: tl.constexpr, STREAM: tl.constexpr,
):  # fmt: skip
    """Any length. Rows that are no rows have the addresses of the last one: whole tiles are loaded
    without a mask, and all loads of a step are under way before the first is used. Columns on a GPU
    take four tiles at a time.
    """
    maximum = tl.full(x.shape, float("-inf"), ACC)
    total = tl.zeros(x.shape, ACC)
    whole = length // LANES * LANES
    fours = 0
    if on_gpu() and AXIS == 0:
        fours = length // (4 * LANES) * (4 * LANES)
        for start in range(0, fours, 4 * LANES):
            a, b, c, d = _load_four(x, start, stride_x, LANES)
            maximum, total = _with_four(maximum, total, a.to(ACC), b.to(ACC), c.to(ACC), d.to(ACC))
    for start in range(fours, whole, LANES):
        value = tl.load(x + tl.cast(start, tl.int64) * stride_x).to(ACC)
        one = tl.where(value == float("-inf"), 0.0, 1.0)
        maximum, total = maximum_and_total(maximum, total, value, one)
    rest = (whole + lane < length) & kept_mask
    if whole < length:
        value = tl.load(x + tl.cast(whole, tl.int64) * stride_x, mask=rest, other=0.0).to(ACC)
        one = tl.where(value == float("-inf"), 0.0, 1.0)
        larger, updated = maximum_and_total(maximum, total, value, one)
        maximum = tl.where(rest, larger, maximum)
        total = tl.where(rest, updated, total)
    maximum, total = _totals(maximum, total, AXIS)
    if whole < length:
        offset = tl.cast(whole, tl.int64)
        value = tl.load(x + offset * stride_x, mask=rest, other=0.0).to(ACC)
        _store_result(value, out, offset * stride_out, rest, maximum, total, LOG, SAFE, STREAM)
    mask = kept_mask & (lane >= 0)
    for step in range(LANES, whole - fours + LANES, LANES):
        offset = tl.cast(whole - step, tl.int64)
        value = tl.load(x + offset * stride_x).to(ACC)
        _store_result(value, out, offset * stride_out, mask, maximum, total, LOG, SAFE, STREAM)
    if on_gpu() and AXIS == 0:
        for step in range(4 * LANES, fours + 4 * LANES, 4 * LANES):
            four = _load_four(x, fours - step, stride_x, LANES)
            for i in tl.static_range(4):
                offset = tl.cast(fours - step + i * LANES, tl.int64) * stride_out
                _store_result(four[i].to(ACC), out, offset, mask, maximum, total, LOG, SAFE, STREAM)


@triton.jit
def masked_forward_loop(
    x, left_out, out, lane, kept_mask, length, stride_x, stride_left_out, stride_out,
    AXIS: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Any length."""
    maximum = tl.full(x.shape, float("-inf"), ACC)
    total = tl.zeros(x.shape, ACC)
    for start in range(0, length, LANES):
        mask = (start + lane < length) & kept_mask
        offset = tl.cast(start, tl.int64)
        used = tl.load(left_out + offset * stride_left_out, mask=mask, other=1) == 0
        value = tl.load(x + offset * stride_x, mask=mask & used, other=float("-inf")).to(ACC)
        one = tl.where(value == float("-inf"), 0.0, 1.0)
        maximum, total = maximum_and_total(maximum, total, value, one)
    maximum, total = _totals(maximum, total, AXIS)
    for start in range(0, length, LANES):
        mask = (start + lane < length) & kept_mask
        offset = tl.cast(start, tl.int64)
        used = mask & (tl.load(left_out + offset * stride_left_out, mask=mask, other=1) == 0)
        value = tl.load(x + offset * stride_x, mask=used, other=float("-inf")).to(ACC)
        result = tl.where(used, tl.exp(value - maximum), 0.0) * (1.0 / total)
        tl.store(out + offset * stride_out, result.to(out.dtype.element_ty), mask=mask)


@triton.jit
def softmax_elements(x, maximum, total):
    """A result from its row's maximum and sum of exp(x - maximum)."""
    return tl.exp(x - maximum) * (1.0 / total)


@triton.jit
def log_softmax_elements(x, maximum, total):
    """The logarithm of softmax_elements."""
    return x - maximum - tl.log(total)


@triton.jit
def add(a, b):
    """Combines two sums of a backward row."""
    return a + b


@triton.jit
def weighted(grad, out):
    """What softmax's backward sums up."""
    return grad * out


@triton.jit
def softmax_backward_elements(grad, out, total):
    """A gradient; total is sum(grad * out)."""
    return (grad - total) * out


@triton.jit
def log_softmax_backward_elements(grad, out, total):
    """A gradient; total is sum(grad)."""
    return grad - tl.exp(out) * total


@triton.jit
def _gradient(grad, out, total, LOG: tl.constexpr):
    if LOG:
        return log_softmax_backward_elements(grad, out, total)
    else:
        return softmax_backward_elements(grad, out, total)


@triton.jit
def backward_tile(
    grad, out, grad_input, lane, kept_mask, length, stride_grad, stride_out, stride_input,
    AXIS: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr, LOG: tl.constexpr,
):  # fmt: skip
    """length <= LANES."""
    mask = (lane < length) & kept_mask
    gradient = tl.load(grad, mask=mask, other=0.0).to(ACC)
    result = tl.load(out, mask=mask, other=0.0).to(ACC)
    summand = gradient if LOG else gradient * result
    total = tl.sum(summand, AXIS, keep_dims=True)
    value = _gradient(gradient, result, total, LOG)
    tl.store(grad_input, value.to(grad_input.dtype.element_ty), mask=mask)


@triton.jit
def backward_loop(
    grad, out, grad_input, lane, kept_mask, length, stride_grad, stride_out, stride_input,
    AXIS: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr, LOG: tl.constexpr,
):  # fmt: skip
    """Any length."""
    partial = tl.zeros(grad.shape, ACC)
    for start in range(0, length, LANES):
        mask = (start + lane < length) & kept_mask
        offset = tl.cast(start, tl.int64)
        gradient = tl.load(grad + offset * stride_grad, mask=mask, other=0.0).to(ACC)
        if LOG:
            partial += gradient
        else:
            result = tl.load(out + offset * stride_out, mask=mask, other=0.0).to(ACC)
            partial += gradient * result
    total = tl.sum(partial, AXIS, keep_dims=True)
    for start in range(0, length, LANES):
        mask = (start + lane < length) & kept_mask
        offset = tl.cast(start, tl.int64)
        gradient = tl.load(grad + offset * stride_grad, mask=mask, other=0.0).to(ACC)
        result = tl.load(out + offset * stride_out, mask=mask, other=0.0).to(ACC)
        value = _gradient(gradient, result, total, LOG)
        tl.store(grad_input + offset * stride_input, value.to(grad_input.dtype.element_ty),
                 mask=mask)  # fmt: skip


@triton.jit
def masked_backward_tile(
    grad, out, left_out, grad_input, lane, kept_mask, length,
    stride_grad, stride_out, stride_left_out, stride_input,
    AXIS: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """softmax's where left_out is false; 0 elsewhere."""
    mask = (lane < length) & kept_mask
    used = mask & (tl.load(left_out, mask=mask, other=1) == 0)
    gradient = tl.load(grad, mask=used, other=0.0).to(ACC)
    result = tl.load(out, mask=used, other=0.0).to(ACC)
    total = tl.sum(gradient * result, AXIS, keep_dims=True)
    value = softmax_backward_elements(gradient, result, total)
    tl.store(grad_input, value.to(grad_input.dtype.element_ty), mask=mask)


@triton.jit
def masked_backward_loop(
    grad, out, left_out, grad_input, lane, kept_mask, length,
    stride_grad, stride_out, stride_left_out, stride_input,
    AXIS: tl.constexpr, LANES: tl.constexpr, ACC: tl.constexpr,
):  # fmt: skip
    """Any length."""
    partial = tl.zeros(grad.shape, ACC)
    for start in range(0, length, LANES):
        mask = (start + lane < length) & kept_mask
        offset = tl.cast(start, tl.int64)
        used = mask & (tl.load(left_out + offset * stride_left_out, mask=mask, other=1) == 0)
        gradient = tl.load(grad + offset * stride_grad, mask=used, other=0.0).to(ACC)
        result = tl.load(out + offset * stride_out, mask=used, other=0.0).to(ACC)
        partial += gradient * result
    total = tl.sum(partial, AXIS, keep_dims=True)
    for start in range(0, length, LANES):
        mask = (start + lane < length) & kept_mask
        offset = tl.cast(start, tl.int64)
        used = mask & (tl.load(left_out + offset * stride_left_out, mask=mask, other=1) == 0)
        gradient = tl.load(grad + offset * stride_grad, mask=used, other=0.0).to(ACC)
        result = tl.load(out + offset * stride_out, mask=used, other=0.0).to(ACC)
        value = softmax_backward_elements(gradient, result, total)
        tl.store(grad_input + offset * stride_input, value.to(grad_input.dtype.element_ty),
                 mask=mask)  # fmt: skip
