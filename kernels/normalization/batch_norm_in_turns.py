# SPDX-License-Identifier: Apache-2.0
"""Batch norm in training, forward and backward, of x [images, channels, pixels]: read twice, but
once from memory. See Note [Second reading] in common/turns.py. GPUs only.

Images and pixels are rows. A group is BLOCK neighboring channels, or one channel whose pixels are
neighbors; a chunk is ROWS rows of it. partial is [groups, chunks, 2, BLOCK] of ACC.
"""

import triton
import triton.language as tl

from common.turns import arrive, take_turn, wait_for
from normalization.batch_norm import _finish_moments


@triton.jit
def _load_partials(partial_ptr, start, chunks, CHUNKS: tl.constexpr, BLOCK: tl.constexpr):
    """Two [CHUNKS, BLOCK], and the chunks' numbers."""
    chunk = start + tl.arange(0, CHUNKS)
    offsets = (chunk * 2 * BLOCK)[:, None] + tl.arange(0, BLOCK)[None, :]
    mask = (chunk < chunks)[:, None]
    first = tl.load(partial_ptr + offsets, mask=mask, other=0.0, cache_modifier=".cg")
    second = tl.load(partial_ptr + BLOCK + offsets, mask=mask, other=0.0, cache_modifier=".cg")
    return first, second, chunk


