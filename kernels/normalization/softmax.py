# SPDX-License-Identifier: Apache-2.0
"""softmax and log_softmax, forward and backward, over one dimension of a [k0, k1, dim] strided
view.

Which entry point:
- `*_row`: a row fits a tile (dim <= BLOCK); reads and writes each element once. ROWS rows per
  program.
- `*_long_row`: lanes along dim, looping; the forward keeps an online maximum and sum and reads the
  input twice.
- `*_outer`: lanes along k1 (contiguous there, dim is not), looping over dim ROWS elements at a
  time.

LOG selects log_softmax. Rows are scaled by one reciprocal: a division per element costs more than
the exponential (AVX-512), and the result stays within 1.5 ulp. Everything is computed in ACC
(fp32, or fp64 for fp64 input); the output dtype is that of the output pointer (half_to_float). A
row of only -inf, or with a NaN or +inf, gives NaN, as in ATen.
"""

import triton
import triton.language as tl


@triton.jit
def softmax_row(
    x_ptr, out_ptr, kept, kept_inner, dim, stride_x_k0, stride_x_k1, stride_x_dim,
    stride_out_k0, stride_out_k1, stride_out_dim,
    ACC: tl.constexpr, LOG: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [kept, dim], dim <= BLOCK; grid cdiv(kept, ROWS)."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    k0 = rows // kept_inner
    k1 = rows % kept_inner
    columns = tl.arange(0, BLOCK)
    column_offsets = columns.to(tl.int64)
    mask = (rows < kept)[:, None] & (columns < dim)[None, :]
    x_row = x_ptr + k0 * stride_x_k0 + k1 * stride_x_k1
    x = tl.load(
        x_row[:, None] + (column_offsets * stride_x_dim)[None, :], mask=mask, other=float("-inf")
    ).to(ACC)
    shifted = x - tl.max(x, 1)[:, None]
    exponential = tl.exp(shifted)
    total = tl.sum(exponential, 1)[:, None]
    if LOG:
        result = shifted - tl.log(total)
    else:
        result = exponential * (1.0 / total)
    out_row = out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1
    tl.store(
        out_row[:, None] + (column_offsets * stride_out_dim)[None, :],
        result.to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def _online_update(maximum, total, x, axis: tl.constexpr):
    """Merges a tile into the running (maximum, sum of exp(x - maximum)).

    The maximum used for scaling is 0 as long as only -inf was seen: -inf - -inf would make a row
    NaN
    that has finite elements further on.
    """
    updated = tl.maximum(maximum, tl.max(x, axis))
    scale = tl.where(updated == float("-inf"), 0.0, updated)
    total = total * tl.exp(maximum - scale) + tl.sum(tl.exp(x - tl.expand_dims(scale, axis)), axis)
    return updated, total


@triton.jit
def softmax_long_row(
    x_ptr, out_ptr, kept, kept_inner, dim, stride_x_k0, stride_x_k1, stride_x_dim,
    stride_out_k0, stride_out_k1, stride_out_dim,
    ACC: tl.constexpr, LOG: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [kept, dim], any dim; grid kept."""
    row = tl.program_id(0).to(tl.int64)
    k0 = row // kept_inner
    k1 = row % kept_inner
    x_ptr += k0 * stride_x_k0 + k1 * stride_x_k1
    out_ptr += k0 * stride_out_k0 + k1 * stride_out_k1
    lanes = tl.arange(0, BLOCK)
    x_lanes = lanes.to(tl.int64) * stride_x_dim
    out_lanes = lanes.to(tl.int64) * stride_out_dim
    maximum = tl.full((1,), float("-inf"), ACC)
    total = tl.zeros((1,), ACC)
    for start in range(0, dim, BLOCK):
        x = tl.load(
            x_ptr + tl.cast(start, tl.int64) * stride_x_dim + x_lanes,
            mask=start + lanes < dim,
            other=float("-inf"),
        ).to(ACC)
        maximum, total = _online_update(maximum, total, x[None, :], 1)
    logarithm = tl.log(total)
    scale = 1.0 / total
    for start in range(0, dim, BLOCK):
        mask = start + lanes < dim
        offset = tl.cast(start, tl.int64)
        x = tl.load(x_ptr + offset * stride_x_dim + x_lanes, mask=mask, other=0.0).to(ACC)
        if LOG:
            result = x - maximum - logarithm
        else:
            result = tl.exp(x - maximum) * scale
        tl.store(
            out_ptr + offset * stride_out_dim + out_lanes,
            result.to(out_ptr.dtype.element_ty),
            mask=mask,
        )


@triton.jit
def softmax_outer(
    x_ptr, out_ptr, kept_inner, dim, stride_x_k0, stride_x_k1, stride_x_dim,
    stride_out_k0, stride_out_k1, stride_out_dim,
    ACC: tl.constexpr, LOG: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [k0, dim, kept_inner], lanes along kept_inner; grid k0 * cdiv(kept_inner, BLOCK)."""
    blocks = tl.cdiv(kept_inner, BLOCK)
    k0 = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    column_mask = columns < kept_inner
    lanes = tl.arange(0, ROWS)
    x_tile = (
        x_ptr + k0 * stride_x_k0
        + (lanes.to(tl.int64) * stride_x_dim)[:, None] + (columns.to(tl.int64) * stride_x_k1)[None,
        :]
    )  # fmt: skip
    out_tile = (
        out_ptr + k0 * stride_out_k0
        + (lanes.to(tl.int64) * stride_out_dim)[:, None]
        + (columns.to(tl.int64) * stride_out_k1)[None, :]
    )  # fmt: skip
    maximum = tl.full((BLOCK,), float("-inf"), ACC)
    total = tl.zeros((BLOCK,), ACC)
    for start in range(0, dim, ROWS):
        mask = (start + lanes < dim)[:, None] & column_mask[None, :]
        x = tl.load(
            x_tile + tl.cast(start, tl.int64) * stride_x_dim, mask=mask, other=float("-inf")
        ).to(ACC)
        maximum, total = _online_update(maximum, total, x, 0)
    logarithm = tl.log(total)
    scale = 1.0 / total
    for start in range(0, dim, ROWS):
        mask = (start + lanes < dim)[:, None] & column_mask[None, :]
        offset = tl.cast(start, tl.int64)
        x = tl.load(x_tile + offset * stride_x_dim, mask=mask, other=0.0).to(ACC)
        if LOG:
            result = x - maximum[None, :] - logarithm[None, :]
        else:
            result = tl.exp(x - maximum[None, :]) * scale[None, :]
        tl.store(out_tile + offset * stride_out_dim, result.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _gradient(grad, out, total, LOG: tl.constexpr):
    """total is sum(grad) for log_softmax, sum(grad * out) for softmax."""
    if LOG:
        return grad - tl.exp(out) * total
    else:
        return (grad - total) * out


@triton.jit
def softmax_backward_row(
    grad_ptr, out_ptr, grad_input_ptr, kept, kept_inner, dim,
    stride_grad_k0, stride_grad_k1, stride_grad_dim, stride_out_k0, stride_out_k1, stride_out_dim,
    stride_input_k0, stride_input_k1, stride_input_dim,
    ACC: tl.constexpr, LOG: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, out, grad_input [kept, dim], dim <= BLOCK; grid cdiv(kept, ROWS)."""
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    k0 = rows // kept_inner
    k1 = rows % kept_inner
    columns = tl.arange(0, BLOCK)
    offsets = columns.to(tl.int64)
    mask = (rows < kept)[:, None] & (columns < dim)[None, :]
    grad_row = grad_ptr + k0 * stride_grad_k0 + k1 * stride_grad_k1
    out_row = out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1
    grad = tl.load(
        grad_row[:, None] + (offsets * stride_grad_dim)[None, :], mask=mask, other=0.0
    ).to(ACC)
    out = tl.load(out_row[:, None] + (offsets * stride_out_dim)[None, :], mask=mask, other=0.0).to(
        ACC
    )
    if LOG:
        total = tl.sum(grad, 1)[:, None]
    else:
        total = tl.sum(grad * out, 1)[:, None]
    input_row = grad_input_ptr + k0 * stride_input_k0 + k1 * stride_input_k1
    tl.store(
        input_row[:, None] + (offsets * stride_input_dim)[None, :],
        _gradient(grad, out, total, LOG).to(grad_input_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def softmax_backward_long_row(
    grad_ptr, out_ptr, grad_input_ptr, kept, kept_inner, dim,
    stride_grad_k0, stride_grad_k1, stride_grad_dim, stride_out_k0, stride_out_k1, stride_out_dim,
    stride_input_k0, stride_input_k1, stride_input_dim,
    ACC: tl.constexpr, LOG: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, out, grad_input [kept, dim], any dim; grid kept."""
    row = tl.program_id(0).to(tl.int64)
    k0 = row // kept_inner
    k1 = row % kept_inner
    grad_ptr += k0 * stride_grad_k0 + k1 * stride_grad_k1
    out_ptr += k0 * stride_out_k0 + k1 * stride_out_k1
    grad_input_ptr += k0 * stride_input_k0 + k1 * stride_input_k1
    lanes = tl.arange(0, BLOCK)
    wide = lanes.to(tl.int64)
    partial = tl.zeros((BLOCK,), ACC)
    for start in range(0, dim, BLOCK):
        mask = start + lanes < dim
        offset = tl.cast(start, tl.int64)
        grad = tl.load(
            grad_ptr + offset * stride_grad_dim + wide * stride_grad_dim, mask=mask, other=0.0
        ).to(ACC)
        if LOG:
            partial += grad
        else:
            out = tl.load(
                out_ptr + offset * stride_out_dim + wide * stride_out_dim, mask=mask, other=0.0
            ).to(ACC)
            partial += grad * out
    total = tl.sum(partial, 0)
    for start in range(0, dim, BLOCK):
        mask = start + lanes < dim
        offset = tl.cast(start, tl.int64)
        grad = tl.load(
            grad_ptr + offset * stride_grad_dim + wide * stride_grad_dim, mask=mask, other=0.0
        ).to(ACC)
        out = tl.load(
            out_ptr + offset * stride_out_dim + wide * stride_out_dim, mask=mask, other=0.0
        ).to(ACC)
        tl.store(
            grad_input_ptr + offset * stride_input_dim + wide * stride_input_dim,
            _gradient(grad, out, total, LOG).to(grad_input_ptr.dtype.element_ty),
            mask=mask,
        )


@triton.jit
def softmax_backward_outer(
    grad_ptr, out_ptr, grad_input_ptr, kept_inner, dim,
    stride_grad_k0, stride_grad_k1, stride_grad_dim, stride_out_k0, stride_out_k1, stride_out_dim,
    stride_input_k0, stride_input_k1, stride_input_dim,
    ACC: tl.constexpr, LOG: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, out, grad_input [k0, dim, kept_inner]; grid k0 * cdiv(kept_inner, BLOCK)."""
    blocks = tl.cdiv(kept_inner, BLOCK)
    k0 = (tl.program_id(0) // blocks).to(tl.int64)
    columns = (tl.program_id(0) % blocks) * BLOCK + tl.arange(0, BLOCK)
    column_mask = columns < kept_inner
    wide = columns.to(tl.int64)[None, :]
    lanes = tl.arange(0, ROWS)
    rows = lanes.to(tl.int64)[:, None]
    grad_tile = grad_ptr + k0 * stride_grad_k0 + rows * stride_grad_dim + wide * stride_grad_k1
    out_tile = out_ptr + k0 * stride_out_k0 + rows * stride_out_dim + wide * stride_out_k1
    input_tile = (
        grad_input_ptr + k0 * stride_input_k0 + rows * stride_input_dim + wide * stride_input_k1
    )
    partial = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(0, dim, ROWS):
        mask = (start + lanes < dim)[:, None] & column_mask[None, :]
        offset = tl.cast(start, tl.int64)
        grad = tl.load(grad_tile + offset * stride_grad_dim, mask=mask, other=0.0).to(ACC)
        if LOG:
            partial += grad
        else:
            out = tl.load(out_tile + offset * stride_out_dim, mask=mask, other=0.0).to(ACC)
            partial += grad * out
    total = tl.sum(partial, 0)[None, :]
    for start in range(0, dim, ROWS):
        mask = (start + lanes < dim)[:, None] & column_mask[None, :]
        offset = tl.cast(start, tl.int64)
        grad = tl.load(grad_tile + offset * stride_grad_dim, mask=mask, other=0.0).to(ACC)
        out = tl.load(out_tile + offset * stride_out_dim, mask=mask, other=0.0).to(ACC)
        tl.store(
            input_tile + offset * stride_input_dim,
            _gradient(grad, out, total, LOG).to(grad_input_ptr.dtype.element_ty),
            mask=mask,
        )
