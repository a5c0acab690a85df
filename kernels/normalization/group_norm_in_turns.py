# SPDX-License-Identifier: Apache-2.0
"""Group norm's gradients, which read their inputs twice, but once from memory: see Note [Second
reading] in common/turns.py. GPUs only.

x, grad, grad_input [images * groups, depth, pixels], where the pixels of a channel are neighbors
and fit a tile; a chunk is CHANNELS channels.
"""

import triton
import triton.language as tl

from common.turns import arrive, take_turn, wait_for


@triton.jit
def _means(sums_ptr, weight_ptr, depth, rows, rstd, count, ACC: tl.constexpr, DEPTH: tl.constexpr):
    """(mean of the weighted gradient, slope) of a group, from the sums of its channels."""
    sum_grad = tl.zeros((DEPTH,), ACC)
    sum_product = tl.zeros((DEPTH,), ACC)
    for start in range(0, depth, DEPTH):
        channel = start + tl.arange(0, DEPTH)
        mask = channel < depth
        total = tl.load(sums_ptr + channel, mask=mask, other=0.0, cache_modifier=".cg")
        product_ptr = sums_ptr + rows.to(tl.int64) * depth
        products = tl.load(product_ptr + channel, mask=mask, other=0.0, cache_modifier=".cg")
        if weight_ptr is not None:
            weight = tl.load(weight_ptr + channel, mask=mask, other=0.0).to(ACC)
            total *= weight
            products *= weight
        sum_grad += total
        sum_product += products
    return tl.sum(sum_grad, 0) / count, tl.sum(sum_product, 0) / count * rstd * rstd


@triton.jit
def backward_input(
    grad_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, sums_ptr, means_ptr, turn_ptr, grad_input_ptr,
    rows, groups, depth, pixels, chunks, delay, stride_row, stride_channel,
    ACC: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """rows: images * groups. Writes sums [2, rows, depth] of grad and grad * (x - mean); means
    [rows, 2].
    """
    second, row, chunk = take_turn(turn_ptr, chunks, delay)
    if (row >= 0) & (row < rows):
        channel = chunk * CHANNELS + tl.arange(0, CHANNELS)
        channel_mask = channel < depth
        pixel = tl.arange(0, PIXELS)
        mask = channel_mask[:, None] & (pixel < pixels)[None, :]
        offsets = (channel * stride_channel)[:, None] + pixel[None, :]
        offsets += row.to(tl.int64) * stride_row
        sums_ptr += row.to(tl.int64) * depth
        mean = tl.load(mean_ptr + row).to(ACC)
        rstd = tl.load(rstd_ptr + row).to(ACC)
        if weight_ptr is not None:
            weight_ptr += (row % groups) * depth
        if second == 0:
            grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0, eviction_policy="evict_last")
            x = tl.load(x_ptr + offsets, mask=mask, other=0.0, eviction_policy="evict_last")
            tl.store(sums_ptr + channel, tl.sum(grad.to(ACC), 1), mask=channel_mask)
            products = tl.where(mask, grad.to(ACC) * (x.to(ACC) - mean), 0.0)
            product_ptr = sums_ptr + rows.to(tl.int64) * depth
            tl.store(product_ptr + channel, tl.sum(products, 1), mask=channel_mask)
            if arrive(turn_ptr, row) == chunks - 1:
                count = tl.cast(depth, ACC) * pixels
                mean_grad, slope = _means(
                    sums_ptr, weight_ptr, depth, rows, rstd, count, ACC, 64
                )  # fmt: skip
                tl.store(means_ptr + row * 2, mean_grad)
                tl.store(means_ptr + row * 2 + 1, slope)
                arrive(turn_ptr, row)
        else:
            grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0, eviction_policy="evict_first")
            x = tl.load(x_ptr + offsets, mask=mask, other=0.0, eviction_policy="evict_first")
            weight = tl.full((CHANNELS,), 1.0, ACC)
            if weight_ptr is not None:
                weight = tl.load(weight_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
            wait_for(turn_ptr, row, chunks + 1)
            mean_grad = tl.load(means_ptr + row * 2, cache_modifier=".cg")
            slope = tl.load(means_ptr + row * 2 + 1, cache_modifier=".cg")
            result = grad.to(ACC) * weight[:, None] - mean_grad - (x.to(ACC) - mean) * slope
            result = (result * rstd).to(grad_input_ptr.dtype.element_ty)
            tl.store(grad_input_ptr + offsets, result, mask=mask, eviction_policy="evict_first")
