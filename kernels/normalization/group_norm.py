# SPDX-License-Identifier: Apache-2.0
"""Group norm of x [images, groups, depth, pixels] (depth channels a group), forward and backward.

A program has one group of one image, or a chunk of it: `channels_per_chunk` channels and
`pixels_per_chunk` pixels (multiples of the tile). AXIS is the tile's axis of channels: 0, pixels
are neighbors (NCHW), tile [CHANNELS, PIXELS]; 1, channels are (NHWC), tile [PIXELS, CHANNELS]. The
grid is (images * groups, chunks).

- Enough groups to fill the machine: `normalize` finds the moments itself (one launch), reading x
  twice, the second time mostly from the cache; or once, where a tile HOLDS a group, or several
  tiles of 16 bits an element do (`normalize_held`). Else `moments`, batch_norm:combine_moments
  (groups as channels, channels as images), `normalize`.
- Backward: `channel_sums` gives the sums over pixels of grad and of grad * (x - mean) per image and
  channel [2, images, channels]; `backward_input` combines those of a group; `backward_parameters`
  adds those of the images in order: deterministic. With one chunk, `backward_input` makes the sums
  itself.
"""

import triton
import triton.language as tl

from common.moments import center_tile, finite_shift, from_shifted
from common.target import unrelated


