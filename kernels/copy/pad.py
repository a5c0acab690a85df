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
    x_ptr, out_ptr, value, rows, size1, size2, columns, before0, before1, before2, before3,
    extent0, extent1, extent2, extent3, stride0, stride1, stride2, stride3,
    stride_out0, stride_out1, stride_out2, stride_out3, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """rows: the product of the sizes of dimensions 0 to 2; grid cdiv(rows, ROWS) *
    cdiv(columns, BLOCK).
    """
    across = tl.cdiv(columns, BLOCK)
    row = (tl.program_id(0) // across).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    column = (tl.program_id(0) % across).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    c2 = row % size2
    c1 = row // size2 % size1
    c0 = row // size2 // size1
    i0 = c0 - before0
    i1 = c1 - before1
    i2 = c2 - before2
    i3 = column - before3
    inside = (
        ((i0 >= 0) & (i0 < extent0)) & ((i1 >= 0) & (i1 < extent1)) & ((i2 >= 0) & (i2 < extent2))
    )
    x = tl.load(
        x_ptr + (i0 * stride0 + i1 * stride1 + i2 * stride2)[:, None] + (i3 * stride3)[None, :],
        mask=(inside & (row < rows))[:, None] & ((i3 >= 0) & (i3 < extent3))[None, :],
        other=value,
    )
    out = (c0 * stride_out0 + c1 * stride_out1 + c2 * stride_out2)[:, None]
    tl.store(
        out_ptr + out + (column * stride_out3)[None, :],
        x,
        mask=(row < rows)[:, None] & (column < columns)[None, :],
    )
