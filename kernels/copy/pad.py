# SPDX-License-Identifier: Apache-2.0
"""A tensor within a larger one, and one value around it, in one pass: one read, one write.

The output has up to four dimensions; coordinate c of one is coordinate c - before of the input
where that lies in 0 .. extent - 1 (a negative `before` cuts off). The innermost runs along the
columns of a tile.
"""

import triton
import triton.language as tl


@triton.jit
def constant_pad(
    x_ptr, out_ptr, value, size1, rows, columns, before0, before1, before2, before3,
    extent0, extent1, extent2, extent3, stride0, stride1, stride2, stride3,
    stride_out0, stride_out1, stride_out2, stride_out3, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """rows, columns: the sizes of dimensions 2 and 3; grid size0 * size1 * cdiv(rows, ROWS) *
    cdiv(columns, BLOCK).
    """
    across = tl.cdiv(columns, BLOCK)
    down = tl.cdiv(rows, ROWS)
    plane = tl.program_id(0) // (across * down)
    tile = tl.program_id(0) % (across * down)
    row = tile // across * ROWS + tl.arange(0, ROWS)
    column = tile % across * BLOCK + tl.arange(0, BLOCK)
    c0 = plane // size1
    c1 = plane % size1
    i0 = c0 - before0
    i1 = c1 - before1
    i2 = row - before2
    i3 = column - before3
    has_plane = (i0 >= 0) & (i0 < extent0) & (i1 >= 0) & (i1 < extent1)
    has_row = (i2 >= 0) & (i2 < extent2) & has_plane
    start = i0.to(tl.int64) * stride0 + i1.to(tl.int64) * stride1
    x = tl.load(
        x_ptr + start + (i2.to(tl.int64) * stride2)[:, None] + (i3.to(tl.int64) * stride3)[None, :],
        mask=has_row[:, None] & ((i3 >= 0) & (i3 < extent3))[None, :],
        other=value,
    )
    start_out = c0.to(tl.int64) * stride_out0 + c1.to(tl.int64) * stride_out1
    tl.store(
        out_ptr
        + start_out
        + (row.to(tl.int64) * stride_out2)[:, None]
        + (column.to(tl.int64) * stride_out3)[None, :],
        x,
        mask=(row < rows)[:, None] & (column < columns)[None, :],
    )
