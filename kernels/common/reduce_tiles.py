# SPDX-License-Identifier: Apache-2.0
"""Loops shared by all reductions: [kept, reduced] tiles with a carried accumulator tile.

The input is seen as two kept and two reduced dimensions, each with its own stride, which covers
every reduction of an up to four times collapsed tensor without a copy. The accumulator is a whole
tile that is combined lane by lane inside the loop and across lanes once at the end: no cross-lane
step in the loop, and each lane adds only 1/BLOCK of the row, so float sums stay within a few ulp of
a pairwise sum.

`reduce_inner`: lanes run along the innermost reduced dimension (choose it where that one is
contiguous). `reduce_outer`: lanes run along the innermost kept dimension (choose it where that one
is contiguous).

Program axis 1 is a split of the innermost reduced dimension: split s covers [s, s + 1) *
split_length and writes to out + s * stride_out_split. With one split, split_length is the whole
extent. The partial results [split, kept] are reduced by a second launch of the same kernel: the
same order on every run.

`prepare(x, ACC)` maps an element to the accumulator type, `combine(a, b)` is associative, IDENTITY
is its neutral element. The caller reduces the returned tile across lanes: tl.reduce takes no
function argument.
"""

import triton
import triton.language as tl


@triton.jit
def cast_to_accumulator(x, ACC: tl.constexpr):
    """prepare of plain sums and extrema."""
    return x.to(ACC)


@triton.jit
def reduce_inner(
    x_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1,
    prepare, combine, IDENTITY: tl.constexpr, ACC: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Returns (accumulator [ROWS, BLOCK], k0 [ROWS], k1 [ROWS], mask [ROWS]) for rows program_id(0)
    * ROWS + ...
    """
    rows = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)
    row_mask = rows < kept
    k0 = rows // kept_inner
    k1 = rows % kept_inner
    row_ptr = x_ptr + k0 * stride_k0 + k1 * stride_k1
    first = tl.program_id(1) * split_length
    last = tl.minimum(first + split_length, reduced)
    lanes = tl.arange(0, BLOCK)
    lane_offsets = lanes.to(tl.int64) * stride_r1
    accumulator = tl.full((ROWS, BLOCK), IDENTITY, ACC)
    for r0 in range(reduced_outer):
        base_ptr = row_ptr + tl.cast(r0, tl.int64) * stride_r0
        for r1 in range(first, last, BLOCK):
            mask = row_mask[:, None] & (r1 + lanes < last)[None, :]
            tile_ptr = base_ptr + tl.cast(r1, tl.int64) * stride_r1
            x = tl.load(tile_ptr[:, None] + lane_offsets[None, :], mask=mask, other=0)
            # Not `other=IDENTITY`: prepare need not map it to itself (any, all, powers).
            value = tl.where(mask, prepare(x, ACC), IDENTITY)
            accumulator = combine(accumulator, value)
    return accumulator, k0, k1, row_mask


@triton.jit
def reduce_outer(
    x_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1,
    prepare, combine, IDENTITY: tl.constexpr, ACC: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Returns (accumulator [ROWS, BLOCK], k0 scalar, k1 [BLOCK], mask [BLOCK]); ROWS reduced
    elements at a time.

    program_id(0) counts blocks of the innermost kept dimension, then the outer one.
    """
    blocks = tl.cdiv(kept_inner, BLOCK)
    k0 = (tl.program_id(0) // blocks).to(tl.int64)
    k1 = (tl.program_id(0) % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    column_mask = k1 < kept_inner
    column_offsets = k1 * stride_k1
    first = tl.program_id(1) * split_length
    last = tl.minimum(first + split_length, reduced)
    lanes = tl.arange(0, ROWS)
    lane_offsets = lanes.to(tl.int64) * stride_r1
    accumulator = tl.full((ROWS, BLOCK), IDENTITY, ACC)
    for r0 in range(reduced_outer):
        base_ptr = x_ptr + k0 * stride_k0 + tl.cast(r0, tl.int64) * stride_r0
        for r1 in range(first, last, ROWS):
            mask = (r1 + lanes < last)[:, None] & column_mask[None, :]
            tile_ptr = base_ptr + tl.cast(r1, tl.int64) * stride_r1
            x = tl.load(
                tile_ptr + lane_offsets[:, None] + column_offsets[None, :], mask=mask, other=0
            )
            value = tl.where(mask, prepare(x, ACC), IDENTITY)
            accumulator = combine(accumulator, value)
    return accumulator, k0, k1, column_mask