@triton.jit
def _tile(
    channel, pixel, depth, pixels, stride_channel, stride_pixel,
    AXIS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """(offsets, mask) of the tile that starts at a channel of the group and a pixel."""
    c = channel + tl.arange(0, CHANNELS)
    p = pixel + tl.arange(0, PIXELS)
    mask = tl.expand_dims(c < depth, 1 - AXIS) & tl.expand_dims(p < pixels, AXIS)
    offsets = tl.expand_dims(c.to(tl.int64) * stride_channel, 1 - AXIS)
    return offsets + tl.expand_dims(p * stride_pixel, AXIS), mask


@triton.jit
def _chunk(depth, pixels, channels_per_chunk, pixels_per_chunk):
    """First and last channel, first and last pixel of this program's chunk."""
    pixel_chunks = tl.cdiv(pixels, pixels_per_chunk)
    channel = (tl.program_id(1) // pixel_chunks) * channels_per_chunk
    pixel = (tl.program_id(1) % pixel_chunks) * pixels_per_chunk
    return (
        channel,
        tl.minimum(channel + channels_per_chunk, depth),
        pixel,
        tl.minimum(pixel + pixels_per_chunk, pixels),
    )


@triton.jit
def _zeros(ACC: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr):
    if AXIS == 0:
        return tl.zeros((CHANNELS, PIXELS), ACC)
    else:
        return tl.zeros((PIXELS, CHANNELS), ACC)


@triton.jit
def _group_start(groups, depth, stride_image, stride_channel):
    """Offset of this program's group."""
    row = tl.program_id(0).to(tl.int64)
    return (row // groups) * stride_image + (row % groups) * depth * stride_channel


@triton.jit
def _moments(
    x_ptr, depth, pixels, channels_per_chunk, pixels_per_chunk, stride_channel, stride_pixel,
    ACC: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """(mean, sum of squared deviations) of this program's chunk; x_ptr: the group's first."""
    first, last, low, high = _chunk(depth, pixels, channels_per_chunk, pixels_per_chunk)
    offsets, mask = _tile(
        first, low, depth, pixels, stride_channel, stride_pixel, AXIS, CHANNELS, PIXELS
    )
    head = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
    seen = tl.minimum(depth - first, CHANNELS) * tl.minimum(pixels - low, PIXELS)
    shift = finite_shift(tl.sum(tl.sum(head, 1), 0), seen.to(ACC))
    first_order = _zeros(ACC, AXIS, CHANNELS, PIXELS)
    second_order = _zeros(ACC, AXIS, CHANNELS, PIXELS)
    for channel in range(first, last, CHANNELS):
        for pixel in range(low, high, PIXELS):
            offsets, mask = _tile(
                channel, pixel, depth, pixels, stride_channel, stride_pixel, AXIS, CHANNELS, PIXELS
            )
            d = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC) - shift
            d = tl.where(mask, d, 0.0)
            first_order += d
            second_order += d * d
    count = ((last - first).to(tl.int64) * (high - low)).to(ACC)
    return from_shifted(
        shift, tl.sum(tl.sum(first_order, 1), 0), tl.sum(tl.sum(second_order, 1), 0), count
    )


@triton.jit
def moments(
    x_ptr, partial_ptr, groups, depth, pixels, channels_per_chunk, pixels_per_chunk,
    stride_image, stride_channel, stride_pixel,
    ACC: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks, images * groups]: means, then sums of squared deviations."""
    mean, squares = _moments(
        x_ptr + _group_start(groups, depth, stride_image, stride_channel), depth, pixels,
        channels_per_chunk, pixels_per_chunk, stride_channel, stride_pixel,
        ACC, AXIS, CHANNELS, PIXELS,
    )  # fmt: skip
    partial_ptr += tl.program_id(1) * tl.num_programs(0) + tl.program_id(0)
    tl.store(partial_ptr, mean)
    tl.store(partial_ptr + tl.num_programs(1) * tl.num_programs(0), squares)


@triton.jit
def _affine(
    weight_ptr, bias_ptr, first_channel, channel, depth, rstd,
    ACC: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr,
):  # fmt: skip
    """(scale, shift) of the channels from `channel` on, along the tile's axis of channels."""
    lanes = channel + tl.arange(0, CHANNELS)
    scale = tl.full((CHANNELS,), 1.0, ACC) * rstd
    if weight_ptr is not None:
        pointers = weight_ptr + first_channel + lanes
        scale *= tl.load(pointers, mask=lanes < depth, other=0.0).to(ACC)
    shift = tl.zeros((CHANNELS,), ACC)
    if bias_ptr is not None:
        pointers = bias_ptr + first_channel + lanes
        shift = tl.load(pointers, mask=lanes < depth, other=0.0).to(ACC)
    return tl.expand_dims(scale, 1 - AXIS), tl.expand_dims(shift, 1 - AXIS)


@triton.jit
def normalize(
    x_ptr, weight_ptr, bias_ptr, mean_ptr, rstd_ptr, save_mean_ptr, save_rstd_ptr, out_ptr,
    groups, depth, pixels, channels_per_chunk, pixels_per_chunk,
    stride_image, stride_channel, stride_pixel, eps,
    ACC: tl.constexpr, HOLDS: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr,
    PIXELS: tl.constexpr,
):  # fmt: skip
    """x, out alike; mean_ptr None: the moments are found here, and saved. HOLDS: so they are, and
    the tile holds the group.
    """
    start = _group_start(groups, depth, stride_image, stride_channel)
    x_ptr += start
    out_ptr += start
    row = tl.program_id(0)
    first_channel = (row % groups) * depth
    if mean_ptr is None:
        count = tl.cast(depth, ACC) * pixels
        if HOLDS:
            offsets, mask = _tile(
                0, 0, depth, pixels, stride_channel, stride_pixel, AXIS, CHANNELS, PIXELS
            )
            x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
            mean, x, squares = center_tile(x, mask, count)
        else:
            mean, squares = _moments(
                x_ptr, depth, pixels, channels_per_chunk, pixels_per_chunk, stride_channel,
                stride_pixel, ACC, AXIS, CHANNELS, PIXELS,
            )  # fmt: skip
        rstd = 1.0 / tl.sqrt(squares / count + eps)
        tl.store(save_mean_ptr + row, mean.to(save_mean_ptr.dtype.element_ty))
        tl.store(save_rstd_ptr + row, rstd.to(save_rstd_ptr.dtype.element_ty))
    else:
        mean = tl.load(mean_ptr + row)
        rstd = tl.load(rstd_ptr + row)
    if HOLDS:
        scale, shift = _affine(
            weight_ptr, bias_ptr, first_channel, 0, depth, rstd, ACC, AXIS, CHANNELS
        )
        result = x * scale + shift
        tl.store(out_ptr + offsets, result.to(out_ptr.dtype.element_ty), mask=mask)
    else:
        first, last, low, high = _chunk(depth, pixels, channels_per_chunk, pixels_per_chunk)
        for channel in range(first, last, CHANNELS):
            scale, shift = _affine(
                weight_ptr, bias_ptr, first_channel, channel, depth, rstd, ACC, AXIS, CHANNELS
            )
            for pixel in range(low, high, PIXELS):
                offsets, mask = _tile(
                    channel, pixel, depth, pixels, stride_channel, stride_pixel, AXIS, CHANNELS,
                    PIXELS,
                )  # fmt: skip
                x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
                result = (x - mean) * scale + shift
                tl.store(out_ptr + offsets, result.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _load_channels(
    x_ptr, index, depth, pixels, stride_channel, stride_pixel,
    CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """(tile `index` of the group's channels as it lies in memory, its mask)."""
    offsets, mask = _tile(
        index * CHANNELS, 0, depth, pixels, stride_channel, stride_pixel, 0, CHANNELS, PIXELS
    )
    return tl.load(x_ptr + offsets, mask=mask, other=0.0), mask


@triton.jit
def _sum_within_threads(x):
    """[A, B] to [A, B / 8], each the sum of what one thread loads at a time."""
    return tl.sum(tl.reshape(x, (x.shape[0], x.shape[1] // 8, 8)), 2)


@triton.jit
def _squares(x, mask, mean):
    deviations = tl.where(mask, x.to(mean.dtype) - mean, 0.0)
    return _sum_within_threads(deviations * deviations)


@triton.jit
def _store_normalized(
    x, weight_ptr, bias_ptr, out_ptr, index, first_channel, depth, pixels, mean, rstd,
    stride_channel, stride_pixel, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    scale, shift = _affine(
        weight_ptr, bias_ptr, first_channel, index * CHANNELS, depth, rstd, mean.dtype, 0,
        CHANNELS,
    )  # fmt: skip
    offsets, mask = _tile(
        index * CHANNELS, 0, depth, pixels, stride_channel, stride_pixel, 0, CHANNELS, PIXELS
    )
    result = (x.to(mean.dtype) - mean) * scale + shift
    tl.store(out_ptr + offsets, result.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def normalize_held(
    x_ptr, weight_ptr, bias_ptr, save_mean_ptr, save_rstd_ptr, out_ptr, groups, depth, pixels,
    stride_image, stride_channel, stride_pixel, eps,
    ACC: tl.constexpr, TILES: tl.constexpr, HELD: tl.constexpr,
    CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """As `normalize` where it finds the moments, for x of 16 bits an element and groups of at most
    TILES * CHANNELS channels and PIXELS pixels, which are neighbors. The
    last HELD tiles are kept in registers as they were loaded, the others read from the cache again.
    """
    AGAIN: tl.constexpr = TILES - HELD
    start = _group_start(groups, depth, stride_image, stride_channel)
    x_ptr += start
    out_ptr += start
    row = tl.program_id(0)
    first_channel = (row % groups) * depth
    count = tl.cast(depth, ACC) * pixels
    total = _sum_within_threads(_zeros(ACC, 0, CHANNELS, PIXELS))
    for index in range(AGAIN):
        x, mask = _load_channels(
            x_ptr, index, depth, pixels, stride_channel, stride_pixel, CHANNELS, PIXELS
        )
        total += _sum_within_threads(x.to(ACC))
    loaded = ()
    for index in tl.static_range(AGAIN, TILES):
        x, mask = _load_channels(
            x_ptr, index, depth, pixels, stride_channel, stride_pixel, CHANNELS, PIXELS
        )
        loaded += (x,)
    for index in tl.static_range(HELD):
        total += _sum_within_threads(loaded[index].to(ACC))
    mean = tl.sum(tl.sum(total, 1), 0) / count
    squares = tl.zeros_like(total)
    held = ()
    for index in tl.static_range(HELD):
        held += (unrelated(loaded[index]),)
        offsets, mask = _tile(
            (AGAIN + index) * CHANNELS, 0, depth, pixels, stride_channel, stride_pixel, 0,
            CHANNELS, PIXELS,
        )  # fmt: skip
        squares += _squares(held[index], mask, mean)
    for index in range(AGAIN):
        x, mask = _load_channels(
            x_ptr, index, depth, pixels, stride_channel, stride_pixel, CHANNELS, PIXELS
        )
        squares += _squares(x, mask, mean)
    rstd = 1.0 / tl.sqrt(tl.sum(tl.sum(squares, 1), 0) / count + eps)
    tl.store(save_mean_ptr + row, mean.to(save_mean_ptr.dtype.element_ty))
    tl.store(save_rstd_ptr + row, rstd.to(save_rstd_ptr.dtype.element_ty))
    for index in tl.static_range(HELD):
        _store_normalized(
            unrelated(held[index]), weight_ptr, bias_ptr, out_ptr, AGAIN + index, first_channel,
            depth, pixels, mean, rstd, stride_channel, stride_pixel, CHANNELS, PIXELS,
        )  # fmt: skip
    for index in range(AGAIN):
        x, mask = _load_channels(
            x_ptr, index, depth, pixels, stride_channel, stride_pixel, CHANNELS, PIXELS
        )
        _store_normalized(
            x, weight_ptr, bias_ptr, out_ptr, index, first_channel, depth, pixels, mean, rstd,
            stride_channel, stride_pixel, CHANNELS, PIXELS,
        )  # fmt: skip


@triton.jit
def _channel_sums(
    grad_ptr, x_ptr, channel, mean, depth, pixels, stride_channel, stride_pixel,
    ACC: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """Sums [CHANNELS] over all pixels of grad and of grad * (x - mean)."""
    total = _zeros(ACC, AXIS, CHANNELS, PIXELS)
    products = _zeros(ACC, AXIS, CHANNELS, PIXELS)
    for pixel in range(0, pixels, PIXELS):
        offsets, mask = _tile(
            channel, pixel, depth, pixels, stride_channel, stride_pixel, AXIS, CHANNELS, PIXELS
        )
        grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC)
        x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
        total += grad
        products += tl.where(mask, grad * (x - mean), 0.0)
    return tl.sum(total, 1 - AXIS), tl.sum(products, 1 - AXIS)


@triton.jit
def channel_sums(
    grad_ptr, x_ptr, mean_ptr, sums_ptr, groups, depth, pixels,
    stride_image, stride_channel, stride_pixel,
    ACC: tl.constexpr, AXIS: tl.constexpr, CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """sums [2, images, channels]; grid (images * groups, cdiv(depth, CHANNELS))."""
    start = _group_start(groups, depth, stride_image, stride_channel)
    channel = tl.program_id(1) * CHANNELS
    mean = tl.load(mean_ptr + tl.program_id(0)).to(ACC)
    total, products = _channel_sums(
        grad_ptr + start, x_ptr + start, channel, mean, depth, pixels,
        stride_channel, stride_pixel, ACC, AXIS, CHANNELS, PIXELS,
    )  # fmt: skip
    lanes = channel + tl.arange(0, CHANNELS)
    sums_ptr += tl.program_id(0) * depth + lanes
    tl.store(sums_ptr, total, mask=lanes < depth)
    tl.store(sums_ptr + tl.num_programs(0) * depth, products, mask=lanes < depth)


@triton.jit
def backward_input(
    grad_ptr, x_ptr, weight_ptr, mean_ptr, rstd_ptr, sums_ptr, grad_input_ptr,
    groups, depth, pixels, channels_per_chunk, pixels_per_chunk,
    stride_image, stride_channel, stride_pixel,
    ACC: tl.constexpr, FINDS_SUMS: tl.constexpr, AXIS: tl.constexpr,
    CHANNELS: tl.constexpr, PIXELS: tl.constexpr,
):  # fmt: skip
    """grad, x, grad_input alike; FINDS_SUMS (one chunk): writes sums [2, images, channels]."""
    row = tl.program_id(0)
    start = _group_start(groups, depth, stride_image, stride_channel)
    grad_ptr += start
    x_ptr += start
    grad_input_ptr += start
    sums_ptr += row * depth
    mean = tl.load(mean_ptr + row).to(ACC)
    rstd = tl.load(rstd_ptr + row).to(ACC)
    first_channel = (row % groups) * depth
    lanes = tl.arange(0, CHANNELS)
    sum_grad = tl.zeros((CHANNELS,), ACC)
    sum_product = tl.zeros((CHANNELS,), ACC)
    for channel in range(0, depth, CHANNELS):
        in_group = channel + lanes < depth
        pointers = sums_ptr + channel + lanes
        if FINDS_SUMS:
            total, products = _channel_sums(
                grad_ptr, x_ptr, channel, mean, depth, pixels, stride_channel, stride_pixel,
                ACC, AXIS, CHANNELS, PIXELS,
            )  # fmt: skip
            tl.store(pointers, total, mask=in_group)
            tl.store(pointers + tl.num_programs(0) * depth, products, mask=in_group)
        else:
            total = tl.load(pointers, mask=in_group, other=0.0)
            products = tl.load(pointers + tl.num_programs(0) * depth, mask=in_group, other=0.0)
        if weight_ptr is not None:
            weight = tl.load(
                weight_ptr + first_channel + channel + lanes, mask=in_group, other=0.0
            ).to(ACC)
            total *= weight
            products *= weight
        sum_grad += total
        sum_product += products
    count = tl.cast(depth, ACC) * pixels
    mean_grad = tl.sum(sum_grad, 0) / count
    slope = tl.sum(sum_product, 0) / count * rstd * rstd
    first, last, low, high = _chunk(depth, pixels, channels_per_chunk, pixels_per_chunk)
    for channel in range(first, last, CHANNELS):
        weight = tl.full((CHANNELS,), 1.0, ACC)
        if weight_ptr is not None:
            pointers = weight_ptr + first_channel + channel + lanes
            weight = tl.load(pointers, mask=channel + lanes < depth, other=0.0).to(ACC)
        weight = tl.expand_dims(weight, 1 - AXIS)
        for pixel in range(low, high, PIXELS):
            offsets, mask = _tile(
                channel, pixel, depth, pixels, stride_channel, stride_pixel, AXIS, CHANNELS, PIXELS
            )
            grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC)
            x = tl.load(x_ptr + offsets, mask=mask, other=0.0).to(ACC)
            result = (grad * weight - mean_grad - (x - mean) * slope) * rstd
            tl.store(
                grad_input_ptr + offsets, result.to(grad_input_ptr.dtype.element_ty), mask=mask
            )


@triton.jit
def backward_parameters(
    sums_ptr, rstd_ptr, grad_weight_ptr, grad_bias_ptr, images, channels, groups, depth,
    ACC: tl.constexpr, IMAGES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """sums [2, images, channels], rstd [images, groups] -> gradients [channels] (or None).

    Grid cdiv(channels, BLOCK).
    """
    channel = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    channel_mask = channel < channels
    lanes = tl.arange(0, IMAGES)
    weight_total = tl.zeros((IMAGES, BLOCK), ACC)
    bias_total = tl.zeros((IMAGES, BLOCK), ACC)
    for start in range(0, images, IMAGES):
        image = start + lanes
        mask = (image < images)[:, None] & channel_mask[None, :]
        offsets = (image * channels)[:, None] + channel[None, :]
        if grad_bias_ptr is not None:
            bias_total += tl.load(sums_ptr + offsets, mask=mask, other=0.0)
        if grad_weight_ptr is not None:
            rstd_offsets = (image * groups)[:, None] + (channel // depth)[None, :]
            rstd = tl.load(rstd_ptr + rstd_offsets, mask=mask, other=0.0).to(ACC)
            product = tl.load(sums_ptr + images * channels + offsets, mask=mask, other=0.0)
            weight_total += product * rstd
    if grad_weight_ptr is not None:
        result = tl.sum(weight_total, 0).to(grad_weight_ptr.dtype.element_ty)
        tl.store(grad_weight_ptr + channel, result, mask=channel_mask)
    if grad_bias_ptr is not None:
        result = tl.sum(bias_total, 0).to(grad_bias_ptr.dtype.element_ty)
        tl.store(grad_bias_ptr + channel, result, mask=channel_mask)
