# SPDX-License-Identifier: Apache-2.0
"""Distances of the rows of one matrix (pdist), and gradients of pdist and cdist.

Pair (i, j), i < j, of n rows is entry i n - i (i + 1) / 2 + j - i - 1 of pdist's result. ORDER
selects the norm: 0, 1, 2, 3 for infinity, 4 for any other, which comes as a number.

- `pair_distances`: each program computes the distances of one row from ROWS later ones.
- `pair_distances_across`: of a matrix whose columns lie along memory, for CPUs: a lane for each
  later row, so that nothing is added across lanes.
- `gradient`: one program for a row of the first matrix and BLOCK of its columns, which walks
  through ROWS rows of the second at a time; nothing is added in an order that differs from run to
  run. PAIRED: both matrices are one, and distances and their gradients are pdist's.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from reduction.norm import (
    add,
    difference_is_nonzero,
    difference_magnitude,
    difference_power,
    difference_square,
    inverse_power,
    maximum,
    root,
)

ZERO = tl.constexpr(0)
ONE = tl.constexpr(1)
TWO = tl.constexpr(2)
INFINITY = tl.constexpr(3)


@triton.jit
def _entry(i, j, n):
    """Of the pair's distance; i < j."""
    return i * n - i * (i + 1) // 2 + j - i - 1


@triton.jit
def _part(x, y, order, ORDER: tl.constexpr):
    if ORDER == ZERO:
        return difference_is_nonzero(x, y).to(x.dtype)
    elif ORDER == TWO:
        return difference_square(x, y)
    elif ORDER == ONE or ORDER == INFINITY:
        return difference_magnitude(x, y)
    else:
        return difference_power(x, y, order)


@triton.jit
def _parts(
    x_ptr, i, j, exists, column, columns, stride_row, stride_column, order, ORDER: tl.constexpr
):  # fmt: skip
    """Of the distances of row i from rows j, what some columns add; 0 outside."""
    inside = column < columns
    offsets = column.to(tl.int64) * stride_column
    x = tl.load(x_ptr + i * stride_row + offsets, mask=inside, other=0.0)
    y = tl.load(x_ptr + j * stride_row + offsets, mask=inside & exists, other=0.0)
    return tl.where(inside, _part(x, y, order, ORDER), 0.0)


