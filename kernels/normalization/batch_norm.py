# SPDX-License-Identifier: Apache-2.0
"""Batch norm of x [images, channels, pixels], forward and backward, without a copy.

Two layouts, two sets of entry points. `*_inner`: the pixels of a channel are neighbors (NCHW); a
program has one channel and a tile [IMAGES, PIXELS]. `*_outer`: the channels are neighbors (NHWC, or
no pixels at all); images and pixels are rows, and a program has BLOCK channels and ROWS rows at a
time.

The grid is (channels or blocks of them, chunks). With one chunk, `normalize_*` and
`backward_input_*` find the statistics (or the sums over a channel) themselves: one launch
(STATISTICS 1). With more,

    moments_* -> combine_moments -> normalize_* (STATISTICS 0)
    gradient_sums_* -> combine_sums -> backward_input_* (STATISTICS 0)

partials are [2, chunks, channels] of ACC, combined in a fixed order: the same result on every run.
STATISTICS 2: mean and variance are given (inference). STATISTICS 3 (inner): as 1, where one tile
holds the channel, which is then read once. A chunk is `images_per_chunk` images and
`pixels_per_chunk` pixels (a multiple of PIXELS), or `rows_per_chunk` rows. See Note [Shifted
moments] in common/moments.py.
"""

import triton
import triton.language as tl

from common.moments import center_tile, finite_shift, from_shifted
from common.target import on_gpu


