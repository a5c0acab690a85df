# SPDX-License-Identifier: Apache-2.0
"""Batched matrix product with epilogue: out = alpha * (a @ b) + beta * bias; mm, addmm, bmm and
baddbmm.

a [batch, m, k], b [batch, k, n], out [batch, m, n] and bias (broadcast by strides of 0) have any
strides: a transposed operand needs no copy. One program computes one block_m x block_n tile of one
batch entry. Products accumulate in ACC: fp32 for fp16, bf16 and fp32, fp64 for fp64. PRECISION is
Triton's input_precision for fp32 operands ("ieee", "tf32"), passed as 0 or 1. EVEN_MN and EVEN_K
say that the sizes are multiples of the blocks: no mask. HAS_BIAS is off for beta == 0, where ATen
ignores NaN in the bias. k == 0 gives beta * bias.
"""

import triton
import triton.language as tl

from common.tile_order import grouped_tile


@triton.jit
def _multiply_tile(
    a_ptr, b_ptr, m, n, k, tile_m, tile_n,
    stride_am, stride_ak, stride_bk, stride_bn,
    ACC: tl.constexpr, PRECISION: tl.constexpr, EVEN_MN: tl.constexpr, EVEN_K: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr,
):  # fmt: skip
    """a[tile rows, :] @ b[:, tile columns] as an ACC tile."""
    precision: tl.constexpr = "tf32" if PRECISION == 1 else "ieee"
    rows = tile_m * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tile_n * BLOCK_N + tl.arange(0, BLOCK_N)
    depth = tl.arange(0, BLOCK_K)
    a_tile = (
        a_ptr
        + (rows.to(tl.int64) * stride_am)[:, None] + (depth.to(tl.int64) * stride_ak)[None, :]
    )  # fmt: skip
    b_tile = (
        b_ptr
        + (depth.to(tl.int64) * stride_bk)[:, None] + (columns.to(tl.int64) * stride_bn)[None, :]
    )  # fmt: skip
    a_step = tl.cast(BLOCK_K, tl.int64) * stride_ak
    b_step = tl.cast(BLOCK_K, tl.int64) * stride_bk
    accumulator = tl.zeros((BLOCK_M, BLOCK_N), ACC)
    for start in range(0, k, BLOCK_K):
        if EVEN_MN and EVEN_K:
            a = tl.load(a_tile)
            b = tl.load(b_tile)
        elif EVEN_MN:
            a = tl.load(a_tile, mask=(start + depth < k)[None, :], other=0.0)
            b = tl.load(b_tile, mask=(start + depth < k)[:, None], other=0.0)
        elif EVEN_K:
            a = tl.load(a_tile, mask=(rows < m)[:, None], other=0.0)
            b = tl.load(b_tile, mask=(columns < n)[None, :], other=0.0)
        else:
            inside = start + depth < k
            a = tl.load(a_tile, mask=(rows < m)[:, None] & inside[None, :], other=0.0)
            b = tl.load(b_tile, mask=inside[:, None] & (columns < n)[None, :], other=0.0)
        accumulator = tl.dot(a, b, accumulator, input_precision=precision, out_dtype=ACC)
        a_tile += a_step
        b_tile += b_step
    return accumulator, rows, columns


@triton.jit
def mm(
    a_ptr, b_ptr, bias_ptr, out_ptr, m, n, k,
    stride_ab, stride_am, stride_ak, stride_bb, stride_bk, stride_bn,
    stride_bias_b, stride_bias_m, stride_bias_n, stride_out_b, stride_out_m, stride_out_n,
    alpha, beta,
    HAS_BIAS: tl.constexpr, ACC: tl.constexpr, PRECISION: tl.constexpr,
    EVEN_MN: tl.constexpr, EVEN_K: tl.constexpr,
    BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr, BLOCK_K: tl.constexpr, GROUP_M: tl.constexpr,
):  # fmt: skip
    """out = alpha * (a @ b) + beta * bias; grid batch * cdiv(m, BLOCK_M) * cdiv(n, BLOCK_N)."""
    tiles_m = tl.cdiv(m, BLOCK_M)
    tiles_n = tl.cdiv(n, BLOCK_N)
    batch = (tl.program_id(0) // (tiles_m * tiles_n)).to(tl.int64)
    tile = tl.program_id(0) % (tiles_m * tiles_n)
    tile_m, tile_n = grouped_tile(tile, tiles_m, tiles_n, GROUP_M)
    accumulator, rows, columns = _multiply_tile(
        a_ptr + batch * stride_ab, b_ptr + batch * stride_bb, m, n, k, tile_m, tile_n,
        stride_am, stride_ak, stride_bk, stride_bn,
        ACC, PRECISION, EVEN_MN, EVEN_K, BLOCK_M, BLOCK_N, BLOCK_K,
    )  # fmt: skip
    mask = (rows < m)[:, None] & (columns < n)[None, :]
    wide_rows = rows.to(tl.int64)[:, None]
    wide_columns = columns.to(tl.int64)[None, :]
    result = accumulator * alpha
    if HAS_BIAS:
        bias = tl.load(
            bias_ptr + batch * stride_bias_b
            + wide_rows * stride_bias_m + wide_columns * stride_bias_n,
            mask=mask,
            other=0.0,
        )  # fmt: skip
        result += bias.to(ACC) * beta
    tl.store(
        out_ptr + batch * stride_out_b + wide_rows * stride_out_m + wide_columns * stride_out_n,
        result.to(out_ptr.dtype.element_ty),
        mask=mask,
    )