@triton.jit
def pair_distances(
    x_ptr, out_ptr, n, columns, stride_row, stride_column, order, inverse_order,
    ORDER: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """x [n, columns], out [pairs]; grid (n - 1, cdiv(n - 1, ROWS)). WHOLE: columns <= BLOCK."""
    i = tl.program_id(0).to(tl.int64)
    first = i + 1 + tl.program_id(1) * ROWS
    if first >= n:
        return
    j = first + tl.arange(0, ROWS)[:, None]
    exists = j < n
    lane = tl.arange(0, BLOCK)[None, :]
    total = _parts(x_ptr, i, j, exists, lane, columns, stride_row, stride_column, order, ORDER)
    if not WHOLE:
        for start in range(BLOCK, columns, BLOCK):
            parts = _parts(
                x_ptr, i, j, exists, start + lane, columns, stride_row, stride_column, order, ORDER
            )
            if ORDER == INFINITY:
                total = maximum(total, parts)
            else:
                total = add(total, parts)
    if ORDER == INFINITY:
        distance = tl.reduce(total, 1, maximum)
    else:
        distance = tl.sum(total, 1)
    if ORDER == TWO:
        distance = root(distance)
    elif ORDER > INFINITY:
        distance = inverse_power(distance, inverse_order)
    tl.store(out_ptr + _entry(i, j, n), distance[:, None], mask=exists)


@triton.jit
def pair_distances_across(
    x_ptr, out_ptr, n, columns, stride_row, stride_column, order, inverse_order,
    ORDER: tl.constexpr, ROWS: tl.constexpr, LANES: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Of ROWS rows from LANES others; grid (cdiv(n, ROWS), cdiv(n, LANES)).

    A total gets sums of BLOCK columns each, which bounds its error. Blocks of lanes come from both
    ends in turn: the later, the more rows are before them.
    """
    half = tl.program_id(1) // 2
    block = tl.num_programs(1) - 1 - half if tl.program_id(1) % 2 == 1 else half
    first_i = tl.program_id(0) * ROWS
    first_j = block * LANES
    if first_j + LANES - 1 <= first_i:
        return
    i = first_i + tl.arange(0, ROWS)[:, None]
    j = first_j + tl.arange(0, LANES)[None, :]
    exists = j < n
    row = tl.minimum(i, n - 1).to(tl.int64)
    total = tl.zeros((ROWS, LANES), x_ptr.dtype.element_ty)
    for start in range(0, columns, BLOCK):
        several = tl.zeros((ROWS, LANES), x_ptr.dtype.element_ty)
        for column in range(start, tl.minimum(start + BLOCK, columns)):
            here = x_ptr + tl.cast(column, tl.int64) * stride_column
            y = tl.load(here + j * stride_row, mask=exists, other=0.0)
            part = _part(tl.load(here + row * stride_row), y, order, ORDER)
            several = maximum(several, part) if ORDER == INFINITY else several + part
        total = maximum(total, several) if ORDER == INFINITY else total + several
    if ORDER == TWO:
        total = root(total)
    elif ORDER > INFINITY:
        total = inverse_power(total, inverse_order)
    tl.store(out_ptr + _entry(i.to(tl.int64), j, n), total, mask=exists & (j > i))


@triton.jit
def _slope(difference, distance, grad, order, ORDER: tl.constexpr):
    """Of a distance by an element of the first row, times the gradient. Equal rows have none."""
    sign = tl.where(difference > 0, 1.0, tl.where(difference < 0, -1.0, 0.0)).to(difference.dtype)
    if ORDER == ONE:
        return grad * sign
    elif ORDER == INFINITY:
        return tl.where(tl.abs(difference) == distance, grad * sign, 0.0)
    elif ORDER == TWO:
        return difference * tl.where(distance == 0, 0.0, grad / distance)
    else:
        exponent = order.to(difference.dtype) - 1
        power = libdevice.pow(tl.abs(difference), exponent + tl.zeros_like(difference))
        whole = libdevice.pow(distance, exponent + tl.zeros_like(distance))
        steepness = tl.where(difference == 0, 0.0, sign * power)
        return steepness * tl.where(distance == 0, 0.0, grad / whole)


@triton.jit
def gradient(
    grad_ptr, x_ptr, y_ptr, distance_ptr, out_ptr, n, m, columns, stride_grad, order,
    ORDER: tl.constexpr, PAIRED: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """x, out [batch, n, columns], y [batch, m, columns], dense; grad and distance [batch, n, m]
    dense, or of pairs. Grid (batch n, cdiv(columns, BLOCK)).
    """
    program = tl.program_id(0).to(tl.int64)
    batch = program // n
    i = program % n
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)[None, :]
    has_column = column < columns
    x = tl.load(x_ptr + program * columns + column, mask=has_column, other=0.0)
    total = tl.zeros((ROWS, BLOCK), x_ptr.dtype.element_ty)
    for start in range(0, m, ROWS):
        j = start + tl.arange(0, ROWS)[:, None].to(tl.int64)
        exists = j < m
        if PAIRED:
            exists = exists & (j != i)
            entry = _entry(tl.minimum(i, j), tl.maximum(i, j), n)
        else:
            entry = program * m + j
        grad = tl.load(grad_ptr + entry * stride_grad, mask=exists, other=0.0)
        distance = tl.load(distance_ptr + entry, mask=exists, other=0.0)
        inside = exists & has_column
        y = tl.load(y_ptr + (batch * m + j) * columns + column, mask=inside, other=0.0)
        slope = _slope(x - y, distance, grad, order, ORDER)
        total += tl.where(inside, slope, 0.0)
    result = tl.sum(total, 0)[None, :]
    tl.store(out_ptr + program * columns + column, result, mask=has_column)
