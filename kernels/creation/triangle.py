# SPDX-License-Identifier: Apache-2.0
"""tril and triu: copies one triangle of each matrix of a batch, zeros elsewhere; one read (of the
tiles that are kept) and one write. In place, the zeros alone are written. Column c of row r belongs
to tril if c - r <= diagonal, to triu if c - r >= diagonal.

`indices`: where the elements of a triangle are.
"""

import triton
import triton.language as tl


@triton.jit
def triangle(
    x_ptr, out_ptr, rows, columns, diagonal, x_batch, x_row, x_column, out_batch, out_row,
    out_column, UPPER: tl.constexpr, IN_PLACE: tl.constexpr, BLOCK_Y: tl.constexpr,
    BLOCK_X: tl.constexpr,
):  # fmt: skip
    """x, out [batch, rows, columns], strides in elements; grid batch * cdiv(rows, BLOCK_Y) *
    cdiv(columns, BLOCK_X).
    """
    across = tl.cdiv(columns, BLOCK_X)
    down = tl.cdiv(rows, BLOCK_Y)
    program = tl.program_id(0)
    batch = (program // (across * down)).to(tl.int64)
    row = program // across % down * BLOCK_Y + tl.arange(0, BLOCK_Y)[:, None]
    column = program % across * BLOCK_X + tl.arange(0, BLOCK_X)[None, :]
    inside = (row < rows) & (column < columns)
    first_row = program // across % down * BLOCK_Y
    first_column = program % across * BLOCK_X
    # A tile is read whole or not at all, so that its accesses stay wide.
    if UPPER:
        kept = column - row >= diagonal
        is_read = first_column + BLOCK_X - 1 - first_row >= diagonal
    else:
        kept = column - row <= diagonal
        is_read = first_column - (first_row + BLOCK_Y - 1) <= diagonal
    row = row.to(tl.int64)
    column = column.to(tl.int64)
    out = out_ptr + batch * out_batch + row * out_row + column * out_column
    zeros = tl.zeros([BLOCK_Y, BLOCK_X], out_ptr.dtype.element_ty)
    if IN_PLACE:
        tl.store(out, zeros, mask=inside & ~kept)
    else:
        x = tl.load(
            x_ptr + batch * x_batch + row * x_row + column * x_column,
            mask=inside & is_read,
            other=0,
        )
        tl.store(out, tl.where(kept, x, zeros), mask=inside)


@triton.jit
def triangle_by_rows(
    x_ptr, out_ptr, rows, columns, diagonal, x_batch, x_row, out_batch, out_row,
    UPPER: tl.constexpr, IN_PLACE: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The same for CPUs where the columns of both lie side by side: a row is a range of zeros and
    a range that is kept, and neither needs a mask but at its end. Grid batch * rows.
    """
    program = tl.program_id(0)
    row = program % rows
    batch = (program // rows).to(tl.int64)
    if UPPER:
        zeros = tl.minimum(tl.maximum(row + diagonal, 0), columns)
        first_zero = zeros * 0
        first_kept = zeros
    else:
        first_zero = tl.minimum(tl.maximum(row + diagonal + 1, 0), columns)
        zeros = columns - first_zero
        first_kept = zeros * 0
    out = out_ptr + batch * out_batch + row.to(tl.int64) * out_row
    lane = tl.arange(0, BLOCK)
    zero = tl.zeros([BLOCK], out_ptr.dtype.element_ty)
    # The first few apart, so that the others' stores do not cross lines of the cache.
    few = tl.arange(0, 64)
    head = tl.minimum(-first_zero & 63, zeros)
    tl.store(out + first_zero + few, tl.zeros([64], out_ptr.dtype.element_ty), mask=few < head)
    for start in range(head, zeros, BLOCK):
        index = start + lane
        tl.store(out + first_zero + index, zero, mask=index < zeros)
    if not IN_PLACE:
        x = x_ptr + batch * x_batch + row.to(tl.int64) * x_row + first_kept
        kept = columns - zeros
        for start in range(0, kept, BLOCK):
            index = start + lane
            tl.store(out + first_kept + index, tl.load(x + index, mask=index < kept), index < kept)


@triton.jit
def _elements_above(row, columns, shift):
    """Of a lower triangle whose row i has clamp(i + shift, 0, columns) elements."""
    zero = tl.zeros_like(row)
    first = tl.minimum(tl.maximum(zero - shift, 0), row)
    full = tl.minimum(tl.maximum(zero + columns - shift, 0), row)
    return (full - first) * (first + full - 1 + 2 * shift) // 2 + (row - full) * columns


@triton.jit
def indices(
    out_ptr, count, rows, columns, diagonal, UPPER: tl.constexpr, BLOCK_Y: tl.constexpr,
    BLOCK_X: tl.constexpr,
):  # fmt: skip
    """Row numbers to out[0], column numbers to out[1], of the elements of the triangle, row by row:
    those with column - row <= diagonal, or with UPPER the others. out [2, count]; grid
    cdiv(rows, BLOCK_Y) * cdiv(columns, BLOCK_X).
    """
    across = tl.cdiv(columns, BLOCK_X)
    program = tl.program_id(0)
    row = (program // across * BLOCK_Y + tl.arange(0, BLOCK_Y)).to(tl.int64)
    column = (program % across * BLOCK_X + tl.arange(0, BLOCK_X)).to(tl.int64)
    below = _elements_above(row, columns, diagonal + 1)
    kept = column[None, :] - row[:, None] <= diagonal
    if UPPER:
        # Row `row` begins after the others' elements, and at the column where the triangle does.
        begin = row * columns - below
        skipped = tl.minimum(tl.maximum(row + diagonal + 1, 0), columns)
        place = (begin - skipped)[:, None] + column[None, :]
        kept = ~kept
    else:
        place = below[:, None] + column[None, :]
    mask = kept & (row < rows)[:, None] & (column < columns)[None, :]
    dtype: tl.constexpr = out_ptr.dtype.element_ty
    shape = tl.zeros_like(place)
    tl.store(out_ptr + place, (shape + row[:, None]).to(dtype), mask)
    tl.store(out_ptr + count + place, (shape + column[None, :]).to(dtype), mask)
