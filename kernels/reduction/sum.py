# SPDX-License-Identifier: Apache-2.0
"""Sum and mean over up to two strided dimensions; reads the input once, deterministic.

`sum_inner`: the innermost reduced dimension is contiguous. `sum_outer`: the innermost kept one is.
Few long rows: launch with several splits (grid.y) into a [splits, kept] buffer of the accumulator
type, then launch once more on that buffer. MEAN divides the result by `count` and belongs to the
last launch only. 16-bit floats accumulate in fp32, integers and bool in int64 (ACC), as ATen does;
an empty sum is 0, an empty mean NaN.
"""

import triton
import triton.language as tl

from common.reduce_tiles import cast_to_accumulator, reduce_inner, reduce_outer


@triton.jit
def _add(a, b):
    return a + b


@triton.jit
def sum_inner(
    x_ptr, out_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    count, ACC: tl.constexpr, MEAN: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept, reduced_outer, reduced] -> out [kept]; grid (cdiv(kept, ROWS), splits)."""
    tile, k0, k1, mask = reduce_inner(
        x_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, cast_to_accumulator, _add, 0, ACC, ROWS, BLOCK,
    )  # fmt: skip
    total = tl.sum(tile, 1)
    if MEAN:
        total = total / tl.cast(count, ACC)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        total.to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def sum_outer(
    x_ptr, out_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    count, ACC: tl.constexpr, MEAN: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept_outer, reduced_outer, reduced, kept_inner] -> out.

    Grid: (kept_outer * cdiv(kept_inner, BLOCK), splits).
    """
    tile, k0, k1, mask = reduce_outer(
        x_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, cast_to_accumulator, _add, 0, ACC, ROWS, BLOCK,
    )  # fmt: skip
    total = tl.sum(tile, 0)
    if MEAN:
        total = total / tl.cast(count, ACC)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        total.to(out_ptr.dtype.element_ty),
        mask=mask,
    )
