# SPDX-License-Identifier: Apache-2.0
"""Reads at places that other tensors name: index, gather and index_select, in one pass.

All tensors are walked through together in up to four dimensions (3 outermost, 0 along the columns
of a tile), with a stride for each; x has a stride of 0 where its place comes from an index. The
element is that of x at the walk's place, plus index * step for each index tensor. With WRAPS,
negative indices count from the end. One outside of `extent` reads nothing; it fails an assertion on
GPUs, as in PyTorch, and on a CPU it is noted in `foreign`, whereupon PyTorch's kernel raises.
"""

import triton
import triton.language as tl


@triton.jit
def _index(
    ptr, plane, row, column, stride1, stride0, extent, step, row_mask, mask, ALONG: tl.constexpr,
    WRAPS: tl.constexpr,
):  # fmt: skip
    """(offset in x, whether it is inside) of one index tensor, for each row or each element."""
    if ALONG:
        place = plane + (row * stride1)[:, None] + (column * stride0)[None, :]
        value = tl.load(ptr + place, mask=mask, other=0).to(tl.int64)
    else:
        value = tl.load(ptr + plane + row * stride1, mask=row_mask, other=0).to(tl.int64)[:, None]
    if WRAPS:
        value = tl.where(value < 0, value + extent, value)
    return value * step, (value >= 0) & (value < extent)


@triton.jit
def gather(
    out_ptr, x_ptr, index0_ptr, index1_ptr, index2_ptr, foreign_ptr, size2, rows, columns,
    out3, out2, out1, out0, x3, x2, x1, x0,
    a3, a2, a1, a0, b3, b2, b1, b0, c3, c2, c1, c0,
    extent_a, extent_b, extent_c, step_a, step_b, step_c,
    ALONG: tl.constexpr, WRAPS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Strides of out, x and the indices a, b, c by dimension; pointers of missing indices are None.
    ALONG: an index varies along the columns. Grid size3 * size2 * cdiv(rows, ROWS) *
    cdiv(columns, BLOCK).
    """
    across = tl.cdiv(columns, BLOCK)
    down = tl.cdiv(rows, ROWS)
    plane = tl.program_id(0) // (across * down)
    tile = tl.program_id(0) % (across * down)
    outer = (plane // size2).to(tl.int64)
    inner = (plane % size2).to(tl.int64)
    row_number = tile // across * ROWS + tl.arange(0, ROWS)
    column_number = tile % across * BLOCK + tl.arange(0, BLOCK)
    row_mask = row_number < rows
    mask = row_mask[:, None] & (column_number < columns)[None, :]
    row = row_number.to(tl.int64)
    column = column_number.to(tl.int64)
    offset, inside = _index(
        index0_ptr, outer * a3 + inner * a2, row, column, a1, a0, extent_a, step_a, row_mask, mask,
        ALONG, WRAPS,
    )  # fmt: skip
    if index1_ptr is not None:
        more, valid = _index(
            index1_ptr, outer * b3 + inner * b2, row, column, b1, b0, extent_b, step_b, row_mask,
            mask, ALONG, WRAPS,
        )  # fmt: skip
        offset += more
        inside = inside & valid
    if index2_ptr is not None:
        more, valid = _index(
            index2_ptr, outer * c3 + inner * c2, row, column, c1, c0, extent_c, step_c, row_mask,
            mask, ALONG, WRAPS,
        )  # fmt: skip
        offset += more
        inside = inside & valid
    if foreign_ptr is None:
        tl.device_assert(inside, "index out of bounds")
    elif tl.max(tl.max((inside == 0).to(tl.int32), axis=1), axis=0) != 0:
        tl.store(foreign_ptr, 1)
    place = (outer * x3 + inner * x2) + (row * x1)[:, None] + (column * x0)[None, :]
    value = tl.load(x_ptr + (offset + place), mask=mask & inside, other=0)
    target = (outer * out3 + inner * out2) + (row * out1)[:, None] + (column * out0)[None, :]
    tl.store(out_ptr + target, value, mask=mask)
