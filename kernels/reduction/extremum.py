# SPDX-License-Identifier: Apache-2.0
"""amax and amin over up to two strided dimensions; NaN wins, as in ATen. Layout and splits: see
sum.py.

ACC is fp32 for 16-bit floats (exact: the result is one of the elements), else the element's own
class: fp64, int64.
"""

import triton
import triton.language as tl

from common.reduce_tiles import cast_to_accumulator, reduce_inner, reduce_outer


@triton.jit
def _maximum(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _minimum(a, b):
    return tl.minimum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def extremum_inner(
    x_ptr, out_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    ACC: tl.constexpr, IS_MAXIMUM: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept, reduced_outer, reduced] -> out [kept]; grid (cdiv(kept, ROWS), splits)."""
    combine: tl.constexpr = _maximum if IS_MAXIMUM else _minimum
    lowest: tl.constexpr = float("-inf") if ACC.is_floating() else -(2**63)
    highest: tl.constexpr = float("inf") if ACC.is_floating() else 2**63 - 1
    identity: tl.constexpr = lowest if IS_MAXIMUM else highest
    tile, k0, k1, mask = reduce_inner(
        x_ptr, kept, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, cast_to_accumulator, combine, identity, ACC,
        ROWS, BLOCK,
    )  # fmt: skip
    if IS_MAXIMUM:
        best = tl.reduce(tile, 1, _maximum)
    else:
        best = tl.reduce(tile, 1, _minimum)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        best.to(out_ptr.dtype.element_ty),
        mask=mask,
    )


@triton.jit
def extremum_outer(
    x_ptr, out_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
    stride_k0, stride_k1, stride_r0, stride_r1, stride_out_k0, stride_out_k1, stride_out_split,
    ACC: tl.constexpr, IS_MAXIMUM: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x [kept_outer, reduced_outer, reduced, kept_inner] -> out.

    Grid: (kept_outer * cdiv(kept_inner, BLOCK), splits).
    """
    combine: tl.constexpr = _maximum if IS_MAXIMUM else _minimum
    lowest: tl.constexpr = float("-inf") if ACC.is_floating() else -(2**63)
    highest: tl.constexpr = float("inf") if ACC.is_floating() else 2**63 - 1
    identity: tl.constexpr = lowest if IS_MAXIMUM else highest
    tile, k0, k1, mask = reduce_outer(
        x_ptr, kept_outer, kept_inner, reduced_outer, reduced, split_length,
        stride_k0, stride_k1, stride_r0, stride_r1, cast_to_accumulator, combine, identity, ACC,
        ROWS, BLOCK,
    )  # fmt: skip
    if IS_MAXIMUM:
        best = tl.reduce(tile, 0, _maximum)
    else:
        best = tl.reduce(tile, 0, _minimum)
    out_ptr += tl.program_id(1).to(tl.int64) * stride_out_split
    tl.store(
        out_ptr + k0 * stride_out_k0 + k1 * stride_out_k1,
        best.to(out_ptr.dtype.element_ty),
        mask=mask,
    )
