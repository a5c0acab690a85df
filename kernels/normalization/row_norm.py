# SPDX-License-Identifier: Apache-2.0
"""Layer norm and RMS norm over the last n elements of each of `rows` rows, forward and backward.

CENTER: layer norm, which subtracts the mean; else RMS norm, which has no mean_ptr. weight and bias
may be None. With a residual, the sum x + residual is rounded to x's type, stored, and normalized:
an addition and a norm for one reading of each. The backward kernels then add the gradient of that
sum (grad_sum) to the norm's.

Rows have any stride, the normalized elements are contiguous; mean and rstd are dense vectors of
`rows` elements. Which entry point:
- `forward_row`, `backward_row`: a row fits a tile (n <= BLOCK); x (and grad) are read once.
- `forward_long_row`, `backward_input_long_row`, `backward_weight_columns`: any n, looping.

Weight and bias gradients are sums over rows. Both `backward_row` and `backward_weight_columns`
write one partial sum per chunk of rows to [chunks, n] buffers of ACC; `combine_partials` adds the
chunks of both in one launch: the same order on every run, no atomics. ACC is fp32, or fp64 for fp64
input. In `forward_row` the variance comes from the deviations (two passes over the tile in
registers): no cancellation. For long rows see Note [Shifted moments] in common/moments.py.
"""

import triton
import triton.language as tl

from common.moments import finite_shift, from_shifted