@triton.jit
def _chunk_inner(images, pixels, images_per_chunk, pixels_per_chunk):
    """First and last image, first and last pixel of this program's chunk."""
    pixel_chunks = tl.cdiv(pixels, pixels_per_chunk)
    chunk = tl.program_id(1)
    image = (chunk // pixel_chunks) * images_per_chunk
    pixel = (chunk % pixel_chunks) * pixels_per_chunk
    return (
        image,
        tl.minimum(image + images_per_chunk, images),
        pixel,
        tl.minimum(pixel + pixels_per_chunk, pixels),
    )


@triton.jit
def _tile_inner(
    ptr, image, pixel, last_image, pixels, stride_image, stride_pixel,
    IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """(pointers, mask) of the tile [IMAGES, PIXELS] that starts at an image and a pixel.

    The mask compares with all pixels, not with the chunk's: where 16 divides them, it is uniform
    over wide loads.
    """
    i = image + tl.arange(0, IMAGES)
    p = pixel + tl.arange(0, PIXELS)
    mask = (i < last_image)[:, None] & (p < pixels)[None, :]
    offsets = (i.to(tl.int64) * stride_image)[:, None] + (p * stride_pixel)[None, :]
    return ptr + offsets, mask


@triton.jit
def _moments_inner(
    x_ptr, images, pixels, images_per_chunk, pixels_per_chunk, stride_image, stride_pixel,
    ACC: tl.constexpr, IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """(mean, sum of squared deviations) of this program's chunk; x_ptr: the channel's first."""
    first, last, low, high = _chunk_inner(images, pixels, images_per_chunk, pixels_per_chunk)
    ptr, mask = _tile_inner(
        x_ptr, first, low, last, pixels, stride_image, stride_pixel, IMAGES, PIXELS
    )
    head = tl.load(ptr, mask=mask, other=0.0).to(ACC)
    seen = tl.minimum(last - first, IMAGES) * tl.minimum(pixels - low, PIXELS)
    shift = finite_shift(tl.sum(tl.sum(head, 1), 0), seen.to(ACC))
    first_order = tl.zeros((IMAGES, PIXELS), ACC)
    second_order = tl.zeros((IMAGES, PIXELS), ACC)
    for image in range(first, last, IMAGES):
        for pixel in range(low, high, PIXELS):
            ptr, mask = _tile_inner(
                x_ptr, image, pixel, last, pixels, stride_image, stride_pixel, IMAGES, PIXELS
            )
            d = tl.where(mask, tl.load(ptr, mask=mask, other=0.0).to(ACC) - shift, 0.0)
            first_order += d
            second_order += d * d
    count = ((last - first).to(tl.int64) * (high - low)).to(ACC)
    return from_shifted(
        shift, tl.sum(tl.sum(first_order, 1), 0), tl.sum(tl.sum(second_order, 1), 0), count
    )


@triton.jit
def _chunk_outer(rows, rows_per_chunk, ROWS: tl.constexpr):
    """First row of this program's chunk, the row behind its last, and its last tile's first row.

    On GPUs the second reading of a chunk goes from its end to its begin: what the first has read
    last is still in the L2 cache. CPUs prefetch better in the order of memory.
    """
    first = tl.program_id(1) * rows_per_chunk
    last = tl.minimum(first + rows_per_chunk, rows)
    return first, last, first + (last - first - 1) // ROWS * ROWS


@triton.jit
def _moments_outer(
    x_ptr, channel, channel_mask, rows, rows_per_chunk, stride_row, stride_channel,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """(mean, sum of squared deviations) [BLOCK] of this program's chunk of rows."""
    first = tl.program_id(1) * rows_per_chunk
    last = tl.minimum(first + rows_per_chunk, rows)
    lanes = tl.arange(0, ROWS)
    column = (channel * stride_channel)[None, :]
    # The shift is a mean of 16 rows at least: one row could be an outlier in all its channels.
    seen = tl.minimum(last - first, 16 if ROWS < 16 else ROWS)
    head = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(first, first + seen, ROWS):
        mask = (start + lanes < first + seen)[:, None] & channel_mask[None, :]
        offsets = ((start + lanes).to(tl.int64) * stride_row)[:, None] + column
        head += tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
    shift = finite_shift(tl.sum(head, 0), seen.to(ACC))
    first_order = tl.zeros((ROWS, BLOCK), ACC)
    second_order = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(first, last, ROWS):
        mask = (start + lanes < last)[:, None] & channel_mask[None, :]
        offsets = ((start + lanes).to(tl.int64) * stride_row)[:, None] + column
        x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
        d = tl.where(mask, x - shift[None, :], 0.0)
        first_order += d
        second_order += d * d
    count = (last - first).to(ACC)
    return from_shifted(shift, tl.sum(first_order, 0), tl.sum(second_order, 0), count)


@triton.jit
def _finish_moments(
    mean, variance, channel, mask, save_mean_ptr, save_rstd_ptr, running_mean_ptr, running_var_ptr,
    momentum, unbias, eps, ACC: tl.constexpr,
):  # fmt: skip
    """Stores the statistics of a batch, updates the running ones and returns rstd.

    unbias: count / (count - 1), from the host, so that a count of 1 gives what ATen's division
    does.
    """
    rstd = 1.0 / tl.sqrt(variance + eps)
    if save_mean_ptr is not None:
        tl.store(save_mean_ptr + channel, mean.to(save_mean_ptr.dtype.element_ty), mask=mask)
        tl.store(save_rstd_ptr + channel, rstd.to(save_rstd_ptr.dtype.element_ty), mask=mask)
    if running_mean_ptr is not None:
        old = tl.load(running_mean_ptr + channel, mask=mask).to(ACC)
        new = momentum * mean + (1.0 - momentum) * old
        tl.store(running_mean_ptr + channel, new.to(running_mean_ptr.dtype.element_ty), mask=mask)
        old = tl.load(running_var_ptr + channel, mask=mask).to(ACC)
        new = momentum * (variance * unbias) + (1.0 - momentum) * old
        tl.store(running_var_ptr + channel, new.to(running_var_ptr.dtype.element_ty), mask=mask)
    return rstd


@triton.jit
def _given(mean_ptr, rstd_ptr, channel, mask, eps, ACC: tl.constexpr, STATISTICS: tl.constexpr):
    """(mean, rstd) from memory; STATISTICS 2: rstd_ptr has variances."""
    mean = tl.load(mean_ptr + channel, mask=mask).to(ACC)
    rstd = tl.load(rstd_ptr + channel, mask=mask).to(ACC)
    if STATISTICS == 2:
        rstd = 1.0 / tl.sqrt(rstd + eps)
    return mean, rstd


@triton.jit
def _save_given(mean, rstd, channel, mask, save_mean_ptr, save_rstd_ptr):
    """Inference on GPUs returns what it used. Every chunk stores the same values."""
    if save_mean_ptr is not None:
        tl.store(save_mean_ptr + channel, mean.to(save_mean_ptr.dtype.element_ty), mask=mask)
        tl.store(save_rstd_ptr + channel, rstd.to(save_rstd_ptr.dtype.element_ty), mask=mask)


@triton.jit
def moments_inner(
    x_ptr, partial_ptr, channels, images, pixels, images_per_chunk, pixels_per_chunk,
    stride_image, stride_channel, stride_pixel,
    ACC: tl.constexpr, IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, channels]: means, then sums of squared deviations."""
    channel = tl.program_id(0)
    mean, squares = _moments_inner(
        x_ptr + channel.to(tl.int64) * stride_channel, images, pixels, images_per_chunk,
        pixels_per_chunk, stride_image, stride_pixel, ACC, IMAGES, PIXELS,
    )  # fmt: skip
    partial_ptr += tl.program_id(1) * channels + channel
    tl.store(partial_ptr, mean)
    tl.store(partial_ptr + tl.num_programs(1) * channels, squares)


@triton.jit
def moments_outer(
    x_ptr, partial_ptr, channels, rows, rows_per_chunk, stride_row, stride_channel,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, channels]: means, then sums of squared deviations."""
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = channel < channels
    mean, squares = _moments_outer(
        x_ptr, channel, mask, rows, rows_per_chunk, stride_row, stride_channel, ACC, ROWS, BLOCK
    )
    partial_ptr += tl.program_id(1) * channels + channel
    tl.store(partial_ptr, mean, mask=mask)
    tl.store(partial_ptr + tl.num_programs(1) * channels, squares, mask=mask)


@triton.jit
def combine_moments(
    partial_ptr, mean_ptr, rstd_ptr, save_mean_ptr, save_rstd_ptr, running_mean_ptr,
    running_var_ptr, channels, chunks, images, pixels, images_per_chunk, pixels_per_chunk,
    momentum, unbias, eps, ACC: tl.constexpr, CHUNKS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, channels] -> mean, rstd [channels] of ACC; grid cdiv(channels, BLOCK).

    Weighted mean first, then deviations from it. An outer layout passes its rows as images, and one
    pixel.
    """
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = channel < channels
    lanes = tl.arange(0, CHUNKS)
    pixel_chunks = tl.cdiv(pixels, pixels_per_chunk)
    total = tl.zeros((CHUNKS, BLOCK), ACC)
    for start in range(0, chunks, CHUNKS):
        chunk = start + lanes
        tile_mask = (chunk < chunks)[:, None] & mask[None, :]
        image = (chunk // pixel_chunks) * images_per_chunk
        pixel = (chunk % pixel_chunks) * pixels_per_chunk
        size = tl.minimum(images - image, images_per_chunk).to(ACC) * tl.minimum(
            pixels - pixel, pixels_per_chunk
        )
        offsets = (chunk * channels)[:, None] + channel[None, :]
        total += tl.load(partial_ptr + offsets, mask=tile_mask, other=0.0) * size[:, None]
    count = tl.cast(images, ACC) * pixels
    mean = tl.sum(total, 0) / count
    squares = tl.zeros((CHUNKS, BLOCK), ACC)
    for start in range(0, chunks, CHUNKS):
        chunk = start + lanes
        tile_mask = (chunk < chunks)[:, None] & mask[None, :]
        image = (chunk // pixel_chunks) * images_per_chunk
        pixel = (chunk % pixel_chunks) * pixels_per_chunk
        size = tl.minimum(images - image, images_per_chunk).to(ACC) * tl.minimum(
            pixels - pixel, pixels_per_chunk
        )
        offsets = (chunk * channels)[:, None] + channel[None, :]
        d = tl.load(partial_ptr + offsets, mask=tile_mask, other=0.0) - mean[None, :]
        squares += tl.load(partial_ptr + chunks * channels + offsets, mask=tile_mask, other=0.0)
        squares += tl.where(tile_mask, d * d * size[:, None], 0.0)
    variance = tl.sum(squares, 0) / count
    rstd = _finish_moments(
        mean, variance, channel, mask, save_mean_ptr, save_rstd_ptr, running_mean_ptr,
        running_var_ptr, momentum, unbias, eps, ACC,
    )  # fmt: skip
    tl.store(mean_ptr + channel, mean, mask=mask)
    tl.store(rstd_ptr + channel, rstd, mask=mask)


@triton.jit
def normalize_inner(
    x_ptr, weight_ptr, bias_ptr, mean_ptr, rstd_ptr, save_mean_ptr, save_rstd_ptr,
    running_mean_ptr, running_var_ptr, out_ptr, images, pixels, images_per_chunk, pixels_per_chunk,
    stride_image, stride_channel, stride_pixel, out_image, out_channel, out_pixel,
    momentum, unbias, eps,
    ACC: tl.constexpr, STATISTICS: tl.constexpr, IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """x, out [images, channels, pixels]; grid (channels, chunks)."""
    channel = tl.program_id(0)
    x_ptr += channel.to(tl.int64) * stride_channel
    out_ptr += channel.to(tl.int64) * out_channel
    if STATISTICS == 1 or STATISTICS == 3:
        count = tl.cast(images, ACC) * pixels
        if STATISTICS == 3:
            ptr, mask = _tile_inner(
                x_ptr, 0, 0, images, pixels, stride_image, stride_pixel, IMAGES, PIXELS
            )
            x = tl.load(ptr, mask=mask, other=0.0).to(ACC)
            mean, x, squares = center_tile(x, mask, count)
        else:
            mean, squares = _moments_inner(
                x_ptr, images, pixels, images_per_chunk, pixels_per_chunk, stride_image,
                stride_pixel, ACC, IMAGES, PIXELS,
            )  # fmt: skip
        variance = squares / count
        rstd = _finish_moments(
            mean, variance, channel, None, save_mean_ptr, save_rstd_ptr, running_mean_ptr,
            running_var_ptr, momentum, unbias, eps, ACC,
        )  # fmt: skip
    else:
        mean, rstd = _given(mean_ptr, rstd_ptr, channel, None, eps, ACC, STATISTICS)
        _save_given(mean, rstd, channel, None, save_mean_ptr, save_rstd_ptr)
    scale = rstd
    if weight_ptr is not None:
        scale *= tl.load(weight_ptr + channel).to(ACC)
    offset = tl.cast(0.0, ACC)
    if bias_ptr is not None:
        offset = tl.load(bias_ptr + channel).to(ACC)
    if STATISTICS == 3:
        ptr, mask = _tile_inner(out_ptr, 0, 0, images, pixels, out_image, out_pixel, IMAGES, PIXELS)
        tl.store(ptr, (x * scale + offset).to(out_ptr.dtype.element_ty), mask=mask)
    else:
        first, last, low, high = _chunk_inner(images, pixels, images_per_chunk, pixels_per_chunk)
        for image in range(first, last, IMAGES):
            for pixel in range(low, high, PIXELS):
                ptr, mask = _tile_inner(
                    x_ptr, image, pixel, last, pixels, stride_image, stride_pixel, IMAGES, PIXELS
                )
                x = tl.load(ptr, mask=mask, other=0.0).to(ACC)
                result = (x - mean) * scale + offset
                ptr, mask = _tile_inner(
                    out_ptr, image, pixel, last, pixels, out_image, out_pixel, IMAGES, PIXELS
                )
                tl.store(ptr, result.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def normalize_outer(
    x_ptr, weight_ptr, bias_ptr, mean_ptr, rstd_ptr, save_mean_ptr, save_rstd_ptr,
    running_mean_ptr, running_var_ptr, out_ptr, channels, rows, rows_per_chunk,
    stride_row, stride_channel, out_row, out_channel, momentum, unbias, eps,
    ACC: tl.constexpr, STATISTICS: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [rows, channels]; grid (cdiv(channels, BLOCK), chunks)."""
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel_mask = channel < channels
    if STATISTICS == 1:
        mean, squares = _moments_outer(
            x_ptr, channel, channel_mask, rows, rows_per_chunk, stride_row, stride_channel,
            ACC, ROWS, BLOCK,
        )  # fmt: skip
        rstd = _finish_moments(
            mean, squares / tl.cast(rows, ACC), channel, channel_mask, save_mean_ptr,
            save_rstd_ptr, running_mean_ptr, running_var_ptr, momentum, unbias, eps, ACC,
        )  # fmt: skip
    else:
        mean, rstd = _given(mean_ptr, rstd_ptr, channel, channel_mask, eps, ACC, STATISTICS)
        _save_given(mean, rstd, channel, channel_mask, save_mean_ptr, save_rstd_ptr)
    scale = rstd
    if weight_ptr is not None:
        scale *= tl.load(weight_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
    offset = tl.zeros((BLOCK,), ACC)
    if bias_ptr is not None:
        offset = tl.load(bias_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
    first, last, end = _chunk_outer(rows, rows_per_chunk, ROWS)
    lanes = tl.arange(0, ROWS)
    for step in range(first, last, ROWS):
        start = end - (step - first) if on_gpu() else step
        row = (start + lanes).to(tl.int64)
        mask = (start + lanes < last)[:, None] & channel_mask[None, :]
        offsets = (row * stride_row)[:, None] + (channel * stride_channel)[None, :]
        x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
        result = (x - mean[None, :]) * scale[None, :] + offset[None, :]
        offsets = (row * out_row)[:, None] + (channel * out_channel)[None, :]
        tl.store(out_ptr + offsets, result.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _gradient_sums_inner(
    grad_ptr, x_ptr, mean, images, pixels, images_per_chunk, pixels_per_chunk,
    grad_image, grad_pixel, stride_image, stride_pixel,
    ACC: tl.constexpr, IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """Sums of grad and of grad * (x - mean) over this program's chunk."""
    first, last, low, high = _chunk_inner(images, pixels, images_per_chunk, pixels_per_chunk)
    total = tl.zeros((IMAGES, PIXELS), ACC)
    products = tl.zeros((IMAGES, PIXELS), ACC)
    for image in range(first, last, IMAGES):
        for pixel in range(low, high, PIXELS):
            ptr, mask = _tile_inner(
                grad_ptr, image, pixel, last, pixels, grad_image, grad_pixel, IMAGES, PIXELS
            )
            grad = tl.load(ptr, mask=mask, other=0.0).to(ACC)
            ptr, mask = _tile_inner(
                x_ptr, image, pixel, last, pixels, stride_image, stride_pixel, IMAGES, PIXELS
            )
            x = tl.load(ptr, mask=mask, other=0.0).to(ACC)
            total += grad
            products += tl.where(mask, grad * (x - mean), 0.0)
    return tl.sum(tl.sum(total, 1), 0), tl.sum(tl.sum(products, 1), 0)


@triton.jit
def _gradient_sums_outer(
    grad_ptr, x_ptr, mean, channel, channel_mask, rows, rows_per_chunk,
    grad_row, grad_channel, stride_row, stride_channel,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Sums [BLOCK] of grad and of grad * (x - mean) over this program's chunk of rows."""
    first = tl.program_id(1) * rows_per_chunk
    last = tl.minimum(first + rows_per_chunk, rows)
    lanes = tl.arange(0, ROWS)
    total = tl.zeros((ROWS, BLOCK), ACC)
    products = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(first, last, ROWS):
        row = (start + lanes).to(tl.int64)
        mask = (start + lanes < last)[:, None] & channel_mask[None, :]
        offsets = (row * grad_row)[:, None] + (channel * grad_channel)[None, :]
        grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC)
        offsets = (row * stride_row)[:, None] + (channel * stride_channel)[None, :]
        x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
        total += grad
        products += tl.where(mask, grad * (x - mean[None, :]), 0.0)
    return tl.sum(total, 0), tl.sum(products, 0)


@triton.jit
def gradient_sums_inner(
    grad_ptr, x_ptr, mean_ptr, partial_ptr, channels, images, pixels, images_per_chunk,
    pixels_per_chunk, grad_image, grad_channel, grad_pixel,
    stride_image, stride_channel, stride_pixel,
    ACC: tl.constexpr, IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, channels]: sums of grad, then of grad * (x - mean)."""
    channel = tl.program_id(0)
    total, products = _gradient_sums_inner(
        grad_ptr + channel.to(tl.int64) * grad_channel,
        x_ptr + channel.to(tl.int64) * stride_channel,
        tl.load(mean_ptr + channel).to(ACC), images, pixels, images_per_chunk, pixels_per_chunk,
        grad_image, grad_pixel, stride_image, stride_pixel, ACC, IMAGES, PIXELS,
    )  # fmt: skip
    partial_ptr += tl.program_id(1) * channels + channel
    tl.store(partial_ptr, total)
    tl.store(partial_ptr + tl.num_programs(1) * channels, products)


@triton.jit
def gradient_sums_outer(
    grad_ptr, x_ptr, mean_ptr, partial_ptr, channels, rows, rows_per_chunk,
    grad_row, grad_channel, stride_row, stride_channel,
    ACC: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, channels]: sums of grad, then of grad * (x - mean)."""
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = channel < channels
    total, products = _gradient_sums_outer(
        grad_ptr, x_ptr, tl.load(mean_ptr + channel, mask=mask, other=0.0).to(ACC), channel, mask,
        rows, rows_per_chunk, grad_row, grad_channel, stride_row, stride_channel, ACC, ROWS, BLOCK,
    )  # fmt: skip
    partial_ptr += tl.program_id(1) * channels + channel
    tl.store(partial_ptr, total, mask=mask)
    tl.store(partial_ptr + tl.num_programs(1) * channels, products, mask=mask)


@triton.jit
def combine_sums(
    partial_ptr, rstd_ptr, sums_ptr, grad_weight_ptr, grad_bias_ptr, channels, chunks, eps,
    ACC: tl.constexpr, STATISTICS: tl.constexpr, CHUNKS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, channels] -> sums [2, channels], gradients [channels] of the parameters.

    Grid cdiv(channels, BLOCK).
    """
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = channel < channels
    lanes = tl.arange(0, CHUNKS)
    total = tl.zeros((CHUNKS, BLOCK), ACC)
    products = tl.zeros((CHUNKS, BLOCK), ACC)
    for start in range(0, chunks, CHUNKS):
        tile_mask = (start + lanes < chunks)[:, None] & mask[None, :]
        offsets = ((start + lanes) * channels)[:, None] + channel[None, :]
        total += tl.load(partial_ptr + offsets, mask=tile_mask, other=0.0)
        products += tl.load(partial_ptr + chunks * channels + offsets, mask=tile_mask, other=0.0)
    sum_grad = tl.sum(total, 0)
    sum_product = tl.sum(products, 0)
    tl.store(sums_ptr + channel, sum_grad, mask=mask)
    tl.store(sums_ptr + channels + channel, sum_product, mask=mask)
    if grad_weight_ptr is not None:
        rstd = tl.load(rstd_ptr + channel, mask=mask, other=1.0).to(ACC)
        if STATISTICS == 2:
            rstd = 1.0 / tl.sqrt(rstd + eps)
        result = (sum_product * rstd).to(grad_weight_ptr.dtype.element_ty)
        tl.store(grad_weight_ptr + channel, result, mask=mask)
    if grad_bias_ptr is not None:
        tl.store(grad_bias_ptr + channel, sum_grad.to(grad_bias_ptr.dtype.element_ty), mask=mask)


@triton.jit
def backward_input_inner(
    grad_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, sums_ptr, grad_weight_ptr, grad_bias_ptr,
    grad_input_ptr, channels, images, pixels, images_per_chunk, pixels_per_chunk,
    grad_image, grad_channel, grad_pixel, stride_image, stride_channel, stride_pixel,
    out_image, out_channel, out_pixel, eps,
    ACC: tl.constexpr, STATISTICS: tl.constexpr, TRAINING: tl.constexpr, SUMS: tl.constexpr,
    IMAGES: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input (or None) [images, channels, pixels]; grid (channels, chunks).

    SUMS 0: not needed; 1: found here (one chunk); 2: given. STATISTICS 2: rstd_ptr has variances.
    TRAINING: mean and rstd depend on x.
    """
    channel = tl.program_id(0)
    grad_ptr += channel.to(tl.int64) * grad_channel
    x_ptr += channel.to(tl.int64) * stride_channel
    mean, rstd = _given(mean_ptr, rstd_ptr, channel, None, eps, ACC, STATISTICS)
    sum_grad = tl.cast(0.0, ACC)
    sum_product = tl.cast(0.0, ACC)
    if SUMS == 1:
        sum_grad, sum_product = _gradient_sums_inner(
            grad_ptr, x_ptr, mean, images, pixels, images_per_chunk, pixels_per_chunk,
            grad_image, grad_pixel, stride_image, stride_pixel, ACC, IMAGES, PIXELS,
        )  # fmt: skip
        if grad_weight_ptr is not None:
            total = (sum_product * rstd).to(grad_weight_ptr.dtype.element_ty)
            tl.store(grad_weight_ptr + channel, total)
        if grad_bias_ptr is not None:
            tl.store(grad_bias_ptr + channel, sum_grad.to(grad_bias_ptr.dtype.element_ty))
    if SUMS == 2:
        sum_grad = tl.load(sums_ptr + channel)
        sum_product = tl.load(sums_ptr + channels + channel)
    if grad_input_ptr is not None:
        scale = rstd
        if weight_ptr is not None:
            scale *= tl.load(weight_ptr + channel).to(ACC)
        count = tl.cast(images, ACC) * pixels
        mean_grad = sum_grad / count
        slope = sum_product / count * rstd * rstd
        grad_input_ptr += channel.to(tl.int64) * out_channel
        first, last, low, high = _chunk_inner(images, pixels, images_per_chunk, pixels_per_chunk)
        for image in range(first, last, IMAGES):
            for pixel in range(low, high, PIXELS):
                ptr, mask = _tile_inner(
                    grad_ptr, image, pixel, last, pixels, grad_image, grad_pixel, IMAGES, PIXELS
                )
                result = tl.load(ptr, mask=mask, other=0.0).to(ACC)
                if TRAINING:
                    ptr, mask = _tile_inner(
                        x_ptr, image, pixel, last, pixels, stride_image, stride_pixel,
                        IMAGES, PIXELS,
                    )  # fmt: skip
                    x = tl.load(ptr, mask=mask, other=0.0).to(ACC)
                    result = result - mean_grad - (x - mean) * slope
                result *= scale
                ptr, mask = _tile_inner(
                    grad_input_ptr, image, pixel, last, pixels, out_image, out_pixel,
                    IMAGES, PIXELS,
                )  # fmt: skip
                tl.store(ptr, result.to(grad_input_ptr.dtype.element_ty), mask=mask)


@triton.jit
def backward_input_outer(
    grad_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, sums_ptr, grad_weight_ptr, grad_bias_ptr,
    grad_input_ptr, channels, rows, rows_per_chunk,
    grad_row, grad_channel, stride_row, stride_channel, out_row, out_channel, eps,
    ACC: tl.constexpr, STATISTICS: tl.constexpr, TRAINING: tl.constexpr, SUMS: tl.constexpr,
    ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input (or None) [rows, channels]; grid (cdiv(channels, BLOCK), chunks)."""
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel_mask = channel < channels
    mean, rstd = _given(mean_ptr, rstd_ptr, channel, channel_mask, eps, ACC, STATISTICS)
    sum_grad = tl.zeros((BLOCK,), ACC)
    sum_product = tl.zeros((BLOCK,), ACC)
    if SUMS == 1:
        sum_grad, sum_product = _gradient_sums_outer(
            grad_ptr, x_ptr, mean, channel, channel_mask, rows, rows_per_chunk,
            grad_row, grad_channel, stride_row, stride_channel, ACC, ROWS, BLOCK,
        )  # fmt: skip
        if grad_weight_ptr is not None:
            total = (sum_product * rstd).to(grad_weight_ptr.dtype.element_ty)
            tl.store(grad_weight_ptr + channel, total, mask=channel_mask)
        if grad_bias_ptr is not None:
            total = sum_grad.to(grad_bias_ptr.dtype.element_ty)
            tl.store(grad_bias_ptr + channel, total, mask=channel_mask)
    if SUMS == 2:
        sum_grad = tl.load(sums_ptr + channel, mask=channel_mask, other=0.0)
        sum_product = tl.load(sums_ptr + channels + channel, mask=channel_mask, other=0.0)
    if grad_input_ptr is not None:
        scale = rstd
        if weight_ptr is not None:
            scale *= tl.load(weight_ptr + channel, mask=channel_mask, other=0.0).to(ACC)
        mean_grad = sum_grad / tl.cast(rows, ACC)
        slope = sum_product / tl.cast(rows, ACC) * rstd * rstd
        first, last, end = _chunk_outer(rows, rows_per_chunk, ROWS)
        lanes = tl.arange(0, ROWS)
        for step in range(first, last, ROWS):
            start = end - (step - first) if on_gpu() else step
            row = (start + lanes).to(tl.int64)
            mask = (start + lanes < last)[:, None] & channel_mask[None, :]
            offsets = (row * grad_row)[:, None] + (channel * grad_channel)[None, :]
            result = tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC)
            if TRAINING:
                offsets = (row * stride_row)[:, None] + (channel * stride_channel)[None, :]
                x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
                result = result - mean_grad[None, :] - (x - mean[None, :]) * slope[None, :]
            result *= scale[None, :]
            offsets = (row * out_row)[:, None] + (channel * out_channel)[None, :]
            tl.store(
                grad_input_ptr + offsets, result.to(grad_input_ptr.dtype.element_ty), mask=mask
            )
