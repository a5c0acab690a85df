# SPDX-License-Identifier: Apache-2.0
"""softmax and log_softmax, forward and backward, of rows that fit no program, which are read twice
but come from memory once: see Note [Second reading] in common/turns.py. GPUs only.

All tensors are [outer, length, inner]. A group is BLOCK neighbors of `inner` (AXIS 0), or one row
whose elements are neighbors (AXIS 1, BLOCK 1); a chunk of it LANES elements of each row. partial is
[groups, chunks, 2, BLOCK] of ACC, totals [groups, 2, BLOCK]: maxima and sums.
"""

import triton
import triton.language as tl

from common.turns import arrive, take_turn, wait_for
from normalization.softmax import _gradient, _result
from reduction.log_sum_exp import finite


@triton.jit
def _combine(partial_ptr, totals_ptr, chunks, ACC: tl.constexpr, BLOCK: tl.constexpr):
    """The chunks' maxima and sums, in their order, to those of the group."""
    kept = tl.arange(0, BLOCK)
    lane = tl.arange(0, 64)
    maximum = tl.full((64, BLOCK), float("-inf"), ACC)
    for start in range(0, chunks, 64):
        offsets = ((start + lane) * 2 * BLOCK)[:, None] + kept[None, :]
        mask = (start + lane < chunks)[:, None]
        new = tl.load(partial_ptr + offsets, mask=mask, other=float("-inf"), cache_modifier=".cg")
        maximum = tl.maximum(maximum, new)
    maximum = tl.max(maximum, 0)
    shift = finite(maximum)[None, :]
    total = tl.zeros((64, BLOCK), ACC)
    for start in range(0, chunks, 64):
        offsets = ((start + lane) * 2 * BLOCK)[:, None] + kept[None, :]
        mask = (start + lane < chunks)[:, None]
        new = tl.load(partial_ptr + offsets, mask=mask, other=float("-inf"), cache_modifier=".cg")
        sums = tl.load(partial_ptr + BLOCK + offsets, mask=mask, other=0.0, cache_modifier=".cg")
        total += sums * tl.exp(new - shift)
    tl.store(totals_ptr + kept, maximum)
    tl.store(totals_ptr + BLOCK + kept, tl.sum(total, 0))


@triton.jit
def _offsets(outer, kept, lane, stride_outer, stride_inner, stride_step, AXIS: tl.constexpr):
    """Of a tile whose lanes run along dimension AXIS."""
    offsets = tl.expand_dims(kept.to(tl.int64) * stride_inner, AXIS)
    offsets += tl.expand_dims(lane.to(tl.int64) * stride_step, 1 - AXIS)
    return outer.to(tl.int64) * stride_outer + offsets


