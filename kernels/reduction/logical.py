# SPDX-License-Identifier: Apache-2.0
"""any and all over up to two strided dimensions; NaN counts as true, as in ATen. Layout and splits:
see sum.py.

The accumulator is int32 0 or 1; partial results of a split are bool or int32, both accepted as
input.
"""

import triton
import triton.language as tl

from common.reduce_tiles import reduce_inner, reduce_outer


@triton.jit
def _truth(x, ACC: tl.constexpr):
    return (x != 0).to(ACC)


@triton.jit
def _either(a, b):
    return a | b


@triton.jit
def _both(a, b):
    return a & b


@triton.jit
def logical_inner(
    x_ptr, out_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    IS_ALL: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept, reduced_outer, reduced] -> out [kept]; grid (cdiv(kept, ROWS), splits)."""
    combine: tl.constexpr = _both if IS_ALL else _either
    identity: tl.constexpr = 1 if IS_ALL else 0
    tile, k0, k1, mask = reduce_inner(
        x_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, _truth, combine, identity, tl.int32, ROWS,
        BLOCK,
    )  # fmt: skip
    if IS_ALL:
        truth = tl.reduce(tile, 1, _both)
    else:
        truth = tl.reduce(tile, 1, _either)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        truth.to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def logical_outer(
    x_ptr, out_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    IS_ALL: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept_outer, reduced_outer, reduced, kept_inner] -> out.

    Grid: (kept_outer * cdiv(kept_inner, BLOCK), splits).
    """
    combine: tl.constexpr = _both if IS_ALL else _either
    identity: tl.constexpr = 1 if IS_ALL else 0
    tile, k0, k1, mask = reduce_outer(
        x_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, _truth, combine, identity, tl.int32, ROWS,
        BLOCK,
    )  # fmt: skip
    if IS_ALL:
        truth = tl.reduce(tile, 0, _both)
    else:
        truth = tl.reduce(tile, 0, _either)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        truth.to(out_ptr.dtype.element_ty),
        mask=mask,
    )
