# SPDX-License-Identifier: Apache-2.0
"""Row lookup in a table weight [vocabulary, width] by index [count] (i32 or i64), and its dense
gradient.

- `forward`: out[i] = weight[index[i]]. An index outside of the table gives NaN (0 for integers)
  instead of reading outside; on a CPU the operator checks the indices before and raises.
- `backward_columns`: each program owns BLOCK columns of grad_weight and walks through all indices
  in order. No two programs touch the same element: deterministic, no atomics, no sort, and each
  gradient row is read once. Parallelism is width / BLOCK, which suits a CPU (a program's slice of a
  row is one or two cache lines).
- `backward_atomic`: one program per tile of gradient rows, atomic adds into an ACC buffer; for
  GPUs, where width / BLOCK programs would leave most of the chip idle. The order of the adds, and
  so the last bit, varies between runs: not for torch.use_deterministic_algorithms. Both add to
  grad_weight, which the caller fills with zeros, and skip index == padding_idx (-1: none).
"""

import triton
import triton.language as tl


@triton.jit
def forward(
    weight_ptr, index_ptr, out_ptr, count, width, vocabulary,
    stride_weight_row, stride_weight_column, stride_index, stride_out,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out [count, width]; grid (cdiv(count, ROWS), cdiv(width, BLOCK))."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_mask = row < count
    index = tl.load(index_ptr + row * stride_index, mask=row_mask, other=0).to(tl.int64)
    inside = row_mask & (index >= 0) & (index < vocabulary)
    columns = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    column_mask = columns < width
    outside_value = float("nan") if weight_ptr.dtype.element_ty.is_floating() else 0
    value = tl.load(
        weight_ptr
        + (index * stride_weight_row)[:, None]
        + (columns.to(tl.int64) * stride_weight_column)[None, :],
        mask=inside[:, None] & column_mask[None, :],
        other=outside_value,
    )
    tl.store(
        out_ptr + (row * stride_out)[:, None] + columns[None, :],
        value,
        mask=row_mask[:, None] & column_mask[None, :],
    )


@triton.jit
def backward_columns(
    grad_ptr, index_ptr, grad_weight_ptr, count, width, vocabulary, padding_idx,
    stride_grad_row, stride_grad_column, stride_index, stride_weight,
    ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad_weight[index[i], columns] += grad[i, columns] for all i in order; grid cdiv(width,
    BLOCK).

    For 16-bit weights the caller passes an ACC buffer, so that frequent rows do not lose their
    small addends.
    """
    columns = (tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    mask = columns < width
    for i in range(count):
        row = tl.cast(i, tl.int64)
        index = tl.load(index_ptr + row * stride_index).to(tl.int64)
        if (index != padding_idx) & (index >= 0) & (index < vocabulary):
            grad = tl.load(
                grad_ptr + row * stride_grad_row + columns * stride_grad_column,
                mask=mask,
                other=0.0,
            )
            weight_row = grad_weight_ptr + index * stride_weight + columns
            total = tl.load(weight_row, mask=mask, other=0.0).to(ACC) + grad.to(ACC)
            tl.store(weight_row, total.to(grad_weight_ptr.dtype.element_ty), mask=mask)


@triton.jit
def backward_atomic(
    grad_ptr, index_ptr, grad_weight_ptr, count, width, vocabulary, padding_idx,
    stride_grad_row, stride_grad_column, stride_index, stride_weight,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad_weight [vocabulary, width] in fp32 or fp64.

    Grid: (cdiv(count, ROWS), cdiv(width, BLOCK)).
    """
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_mask = row < count
    index = tl.load(index_ptr + row * stride_index, mask=row_mask, other=-1).to(tl.int64)
    inside = (index != padding_idx) & (index >= 0) & (index < vocabulary)
    columns = (tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)).to(tl.int64)
    mask = inside[:, None] & (columns < width)[None, :]
    grad = tl.load(
        grad_ptr + (row * stride_grad_row)[:, None] + (columns * stride_grad_column)[None, :],
        mask=mask,
        other=0.0,
    )
    tl.atomic_add(
        grad_weight_ptr + (index * stride_weight)[:, None] + columns[None, :],
        grad.to(grad_weight_ptr.dtype.element_ty),
        mask=mask,
        sem="relaxed",
    )
