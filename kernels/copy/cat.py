# SPDX-License-Identifier: Apache-2.0
"""Concatenation: copies of up to four inputs into their columns of one output, in one launch.

Each input is a [rows, columns] view (rows = product of the dimensions before dim, columns = the
rest) with its own strides; `offset` is its first column in the output. Program axis 1 selects the
input: the branch is uniform and only one input's code runs in a program. Inputs in excess of four
take further launches with other offsets; an unused slot repeats a pointer and has 0 columns.
Elements are converted to the output's dtype.
"""

import triton
import triton.language as tl


@triton.jit
def _copy_columns(
    x_ptr, out_ptr, rows, columns, offset, stride_row, stride_column,
    stride_out_row, stride_out_column, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """One [ROWS, BLOCK] tile; program axis 0 counts column blocks, then row blocks."""
    blocks = tl.cdiv(columns, BLOCK)
    if tl.program_id(0) < blocks * tl.cdiv(rows, ROWS):
        row = (tl.program_id(0) // blocks).to(tl.int64) * ROWS + tl.arange(0, ROWS)
        column = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        mask = (row < rows)[:, None] & (column < columns)[None, :]
        x = tl.load(
            x_ptr + (row * stride_row)[:, None] + (column * stride_column)[None, :], mask=mask
        )
        tl.store(
            out_ptr
            + (row * stride_out_row)[:, None]
            + ((column + offset) * stride_out_column)[None, :],
            x.to(out_ptr.dtype.element_ty),
            mask=mask,
        )


@triton.jit
def cat4(
    x0_ptr, x1_ptr, x2_ptr, x3_ptr, out_ptr, rows,
    columns0, columns1, columns2, columns3, offset0, offset1, offset2, offset3,
    stride_row0, stride_row1, stride_row2, stride_row3,
    stride_column0, stride_column1, stride_column2, stride_column3,
    stride_out_row, stride_out_column, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out[:, offset_i : offset_i + columns_i] = x_i.

    Grid: (most blocks of any input, number of inputs).
    """
    which = tl.program_id(1)
    if which == 0:
        _copy_columns(
            x0_ptr, out_ptr, rows, columns0, offset0, stride_row0, stride_column0,
            stride_out_row, stride_out_column, ROWS, BLOCK,
        )  # fmt: skip
    elif which == 1:
        _copy_columns(
            x1_ptr, out_ptr, rows, columns1, offset1, stride_row1, stride_column1,
            stride_out_row, stride_out_column, ROWS, BLOCK,
        )  # fmt: skip
    elif which == 2:
        _copy_columns(
            x2_ptr, out_ptr, rows, columns2, offset2, stride_row2, stride_column2,
            stride_out_row, stride_out_column, ROWS, BLOCK,
        )  # fmt: skip
    else:
        _copy_columns(
            x3_ptr, out_ptr, rows, columns3, offset3, stride_row3, stride_column3,
            stride_out_row, stride_out_column, ROWS, BLOCK,
        )  # fmt: skip
