# SPDX-License-Identifier: Apache-2.0
"""Vector norms of order 1, 2 and infinity over up to two strided dimensions. Layout and splits: see
sum.py.

ORDER is 1, 2, or 0 for the maximum norm. IS_FIRST applies |x| or x * x to the elements, IS_LAST the
root to the result: a split reduction launches twice, (first, not last) and (not first, last).
"""

import triton
import triton.language as tl

from common.reduce_tiles import cast_to_accumulator, reduce_inner, reduce_outer


@triton.jit
def _absolute(x, ACC: tl.constexpr):
    return tl.abs(x.to(ACC))


@triton.jit
def _square(x, ACC: tl.constexpr):
    value = x.to(ACC)
    return value * value


@triton.jit
def _add(a, b):
    return a + b


@triton.jit
def _maximum(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def norm_inner(
    x_ptr, out_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    ACC: tl.constexpr, ORDER: tl.constexpr, IS_FIRST: tl.constexpr, IS_LAST: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept, reduced_outer, reduced] -> out [kept]; grid (cdiv(kept, ROWS), splits)."""
    power: tl.constexpr = _square if ORDER == 2 else _absolute
    prepare: tl.constexpr = power if IS_FIRST else cast_to_accumulator
    combine: tl.constexpr = _maximum if ORDER == 0 else _add
    tile, k0, k1, mask = reduce_inner(
        x_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, prepare, combine, 0, ACC, ROWS, BLOCK,
    )  # fmt: skip
    if ORDER == 0:
        norm = tl.reduce(tile, 1, _maximum)
    else:
        norm = tl.sum(tile, 1)
    if IS_LAST and ORDER == 2:
        norm = tl.sqrt(norm)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        norm.to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def norm_outer(
    x_ptr, out_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    ACC: tl.constexpr, ORDER: tl.constexpr, IS_FIRST: tl.constexpr, IS_LAST: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept_outer, reduced_outer, reduced, kept_inner] -> out.

    Grid: (kept_outer * cdiv(kept_inner, BLOCK), splits).
    """
    power: tl.constexpr = _square if ORDER == 2 else _absolute
    prepare: tl.constexpr = power if IS_FIRST else cast_to_accumulator
    combine: tl.constexpr = _maximum if ORDER == 0 else _add
    tile, k0, k1, mask = reduce_outer(
        x_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, prepare, combine, 0, ACC, ROWS, BLOCK,
    )  # fmt: skip
    if ORDER == 0:
        norm = tl.reduce(tile, 0, _maximum)
    else:
        norm = tl.sum(tile, 0)
    if IS_LAST and ORDER == 2:
        norm = tl.sqrt(norm)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        norm.to(out_ptr.dtype.element_ty),
        mask=mask,
    )