@triton.jit
def forward_row(
    x_ptr, residual_ptr, weight_ptr, bias_ptr, sum_ptr, out_ptr, mean_ptr, rstd_ptr, rows, n,
    stride_x, stride_residual, stride_out, eps,
    ACC: tl.constexpr, CENTER: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, residual, sum, out [rows, n], n <= BLOCK; grid cdiv(rows, ROWS)."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_mask = row < rows
    columns = tl.arange(0, BLOCK)
    column_mask = columns < n
    mask = row_mask[:, None] & column_mask[None, :]
    x = tl.load(x_ptr + (row * stride_x)[:, None] + columns[None, :], mask=mask, other=0.0).to(ACC)
    out_offsets = (row * stride_out)[:, None] + columns[None, :]
    if residual_ptr is not None:
        residual_offsets = (row * stride_residual)[:, None] + columns[None, :]
        x += tl.load(residual_ptr + residual_offsets, mask=mask, other=0.0).to(ACC)
        x = x.to(sum_ptr.dtype.element_ty)
        tl.store(sum_ptr + out_offsets, x, mask=mask)
        x = x.to(ACC)
    count = tl.cast(n, ACC)
    if CENTER:
        mean = tl.sum(x, 1) / count
        x = tl.where(mask, x - mean[:, None], 0.0)
        tl.store(mean_ptr + row, mean.to(mean_ptr.dtype.element_ty), mask=row_mask)
    rstd = 1.0 / tl.sqrt(tl.sum(x * x, 1) / count + eps)
    result = x * rstd[:, None]
    if weight_ptr is not None:
        result *= tl.load(weight_ptr + columns, mask=column_mask, other=0.0).to(ACC)[None, :]
    if bias_ptr is not None:
        result += tl.load(bias_ptr + columns, mask=column_mask, other=0.0).to(ACC)[None, :]
    tl.store(out_ptr + out_offsets, result.to(out_ptr.dtype.element_ty), mask=mask)
    tl.store(rstd_ptr + row, rstd.to(rstd_ptr.dtype.element_ty), mask=row_mask)


@triton.jit
def forward_long_row(
    x_ptr, residual_ptr, weight_ptr, bias_ptr, sum_ptr, out_ptr, mean_ptr, rstd_ptr, rows, n,
    stride_x, stride_residual, stride_out, eps,
    ACC: tl.constexpr, CENTER: tl.constexpr, STREAM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, residual, sum, out [rows, n], any n; grid rows. Reads x twice, once of these from cache.

    With a residual the second reading is that of the sum. STREAM: an output too large for any
    cache is stored past it.
    """
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * stride_x
    out_ptr += row * stride_out
    lanes = tl.arange(0, BLOCK)
    count = tl.cast(n, ACC)
    shift = tl.cast(0.0, ACC)
    if residual_ptr is not None:
        residual_ptr += row * stride_residual
        sum_ptr += row * stride_out
    if CENTER:
        head = tl.load(x_ptr + lanes, mask=lanes < n, other=0.0).to(ACC)
        if residual_ptr is not None:
            head += tl.load(residual_ptr + lanes, mask=lanes < n, other=0.0).to(ACC)
        shift = finite_shift(tl.sum(head, 0), tl.cast(tl.minimum(n, BLOCK), ACC))
    first_order = tl.zeros((BLOCK,), ACC)
    second_order = tl.zeros((BLOCK,), ACC)
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if residual_ptr is not None:
            x += tl.load(residual_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
            x = x.to(sum_ptr.dtype.element_ty)
            tl.store(sum_ptr + start + lanes, x, mask=mask)
            x = x.to(ACC)
        if CENTER:
            x = tl.where(mask, x - shift, 0.0)
            first_order += x
        second_order += x * x
    if CENTER:
        mean, squares = from_shifted(shift, tl.sum(first_order, 0), tl.sum(second_order, 0), count)
        tl.store(mean_ptr + row, mean.to(mean_ptr.dtype.element_ty))
    else:
        mean = tl.cast(0.0, ACC)
        squares = tl.sum(second_order, 0)
    rstd = 1.0 / tl.sqrt(squares / count + eps)
    tl.store(rstd_ptr + row, rstd.to(rstd_ptr.dtype.element_ty))
    if residual_ptr is not None:
        x_ptr = sum_ptr
        tl.debug_barrier()  # the sums that other threads of this program stored
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        result = (tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC) - mean) * rstd
        if weight_ptr is not None:
            result *= tl.load(weight_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if bias_ptr is not None:
            result += tl.load(bias_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        result = result.to(out_ptr.dtype.element_ty)
        if STREAM:
            tl.store(out_ptr + start + lanes, result, mask=mask, cache_modifier=".cs")
        else:
            tl.store(out_ptr + start + lanes, result, mask=mask)


@triton.jit
def backward_row(
    grad_ptr, grad_sum_ptr, x_ptr, mean_ptr, rstd_ptr, weight_ptr, grad_input_ptr,
    weight_partial_ptr, bias_partial_ptr, rows, n, rows_per_chunk,
    stride_grad, stride_grad_sum, stride_x, stride_input,
    ACC: tl.constexpr, CENTER: tl.constexpr, WANT_INPUT: tl.constexpr, STAGES: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input [rows, n], partials [chunks, n] or None, n <= BLOCK; grid chunks.

    A program walks through its chunk of rows and keeps the two partial sums in registers, so that
    grad and x are read once for all three gradients. The weight is read again for every row, from
    the cache: its registers are worth more to the partial sums. On a GPU the next STAGES - 1 rows
    are on their way to shared memory meanwhile, since so few warps fit that they cannot hide the
    latency of a load.
    """
    chunk = tl.program_id(0)
    first = chunk * rows_per_chunk
    last = tl.minimum(first + rows_per_chunk, rows)
    columns = tl.arange(0, BLOCK)
    mask = columns < n
    count = tl.cast(n, ACC)
    weight_partial = tl.zeros((BLOCK,), ACC)
    bias_partial = tl.zeros((BLOCK,), ACC)
    for index in tl.range(first, last, num_stages=STAGES):
        row = tl.cast(index, tl.int64)
        grad = tl.load(grad_ptr + row * stride_grad + columns, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + row * stride_x + columns, mask=mask, other=0.0).to(ACC)
        rstd = tl.load(rstd_ptr + row).to(ACC)
        if CENTER:
            x = tl.where(mask, x - tl.load(mean_ptr + row).to(ACC), 0.0)
        normalized = x * rstd
        if weight_partial_ptr is not None:
            weight_partial += grad * normalized
        if bias_partial_ptr is not None:
            bias_partial += grad
        if WANT_INPUT:
            if weight_ptr is not None:
                grad *= tl.load(weight_ptr + columns, mask=mask, other=0.0).to(ACC)
            result = grad - normalized * (tl.sum(grad * normalized, 0) / count)
            if CENTER:
                result -= tl.sum(grad, 0) / count
            result *= rstd
            if grad_sum_ptr is not None:
                offsets = row * stride_grad_sum + columns
                result += tl.load(grad_sum_ptr + offsets, mask=mask, other=0.0).to(ACC)
            tl.store(
                grad_input_ptr + row * stride_input + columns,
                result.to(grad_input_ptr.dtype.element_ty),
                mask=mask,
            )
    partial_offset = chunk.to(tl.int64) * n
    if weight_partial_ptr is not None:
        tl.store(weight_partial_ptr + partial_offset + columns, weight_partial, mask=mask)
    if bias_partial_ptr is not None:
        tl.store(bias_partial_ptr + partial_offset + columns, bias_partial, mask=mask)


@triton.jit
def backward_input_long_row(
    grad_ptr, grad_sum_ptr, x_ptr, mean_ptr, rstd_ptr, weight_ptr, grad_input_ptr, rows, n,
    stride_grad, stride_grad_sum, stride_x, stride_input,
    ACC: tl.constexpr, CENTER: tl.constexpr, STREAM: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input [rows, n], any n; grid rows."""
    row = tl.program_id(0).to(tl.int64)
    grad_ptr += row * stride_grad
    x_ptr += row * stride_x
    grad_input_ptr += row * stride_input
    rstd = tl.load(rstd_ptr + row).to(ACC)
    mean = tl.cast(0.0, ACC)
    if CENTER:
        mean = tl.load(mean_ptr + row).to(ACC)
    lanes = tl.arange(0, BLOCK)
    count = tl.cast(n, ACC)
    total = tl.zeros((BLOCK,), ACC)
    products = tl.zeros((BLOCK,), ACC)
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        grad = tl.load(grad_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if weight_ptr is not None:
            grad *= tl.load(weight_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if CENTER:
            total += grad
        products += tl.where(mask, grad * ((x - mean) * rstd), 0.0)
    mean_grad = tl.sum(total, 0) / count
    mean_product = tl.sum(products, 0) / count
    for start in range(0, n, BLOCK):
        mask = start + lanes < n
        grad = tl.load(grad_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if weight_ptr is not None:
            grad *= tl.load(weight_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        result = rstd * (grad - mean_grad - (x - mean) * rstd * mean_product)
        if grad_sum_ptr is not None:
            offsets = row * stride_grad_sum + start + lanes
            result += tl.load(grad_sum_ptr + offsets, mask=mask, other=0.0).to(ACC)
        result = result.to(grad_input_ptr.dtype.element_ty)
        if STREAM:
            tl.store(grad_input_ptr + start + lanes, result, mask=mask, cache_modifier=".cs")
        else:
            tl.store(grad_input_ptr + start + lanes, result, mask=mask)


@triton.jit
def backward_weight_columns(
    grad_ptr, x_ptr, mean_ptr, rstd_ptr, weight_partial_ptr, bias_partial_ptr, rows, n,
    rows_per_chunk, stride_grad, stride_x,
    ACC: tl.constexpr, CENTER: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
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
        if weight_partial_ptr is not None:
            x = tl.load(
                x_ptr + (row * stride_x)[:, None] + columns[None, :], mask=mask, other=0.0
            ).to(ACC)
            if CENTER:
                x -= tl.load(mean_ptr + row, mask=row_mask, other=0.0).to(ACC)[:, None]
            rstd = tl.load(rstd_ptr + row, mask=row_mask, other=0.0).to(ACC)
            weight_partial += tl.where(mask, grad * (x * rstd[:, None]), 0.0)
        if bias_partial_ptr is not None:
            bias_partial += grad
    offsets = chunk.to(tl.int64) * n + columns
    if weight_partial_ptr is not None:
        tl.store(weight_partial_ptr + offsets, tl.sum(weight_partial, 0), mask=column_mask)
    if bias_partial_ptr is not None:
        tl.store(bias_partial_ptr + offsets, tl.sum(bias_partial, 0), mask=column_mask)


@triton.jit
def combine_partials(
    weight_partial_ptr, bias_partial_ptr, grad_weight_ptr, grad_bias_ptr, chunks, n,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partials [chunks, n] (or None) -> gradients [n]; grid cdiv(n, BLOCK)."""
    columns = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    column_mask = columns < n
    lanes = tl.arange(0, ROWS)
    weight_total = tl.zeros((ROWS, BLOCK), ACC)
    bias_total = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(0, chunks, ROWS):
        mask = (start + lanes < chunks)[:, None] & column_mask[None, :]
        offsets = (start + lanes).to(tl.int64)[:, None] * n + columns[None, :]
        if weight_partial_ptr is not None:
            weight_total += tl.load(weight_partial_ptr + offsets, mask=mask, other=0.0)
        if bias_partial_ptr is not None:
            bias_total += tl.load(bias_partial_ptr + offsets, mask=mask, other=0.0)
    if weight_partial_ptr is not None:
        total = tl.sum(weight_total, 0).to(grad_weight_ptr.dtype.element_ty)
        tl.store(grad_weight_ptr + columns, total, mask=column_mask)
    if bias_partial_ptr is not None:
        total = tl.sum(bias_total, 0).to(grad_bias_ptr.dtype.element_ty)
        tl.store(grad_bias_ptr + columns, total, mask=column_mask)
