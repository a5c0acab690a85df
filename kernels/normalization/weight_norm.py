# SPDX-License-Identifier: Apache-2.0
"""Weight norm (Salimans & Kingma 2016): w = g * v / |v|, forward and backward, one launch each.

v is [groups, elements] with a norm for every group, and any strides. AXIS is the tile's axis of
groups: 0, the elements of a group are neighbors, tile [GROUPS, ELEMENTS]; 1, the groups are, tile
[ELEMENTS, GROUPS]. g and norms are dense. Reads v twice, the second time mostly from the cache.
"""

import triton
import triton.language as tl


@triton.jit
def _offsets(group, element, groups, elements, stride_group, stride_element, AXIS: tl.constexpr):
    """(offsets, mask) of a tile."""
    mask = tl.expand_dims(group < groups, 1 - AXIS) & tl.expand_dims(element < elements, AXIS)
    offsets = tl.expand_dims(group.to(tl.int64) * stride_group, 1 - AXIS)
    return offsets + tl.expand_dims(element.to(tl.int64) * stride_element, AXIS), mask


@triton.jit
def _zeros(ACC: tl.constexpr, AXIS: tl.constexpr, GROUPS: tl.constexpr, ELEMENTS: tl.constexpr):
    if AXIS == 0:
        return tl.zeros((GROUPS, ELEMENTS), ACC)
    else:
        return tl.zeros((ELEMENTS, GROUPS), ACC)


@triton.jit
def forward(
    v_ptr, g_ptr, out_ptr, norm_ptr, groups, elements, stride_group, stride_element,
    ACC: tl.constexpr, AXIS: tl.constexpr, GROUPS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """v and out alike; g, norm [groups]; grid cdiv(groups, GROUPS)."""
    group = tl.program_id(0) * GROUPS + tl.arange(0, GROUPS)
    lanes = tl.arange(0, ELEMENTS)
    squares = _zeros(ACC, AXIS, GROUPS, ELEMENTS)
    for start in range(0, elements, ELEMENTS):
        offsets, mask = _offsets(
            group, start + lanes, groups, elements, stride_group, stride_element, AXIS
        )
        v = tl.load(v_ptr + offsets, mask=mask, other=0.0).to(ACC)
        squares += v * v
    norm = tl.sqrt(tl.sum(squares, 1 - AXIS))
    tl.store(norm_ptr + group, norm.to(norm_ptr.dtype.element_ty), mask=group < groups)
    g = tl.load(g_ptr + group, mask=group < groups, other=0.0).to(ACC)
    scale = tl.expand_dims(g / norm, 1 - AXIS)
    for start in range(0, elements, ELEMENTS):
        offsets, mask = _offsets(
            group, start + lanes, groups, elements, stride_group, stride_element, AXIS
        )
        v = tl.load(v_ptr + offsets, mask=mask, other=0.0).to(ACC)
        tl.store(out_ptr + offsets, (v * scale).to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def backward(
    grad_ptr, v_ptr, g_ptr, norm_ptr, grad_v_ptr, grad_g_ptr, groups, elements,
    stride_group, stride_element,
    ACC: tl.constexpr, AXIS: tl.constexpr, GROUPS: tl.constexpr, ELEMENTS: tl.constexpr,
):  # fmt: skip
    """grad, v and grad_v alike; g, norm, grad_g [groups]; grid cdiv(groups, GROUPS)."""
    group = tl.program_id(0) * GROUPS + tl.arange(0, GROUPS)
    lanes = tl.arange(0, ELEMENTS)
    products = _zeros(ACC, AXIS, GROUPS, ELEMENTS)
    for start in range(0, elements, ELEMENTS):
        offsets, mask = _offsets(
            group, start + lanes, groups, elements, stride_group, stride_element, AXIS
        )
        v = tl.load(v_ptr + offsets, mask=mask, other=0.0).to(ACC)
        products += tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC) * v
    norm = tl.load(norm_ptr + group, mask=group < groups, other=1.0).to(ACC)
    g = tl.load(g_ptr + group, mask=group < groups, other=0.0).to(ACC)
    projection = tl.sum(products, 1 - AXIS) / norm
    tl.store(grad_g_ptr + group, projection.to(grad_g_ptr.dtype.element_ty), mask=group < groups)
    scale = tl.expand_dims(g / norm, 1 - AXIS)
    slope = tl.expand_dims(projection / norm, 1 - AXIS)
    for start in range(0, elements, ELEMENTS):
        offsets, mask = _offsets(
            group, start + lanes, groups, elements, stride_group, stride_element, AXIS
        )
        v = tl.load(v_ptr + offsets, mask=mask, other=0.0).to(ACC)
        grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC)
        result = scale * (grad - v * slope)
        tl.store(grad_v_ptr + offsets, result.to(grad_v_ptr.dtype.element_ty), mask=mask)
