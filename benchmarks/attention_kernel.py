# SPDX-License-Identifier: Apache-2.0
"""Attention forward as a user would write it in Triton: one pass over the keys with a running
maximum and sum. Nothing in it knows of CPUs but the sizes of its tiles.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl


@triton.jit
def attention_kernel(
    q_ptr, k_ptr, v_ptr, out_ptr, length, scale,
    HEAD: tl.constexpr, BLOCK_M: tl.constexpr, BLOCK_N: tl.constexpr,
):  # fmt: skip
    """q, k, v, out [heads, length, HEAD], contiguous; grid (cdiv(length, BLOCK_M), heads)."""
    base = tl.program_id(1).to(tl.int64) * length * HEAD
    rows = tl.program_id(0) * BLOCK_M + tl.arange(0, BLOCK_M)
    columns = tl.arange(0, HEAD)
    tile = rows[:, None] * HEAD + columns[None, :]
    inside = rows[:, None] < length
    q = tl.load(q_ptr + base + tile, mask=inside, other=0.0) * scale
    maximum = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    accumulator = tl.zeros((BLOCK_M, HEAD), tl.float32)
    for start in range(0, length, BLOCK_N):
        keys = start + tl.arange(0, BLOCK_N)
        k = tl.load(
            k_ptr + base + keys[:, None] * HEAD + columns[None, :],
            mask=keys[:, None] < length,
            other=0.0,
        )
        v = tl.load(
            v_ptr + base + keys[:, None] * HEAD + columns[None, :],
            mask=keys[:, None] < length,
            other=0.0,
        )
        scores = tl.dot(q, tl.trans(k), input_precision="ieee")
        scores = tl.where((keys < length)[None, :], scores, float("-inf"))
        updated = tl.maximum(maximum, tl.max(scores, 1))
        weights = tl.exp(scores - updated[:, None])
        correction = tl.exp(maximum - updated)
        total = total * correction + tl.sum(weights, 1)
        accumulator = accumulator * correction[:, None]
        accumulator = tl.dot(weights.to(v.dtype), v, accumulator, input_precision="ieee")
        maximum = updated
    result = accumulator / total[:, None]
    tl.store(out_ptr + base + tile, result.to(out_ptr.dtype.element_ty), mask=inside)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """softmax(q k^T / sqrt(head)) v of contiguous [batch, heads, length, head] tensors."""
    batch, heads, length, head = q.shape
    out = torch.empty_like(q)
    block_m, block_n = 128, 128
    attention_kernel[(triton.cdiv(length, block_m), batch * heads)](
        q, k, v, out, length, head**-0.5, HEAD=head, BLOCK_M=block_m, BLOCK_N=block_n
    )
    return out
