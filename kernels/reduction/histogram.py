# SPDX-License-Identifier: Apache-2.0
"""Counts of elements in bins (histc, bincount), and sums of weights over bins.

x is [outer, inner] with strides (FLAT: outer is 1), in any order: a count has none. How an element
finds its BIN:

- LINEAR: of `bins` equal ones from low to high, both included, by ATen's formula in ACC (float
  division or, for integers, division towards zero); NaN and what lies outside are in none.
- VALUE: its value, 0 <= x < bins.

`count_partial`: each program counts its own elements in BINS counters, a power of 2, with no
atomics; partial [programs, bins] is then summed. `count_atomic`: more bins than a program holds;
integer atomics, whose result has no order. `sum_in_order` and `sum_segments`: weights, whose sums
have one: one program walks through them (a CPU), or one program for each bin walks through that
bin's part of the sorted elements.
"""

import triton
import triton.language as tl

from common.target import on_gpu

LINEAR = tl.constexpr(0)
VALUE = tl.constexpr(1)


@triton.jit
def _step(number, x):
    """As ATen's kernel for CPUs does every step: rounded to the type of the elements."""
    if on_gpu():
        return number
    else:
        return number.to(x.dtype).to(number.dtype)


@triton.jit
def _bin(x, inside, low, high, bins, ACC: tl.constexpr, KIND: tl.constexpr):
    """(bin, whether it counts)."""
    if KIND == VALUE:
        index = x.to(tl.int64)
        return index, inside & (index >= 0) & (index < bins)
    if ACC == tl.int64:
        value = x.to(tl.int64)
        index = (value - low) * bins // (high - low)
    else:
        # The limits as numbers of the elements' type.
        low = low.to(x.dtype).to(ACC)
        high = high.to(x.dtype).to(ACC)
        value = x.to(ACC)
        scaled = _step(_step(value - low, x) * _step(bins.to(ACC), x), x)
        width = _step(high - low, x)
        if ACC == tl.float64:
            index = (scaled / width).to(tl.int64)
        else:
            quotient = tl.div_rn(scaled, tl.zeros(scaled.shape, ACC) + width)
            index = _step(quotient, x).to(tl.int64)
    return tl.minimum(index, bins - 1), inside & (value >= low) & (value <= high)


@triton.jit
def _load(x_ptr, index, inside, inner, stride_outer, stride_inner, FLAT: tl.constexpr):
    if FLAT:
        offsets = index * stride_inner
    else:
        offsets = index // inner * stride_outer + index % inner * stride_inner
    return tl.load(x_ptr + offsets, mask=inside, other=0)


@triton.jit
def count_partial(
    x_ptr, partial_ptr, n, inner, stride_outer, stride_inner, low, high, bins, chunk,
    ACC: tl.constexpr, KIND: tl.constexpr, FLAT: tl.constexpr, BINS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [programs, bins], of any dtype; program p counts elements [p * chunk, + chunk)."""
    first = tl.program_id(0).to(tl.int64) * chunk
    last = tl.minimum(first + chunk, n)
    total = tl.zeros((BINS,), tl.int32)
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        inside = index < last
        x = _load(x_ptr, index, inside, inner, stride_outer, stride_inner, FLAT)
        bin, counts = _bin(x, inside, low, high, bins, ACC, KIND)
        total += tl.histogram(bin.to(tl.int32), BINS, mask=counts)
    lane = tl.arange(0, BINS)
    partial_ptr += tl.program_id(0).to(tl.int64) * bins
    tl.store(partial_ptr + lane, total.to(partial_ptr.dtype.element_ty), mask=lane < bins)


@triton.jit
def count_atomic(
    x_ptr, count_ptr, n, inner, stride_outer, stride_inner, low, high, bins,
    ACC: tl.constexpr, KIND: tl.constexpr, FLAT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """count [bins], zeros before; grid cdiv(n, BLOCK)."""
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    inside = index < n
    x = _load(x_ptr, index, inside, inner, stride_outer, stride_inner, FLAT)
    bin, counts = _bin(x, inside, low, high, bins, ACC, KIND)
    tl.atomic_add(count_ptr + bin, 1, mask=counts, sem="relaxed")


@triton.jit
def sum_in_order(x_ptr, weight_ptr, out_ptr, n, stride_x, stride_weight):
    """out [bins], zeros before. One program, one element after the other: for CPUs."""
    for i in range(n):
        index = tl.cast(i, tl.int64)
        bin_ptr = out_ptr + tl.load(x_ptr + index * stride_x).to(tl.int64)
        weight = tl.load(weight_ptr + index * stride_weight).to(out_ptr.dtype.element_ty)
        tl.store(bin_ptr, tl.load(bin_ptr) + weight)


@triton.jit
def _first_not_below(sorted_ptr, n, value):
    """Of the sorted elements, by bisection."""
    low = tl.cast(0, tl.int64)
    high = tl.cast(n, tl.int64)
    while low < high:
        middle = (low + high) // 2
        is_below = tl.load(sorted_ptr + middle).to(tl.int64) < value
        low = tl.where(is_below, middle + 1, low)
        high = tl.where(is_below, high, middle)
    return low


@triton.jit
def sum_segments(sorted_ptr, order_ptr, weight_ptr, out_ptr, n, stride_weight, BLOCK: tl.constexpr):
    """out [bins]; grid bins. `order`: where the sorted elements were before."""
    bin = tl.program_id(0).to(tl.int64)
    first = _first_not_below(sorted_ptr, n, bin)
    last = _first_not_below(sorted_ptr, n, bin + 1)
    total = tl.zeros((BLOCK,), out_ptr.dtype.element_ty)
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        inside = index < last
        position = tl.load(order_ptr + index, mask=inside, other=0)
        weight = tl.load(weight_ptr + position * stride_weight, mask=inside, other=0.0)
        total += weight.to(out_ptr.dtype.element_ty)
    tl.store(out_ptr + bin, tl.sum(total, 0))