@triton.jit
def _combine_moments(
    partial_ptr, rows, chunks, ACC: tl.constexpr, ROWS: tl.constexpr, CHUNKS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """Mean and variance [BLOCK]: the weighted mean first, then deviations from it."""
    total = tl.zeros((CHUNKS, BLOCK), ACC)
    for start in range(0, chunks, CHUNKS):
        means, squares, chunk = _load_partials(partial_ptr, start, chunks, CHUNKS, BLOCK)
        total += means * tl.minimum(rows - chunk * ROWS, ROWS).to(ACC)[:, None]
    mean = tl.sum(total, 0) / rows
    total = tl.zeros((CHUNKS, BLOCK), ACC)
    for start in range(0, chunks, CHUNKS):
        means, squares, chunk = _load_partials(partial_ptr, start, chunks, CHUNKS, BLOCK)
        size = tl.maximum(tl.minimum(rows - chunk * ROWS, ROWS), 0).to(ACC)
        d = means - mean[None, :]
        total += squares + d * d * size[:, None]
    return mean, tl.sum(total, 0) / rows


@triton.jit
def _combine_sums(
    partial_ptr, chunks, ACC: tl.constexpr, CHUNKS: tl.constexpr, BLOCK: tl.constexpr
):
    """Both sums [BLOCK] over the chunks."""
    first = tl.zeros((CHUNKS, BLOCK), ACC)
    second = tl.zeros((CHUNKS, BLOCK), ACC)
    for start in range(0, chunks, CHUNKS):
        more_first, more_second, _ = _load_partials(partial_ptr, start, chunks, CHUNKS, BLOCK)
        first += more_first
        second += more_second
    return tl.sum(first, 0), tl.sum(second, 0)


@triton.jit
def _offsets(row, channel, pixels, stride_image, stride_channel, stride_pixel):
    """Of a tile [rows, channels]."""
    rows = (row // pixels).to(tl.int64) * stride_image + (row % pixels).to(tl.int64) * stride_pixel
    return rows[:, None] + (channel.to(tl.int64) * stride_channel)[None, :]


@triton.jit
def _rows_and_channels(group, chunk, channels, rows, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """(rows, channels, the mask of these and of both) of a chunk."""
    channel = group * BLOCK + tl.arange(0, BLOCK)
    channel_mask = channel < channels
    row = chunk * ROWS + tl.arange(0, ROWS)
    return row, channel, channel_mask, (row < rows)[:, None] & channel_mask[None, :]


@triton.jit
def normalize(
    x_ptr, weight_ptr, bias_ptr, partial_ptr, mean_ptr, rstd_ptr, turn_ptr, save_mean_ptr,
    save_rstd_ptr, running_mean_ptr, running_var_ptr, out_ptr, channels, rows, pixels, chunks,
    delay, stride_image, stride_channel, stride_pixel, out_image, out_channel, out_pixel,
    momentum, unbias, eps,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """mean, rstd [channels] of ACC, for the second readings."""
    second, group, chunk = take_turn(turn_ptr, chunks, delay)
    if (group >= 0) & (group * BLOCK < channels):
        row, channel, channel_mask, mask = _rows_and_channels(
            group, chunk, channels, rows, ROWS, BLOCK
        )
        x_tile = x_ptr + _offsets(row, channel, pixels, stride_image, stride_channel, stride_pixel)
        partial_ptr += group.to(tl.int64) * chunks * 2 * BLOCK
        if second == 0:
            x = tl.load(x_tile, mask=mask, other=0.0, eviction_policy="evict_last").to(ACC)
            mean = tl.sum(x, 0) / tl.minimum(rows - chunk * ROWS, ROWS)
            d = tl.where(mask, x - mean[None, :], 0.0)
            chunk_ptr = partial_ptr + chunk * 2 * BLOCK + tl.arange(0, BLOCK)
            tl.store(chunk_ptr, mean)
            tl.store(chunk_ptr + BLOCK, tl.sum(d * d, 0))
            if arrive(turn_ptr, group) == chunks - 1:
                mean, variance = _combine_moments(partial_ptr, rows, chunks, ACC, ROWS, 32, BLOCK)
                rstd = _finish_moments(
                    mean, variance, channel, channel_mask, save_mean_ptr, save_rstd_ptr,
                    running_mean_ptr, running_var_ptr, momentum, unbias, eps, ACC,
                )  # fmt: skip
                tl.store(mean_ptr + channel, mean, mask=channel_mask)
                tl.store(rstd_ptr + channel, rstd, mask=channel_mask)
                arrive(turn_ptr, group)
        else:
            x = tl.load(x_tile, mask=mask, other=0.0, eviction_policy="evict_first").to(ACC)
            factor = tl.full((BLOCK,), 1.0, ACC)
            if weight_ptr is not None:
                factor = tl.load(weight_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
            offset = tl.zeros((BLOCK,), ACC)
            if bias_ptr is not None:
                offset = tl.load(bias_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
            wait_for(turn_ptr, group, chunks + 1)
            mean = tl.load(mean_ptr + channel, mask=channel_mask, other=0.0, cache_modifier=".cg")
            rstd = tl.load(rstd_ptr + channel, mask=channel_mask, other=0.0, cache_modifier=".cg")
            scale = rstd * factor
            result = (x - mean[None, :]) * scale[None, :] + offset[None, :]
            offsets = _offsets(row, channel, pixels, out_image, out_channel, out_pixel)
            result = result.to(out_ptr.dtype.element_ty)
            tl.store(out_ptr + offsets, result, mask=mask, eviction_policy="evict_first")


@triton.jit
def backward_input(
    grad_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, partial_ptr, sums_ptr, turn_ptr,
    grad_weight_ptr, grad_bias_ptr, grad_input_ptr, channels, rows, pixels, chunks, delay,
    grad_image, grad_channel, grad_pixel, stride_image, stride_channel, stride_pixel,
    out_image, out_channel, out_pixel,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """sums [2, channels] of ACC: of grad and of grad * (x - mean)."""
    second, group, chunk = take_turn(turn_ptr, chunks, delay)
    if (group >= 0) & (group * BLOCK < channels):
        row, channel, channel_mask, mask = _rows_and_channels(
            group, chunk, channels, rows, ROWS, BLOCK
        )
        grad_tile = grad_ptr + _offsets(row, channel, pixels, grad_image, grad_channel, grad_pixel)
        x_tile = x_ptr + _offsets(row, channel, pixels, stride_image, stride_channel, stride_pixel)
        partial_ptr += group.to(tl.int64) * chunks * 2 * BLOCK
        mean = tl.load(mean_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
        if second == 0:
            grad = tl.load(grad_tile, mask=mask, other=0.0, eviction_policy="evict_last").to(ACC)
            x = tl.load(x_tile, mask=mask, other=0.0, eviction_policy="evict_last").to(ACC)
            chunk_ptr = partial_ptr + chunk * 2 * BLOCK + tl.arange(0, BLOCK)
            tl.store(chunk_ptr, tl.sum(grad, 0))
            products = tl.where(mask, grad * (x - mean[None, :]), 0.0)
            tl.store(chunk_ptr + BLOCK, tl.sum(products, 0))
            if arrive(turn_ptr, group) == chunks - 1:
                sum_grad, sum_product = _combine_sums(partial_ptr, chunks, ACC, 32, BLOCK)
                tl.store(sums_ptr + channel, sum_grad, mask=channel_mask)
                tl.store(sums_ptr + channels + channel, sum_product, mask=channel_mask)
                if grad_weight_ptr is not None:
                    rstd = tl.load(rstd_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
                    result = (sum_product * rstd).to(grad_weight_ptr.dtype.element_ty)
                    tl.store(grad_weight_ptr + channel, result, mask=channel_mask)
                if grad_bias_ptr is not None:
                    result = sum_grad.to(grad_bias_ptr.dtype.element_ty)
                    tl.store(grad_bias_ptr + channel, result, mask=channel_mask)
                arrive(turn_ptr, group)
        else:
            grad = tl.load(grad_tile, mask=mask, other=0.0, eviction_policy="evict_first").to(ACC)
            x = tl.load(x_tile, mask=mask, other=0.0, eviction_policy="evict_first").to(ACC)
            rstd = tl.load(rstd_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
            scale = rstd
            if weight_ptr is not None:
                scale *= tl.load(weight_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
            wait_for(turn_ptr, group, chunks + 1)
            sum_ptr = sums_ptr + channel
            mean_grad = tl.load(sum_ptr, mask=channel_mask, cache_modifier=".cg") / rows
            slope = tl.load(sum_ptr + channels, mask=channel_mask, cache_modifier=".cg") / rows
            slope *= rstd * rstd
            result = grad - mean_grad[None, :] - (x - mean[None, :]) * slope[None, :]
            result *= scale[None, :]
            offsets = _offsets(row, channel, pixels, out_image, out_channel, out_pixel)
            result = result.to(grad_input_ptr.dtype.element_ty)
            tl.store(grad_input_ptr + offsets, result, mask=mask, eviction_policy="evict_first")
