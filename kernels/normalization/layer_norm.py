# SPDX-License-Identifier: Apache-2.0
"""Layer normalization over the last n elements of each of `rows` rows, forward and backward.

Rows have any stride, the normalized elements are contiguous; mean and rstd are dense vectors of
`rows` elements. Which entry point:
- `forward_row`, `backward_row`: a row fits a tile (n <= BLOCK); x (and grad) are read once.
- `forward_long_row`, `backward_input_long_row`, `backward_weight_columns`: any n, looping. The
  weight and bias gradients are sums over rows. Both `backward_row` and `backward_weight_columns`
  write one partial sum per chunk of rows to [chunks, n] buffers of ACC; reduction/sum:sum_outer
  adds the chunks: the same order on every run, no atomics. ACC is fp32, or fp64 for fp64 input. The
  variance is computed from the deviations (two passes over the tile in registers), not from the
  mean of squares: no cancellation.
"""

import triton
import triton.language as tl


@triton.jit
def forward_row(
    x_ptr, weight_ptr, bias_ptr, out_ptr, mean_ptr, rstd_ptr, rows, n, stride_x, stride_out, eps,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [rows, n], n <= BLOCK; grid cdiv(rows, ROWS)."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_mask = row < rows
    columns = tl.arange(0, BLOCK)
    column_mask = columns < n
    mask = row_mask[:, None] & column_mask[None, :]
    x = tl.load(x_ptr + (row * stride_x)[:, None] + columns[None, :], mask=mask, other=0.0).to(ACC)
    count = tl.cast(n, ACC)
    mean = tl.sum(x, 1) / count
    deviation = tl.where(mask, x - mean[:, None], 0.0)
    rstd = 1.0 / tl.sqrt(tl.sum(deviation * deviation, 1) / count + eps)
    result = deviation * rstd[:, None]
    if HAS_WEIGHT:
        result *= tl.load(weight_ptr + columns, mask=column_mask, other=0.0).to(ACC)[None, :]
    if HAS_BIAS:
        result += tl.load(bias_ptr + columns, mask=column_mask, other=0.0).to(ACC)[None, :]
    tl.store(
        out_ptr + (row * stride_out)[:, None] + columns[None, :],
        result.to(out_ptr.dtype.element_ty),
        mask=mask,
    )
    tl.store(mean_ptr + row, mean.to(mean_ptr.dtype.element_ty), mask=row_mask)
    tl.store(rstd_ptr + row, rstd.to(rstd_ptr.dtype.element_ty), mask=row_mask)


@triton.jit
def forward_long_row(
    x_ptr, weight_ptr, bias_ptr, out_ptr, mean_ptr, rstd_ptr, rows, n, stride_x, stride_out, eps,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, HAS_BIAS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [rows, n], any n; grid rows. Reads x three times, twice of these from cache."""
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * stride_x
    out_ptr += row * stride_out
    lanes = tl.arange(0, BLOCK)
    count = tl.cast(n, ACC)
    total = tl.zeros((BLOCK,), ACC)
    for start in range(0, n, BLOCK):
        total += tl.load(x_ptr + start + lanes, mask=start + lanes < n, other=0.0).to(ACC)
    mean = tl.sum(total, 0) / count
    squares = tl.zeros((BLOCK,), ACC)
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        deviation = tl.where(mask, x - mean, 0.0)
        squares += deviation * deviation
    rstd = 1.0 / tl.sqrt(tl.sum(squares, 0) / count + eps)
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        result = (tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC) - mean) * rstd
        if HAS_WEIGHT:
            result *= tl.load(weight_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if HAS_BIAS:
            result += tl.load(bias_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        tl.store(out_ptr + start + lanes, result.to(out_ptr.dtype.element_ty), mask=mask)
    tl.store(mean_ptr + row, mean.to(mean_ptr.dtype.element_ty))
    tl.store(rstd_ptr + row, rstd.to(rstd_ptr.dtype.element_ty))


@triton.jit
def backward_row(
    grad_ptr, x_ptr, mean_ptr, rstd_ptr, weight_ptr, grad_input_ptr, weight_partial_ptr,
    bias_partial_ptr, rows, n, rows_per_chunk, stride_grad, stride_x, stride_input,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, WANT_INPUT: tl.constexpr,
    WANT_WEIGHT: tl.constexpr, WANT_BIAS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input [rows, n], partials [chunks, n], n <= BLOCK; grid chunks.

    A program walks through its chunk of rows and keeps the two partial sums in registers, so that
    grad and x are
    read once for all three gradients.
    """
    chunk = tl.program_id(0)
    first = chunk * rows_per_chunk
    last = tl.minimum(first + rows_per_chunk, rows)
    columns = tl.arange(0, BLOCK)
    mask = columns < n
    count = tl.cast(n, ACC)
    weight_partial = tl.zeros((BLOCK,), ACC)
    bias_partial = tl.zeros((BLOCK,), ACC)
    if HAS_WEIGHT:
        weight = tl.load(weight_ptr + columns, mask=mask, other=0.0).to(ACC)
    for index in range(first, last):
        row = tl.cast(index, tl.int64)
        grad = tl.load(grad_ptr + row * stride_grad + columns, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + row * stride_x + columns, mask=mask, other=0.0).to(ACC)
        mean = tl.load(mean_ptr + row).to(ACC)
        rstd = tl.load(rstd_ptr + row).to(ACC)
        normalized = tl.where(mask, (x - mean) * rstd, 0.0)
        if WANT_WEIGHT:
            weight_partial += grad * normalized
        if WANT_BIAS:
            bias_partial += grad
        if WANT_INPUT:
            if HAS_WEIGHT:
                grad *= weight
            mean_grad = tl.sum(grad, 0) / count
            mean_product = tl.sum(grad * normalized, 0) / count
            result = rstd * (grad - mean_grad - normalized * mean_product)
            tl.store(
                grad_input_ptr + row * stride_input + columns,
                result.to(grad_input_ptr.dtype.element_ty),
                mask=mask,
            )
    partial_offset = chunk.to(tl.int64) * n
    if WANT_WEIGHT:
        tl.store(weight_partial_ptr + partial_offset + columns, weight_partial, mask=mask)
    if WANT_BIAS:
        tl.store(bias_partial_ptr + partial_offset + columns, bias_partial, mask=mask)


@triton.jit
def backward_input_long_row(
    grad_ptr, x_ptr, mean_ptr, rstd_ptr, weight_ptr, grad_input_ptr, rows, n,
    stride_grad, stride_x, stride_input,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input [rows, n], any n; grid rows."""
    row = tl.program_id(0).to(tl.int64)
    grad_ptr += row * stride_grad
    x_ptr += row * stride_x
    grad_input_ptr += row * stride_input
    mean = tl.load(mean_ptr + row).to(ACC)
    rstd = tl.load(rstd_ptr + row).to(ACC)
    lanes = tl.arange(0, BLOCK)
    count = tl.cast(n, ACC)
    grad_total = tl.zeros((BLOCK,), ACC)
    product_total = tl.zeros((BLOCK,), ACC)
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        grad = tl.load(grad_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if HAS_WEIGHT:
            grad *= tl.load(weight_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        grad_total += grad
        product_total += tl.where(mask, grad * ((x - mean) * rstd), 0.0)
    mean_grad = tl.sum(grad_total, 0) / count
    mean_product = tl.sum(product_total, 0) / count
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        grad = tl.load(grad_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if HAS_WEIGHT:
            grad *= tl.load(weight_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        result = rstd * (grad - mean_grad - (x - mean) * rstd * mean_product)
        tl.store(
            grad_input_ptr + start + lanes, result.to(grad_input_ptr.dtype.element_ty), mask=mask
        )


@triton.jit
def backward_weight_columns(
    grad_ptr, x_ptr, mean_ptr, rstd_ptr, weight_partial_ptr, bias_partial_ptr, rows, n,
    rows_per_chunk, stride_grad, stride_x,
    ACC: tl.constexpr, WANT_WEIGHT: tl.constexpr, WANT_BIAS: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, x [rows, n] -> partials [chunks, n]; grid (cdiv(n, BLOCK), chunks)."""
    columns = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column_mask = columns < n
    chunk = tl.program_id(1)
    first = chunk * rows_per_chunk
    last = tl.minimum(first + rows_per_chunk, rows)
    lanes = tl.arange(0, ROWS)
    weight_partial = tl.zeros((ROWS, BLOCK), ACC)
    bias_partial = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(first, last, ROWS):
        row_mask = start + lanes < last
        row = (start + lanes).to(tl.int64)
        mask = row_mask[:, None] & column_mask[None, :]
        grad = tl.load(
            grad_ptr + (row * stride_grad)[:, None] + columns[None, :], mask=mask, other=0.0
        ).to(ACC)
        if WANT_WEIGHT:
            x = tl.load(
                x_ptr + (row * stride_x)[:, None] + columns[None, :], mask=mask, other=0.0
            ).to(ACC)
            mean = tl.load(mean_ptr + row, mask=row_mask, other=0.0).to(ACC)
            rstd = tl.load(rstd_ptr + row, mask=row_mask, other=0.0).to(ACC)
            weight_partial += tl.where(mask, grad * ((x - mean[:, None]) * rstd[:, None]), 0.0)
        if WANT_BIAS:
            bias_partial += grad
    offsets = chunk.to(tl.int64) * n + columns
    if WANT_WEIGHT:
        tl.store(weight_partial_ptr + offsets, tl.sum(weight_partial, 0), mask=column_mask)
    if WANT_BIAS:
        tl.store(bias_partial_ptr + offsets, tl.sum(bias_partial, 0), mask=column_mask)