@triton.jit
def forward(
    x_ptr, out_ptr, partial_ptr, totals_ptr, turn_ptr, groups, inner, length, chunks, delay,
    x_outer, x_inner, x_step, out_outer, out_inner, out_step,
    ACC: tl.constexpr, LOG: tl.constexpr, SAFE: tl.constexpr, AXIS: tl.constexpr,
    LANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """2 * (groups + delay) * chunks programs."""
    second, group, chunk = take_turn(turn_ptr, chunks, delay)
    if (group >= 0) & (group < groups):
        blocks = tl.cdiv(inner, BLOCK)
        outer = group // blocks
        kept = (group % blocks) * BLOCK + tl.arange(0, BLOCK)
        lane = chunk * LANES + tl.arange(0, LANES)
        kept_mask = tl.expand_dims(kept < inner, AXIS)
        mask = tl.expand_dims(lane < length, 1 - AXIS) & kept_mask
        x_tile = x_ptr + _offsets(outer, kept, lane, x_outer, x_inner, x_step, AXIS)
        block = tl.arange(0, BLOCK)
        totals_ptr += group * 2 * BLOCK
        partial_ptr += group.to(tl.int64) * chunks * 2 * BLOCK
        if second == 0:
            x = tl.load(x_tile, mask=mask, other=float("-inf"), eviction_policy="evict_last")
            maximum = tl.max(x.to(ACC), AXIS)
            shift = tl.expand_dims(finite(maximum), AXIS)
            total = tl.sum(tl.exp(x.to(ACC) - shift), AXIS)
            chunk_ptr = partial_ptr + chunk * 2 * BLOCK + block
            tl.store(chunk_ptr, maximum)
            tl.store(chunk_ptr + BLOCK, total)
            if arrive(turn_ptr, group) == chunks - 1:
                _combine(partial_ptr, totals_ptr, chunks, ACC, BLOCK)
                arrive(turn_ptr, group)
        else:
            x = tl.load(x_tile, mask=mask, other=0.0, eviction_policy="evict_first")
            wait_for(turn_ptr, group, chunks + 1)
            maximum = tl.load(totals_ptr + block, cache_modifier=".cg")
            total = tl.load(totals_ptr + BLOCK + block, cache_modifier=".cg")
            result = _result(
                x.to(ACC), tl.expand_dims(maximum, AXIS), tl.expand_dims(total, AXIS), LOG, SAFE
            )
            offsets = _offsets(outer, kept, lane, out_outer, out_inner, out_step, AXIS)
            result = result.to(out_ptr.dtype.element_ty)
            tl.store(out_ptr + offsets, result, mask=mask, eviction_policy="evict_first")


@triton.jit
def backward(
    grad_ptr, out_ptr, grad_input_ptr, partial_ptr, totals_ptr, turn_ptr, groups, inner, length,
    chunks, delay, grad_outer, grad_inner, grad_step, out_outer, out_inner, out_step,
    input_outer, input_inner, input_step,
    ACC: tl.constexpr, LOG: tl.constexpr, AXIS: tl.constexpr, LANES: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [groups, chunks, BLOCK] and totals [groups, BLOCK]: the sums of a row."""
    second, group, chunk = take_turn(turn_ptr, chunks, delay)
    if (group >= 0) & (group < groups):
        blocks = tl.cdiv(inner, BLOCK)
        outer = group // blocks
        block = tl.arange(0, BLOCK)
        kept = (group % blocks) * BLOCK + block
        lane = chunk * LANES + tl.arange(0, LANES)
        kept_mask = tl.expand_dims(kept < inner, AXIS)
        mask = tl.expand_dims(lane < length, 1 - AXIS) & kept_mask
        grad_tile = grad_ptr + _offsets(outer, kept, lane, grad_outer, grad_inner, grad_step, AXIS)
        out_tile = out_ptr + _offsets(outer, kept, lane, out_outer, out_inner, out_step, AXIS)
        totals_ptr += group * BLOCK
        partial_ptr += group.to(tl.int64) * chunks * BLOCK
        if second == 0:
            grad = tl.load(grad_tile, mask=mask, other=0.0, eviction_policy="evict_last").to(ACC)
            if not LOG:
                grad *= tl.load(out_tile, mask=mask, other=0.0, eviction_policy="evict_last").to(
                    ACC
                )
            tl.store(partial_ptr + chunk * BLOCK + block, tl.sum(grad, AXIS))
            if arrive(turn_ptr, group) == chunks - 1:
                total = tl.zeros((64, BLOCK), ACC)
                for start in range(0, chunks, 64):
                    index = start + tl.arange(0, 64)
                    pointers = partial_ptr + (index * BLOCK)[:, None] + block[None, :]
                    total += tl.load(
                        pointers, mask=(index < chunks)[:, None], other=0.0, cache_modifier=".cg"
                    )
                tl.store(totals_ptr + block, tl.sum(total, 0))
                arrive(turn_ptr, group)
        else:
            grad = tl.load(grad_tile, mask=mask, other=0.0, eviction_policy="evict_first").to(ACC)
            result = tl.load(out_tile, mask=mask, other=0.0, eviction_policy="evict_first").to(ACC)
            wait_for(turn_ptr, group, chunks + 1)
            row_total = tl.load(totals_ptr + block, cache_modifier=".cg")
            result = _gradient(grad, result, tl.expand_dims(row_total, AXIS), LOG)
            offsets = _offsets(outer, kept, lane, input_outer, input_inner, input_step, AXIS)
            result = result.to(grad_input_ptr.dtype.element_ty)
            tl.store(grad_input_ptr + offsets, result, mask=mask, eviction_policy="evict_first")
