# SPDX-License-Identifier: Apache-2.0
"""The k-th smallest element of each row and its index (kthvalue, median, nanmedian); and where the
most frequent element of a sorted row is (mode), or of a short one.

Elements become unsigned KEYS in the same order, NaN last. The k-th smallest key is the largest
number that at most k keys are below. It is found bit by bit, from the highest one: of rows that a
tile holds one bit at a time, with the keys in registers (`select_tile`); of longer ones two bits at
each walk through the row (`select_loop`). No element moves; the index is the first of those that
equal the result.

WHICH: the element of that rank; MEDIAN: the lower median, or the first NaN; NANMEDIAN: the lower
median of what is no NaN, or NaN.

The functions are called by generated code (src/codegen/row_source.h); results have a stride of 0
along the row.
"""

import triton
import triton.language as tl

KTH = tl.constexpr(0)
MEDIAN = tl.constexpr(1)
NANMEDIAN = tl.constexpr(2)


@triton.jit
def _key_bits(x):
    """The bits of an element, unsigned, in the type of the keys."""
    BITS: tl.constexpr = x.dtype.primitive_bitwidth
    if BITS == 64:
        return x.to(tl.uint64, bitcast=True)
    elif BITS == 32:
        return x.to(tl.uint32, bitcast=True)
    elif BITS == 16:
        return x.to(tl.uint16, bitcast=True).to(tl.uint32)
    else:
        return x.to(tl.uint8, bitcast=True).to(tl.uint32)


@triton.jit
def _from_bits(bits, dtype: tl.constexpr):
    """The element of these bits."""
    BITS: tl.constexpr = dtype.primitive_bitwidth
    if BITS == 16:
        bits = bits.to(tl.uint16)
    elif BITS == 8:
        bits = bits.to(tl.uint8)
    return bits.to(dtype, bitcast=True)


@triton.jit
def _keys(x, bits):
    """Of elements and their bits. All NaN have the highest key; both zeros have one."""
    BITS: tl.constexpr = x.dtype.primitive_bitwidth
    SIGN: tl.constexpr = 1 << (BITS - 1)
    ALL: tl.constexpr = (1 << BITS) - 1
    if x.dtype.is_floating():
        bits = tl.where(x == 0, tl.zeros(bits.shape, bits.dtype), bits)
        key = tl.where((bits & SIGN) != 0, bits ^ ALL, bits ^ SIGN)
        return tl.where(x != x, tl.full(bits.shape, ALL, bits.dtype), key)
    elif x.dtype.is_int_signed():
        return bits ^ SIGN
    else:
        return bits


@triton.jit
def _rank(nans, length, k, WHICH: tl.constexpr):
    """Of the element that is looked for, from 0. NaN are the last of the order."""
    if WHICH == KTH:
        return nans * 0 + k.to(tl.int32)
    elif WHICH == MEDIAN:
        return tl.where(nans > 0, length - 1, (length - 1) // 2)
    else:
        return tl.maximum((length - nans - 1) // 2, 0)


@triton.jit
def _store(values, indices, value, index, lane, kept_mask):
    """One of each row."""
    mask = (lane < 1) & kept_mask
    tl.store(values, tl.broadcast_to(value, values.shape), mask=mask)
    tl.store(indices, tl.broadcast_to(index.to(tl.int64), values.shape), mask=mask)


@triton.jit
def select_tile(
    x, values, indices, lane, kept_mask, length, stride_x, stride_values, stride_indices, k,
    AXIS: tl.constexpr, LANES: tl.constexpr, WHICH: tl.constexpr,
):  # fmt: skip
    """length <= LANES."""
    DTYPE: tl.constexpr = x.dtype.element_ty
    BITS: tl.constexpr = DTYPE.primitive_bitwidth
    ALL: tl.constexpr = (1 << BITS) - 1
    inside = (lane < length) & kept_mask
    element = tl.load(x, mask=inside, other=0)
    bits = _key_bits(element)
    # What is outside of the row is below nothing.
    key = tl.where(inside, _keys(element, bits), tl.full(bits.shape, ALL, bits.dtype))
    if DTYPE.is_floating() and WHICH != KTH:
        nans = tl.sum((inside & (key == ALL)).to(tl.int32), AXIS, keep_dims=True)
    else:
        nans = tl.zeros(kept_mask.shape, tl.int32)
    rank = _rank(nans, length, k, WHICH)
    found = tl.zeros(rank.shape, bits.dtype)
    bit = tl.full((1, 1), 1 << (BITS - 1), bits.dtype)
    for _ in range(BITS):
        candidate = found | bit
        below = tl.sum((key < candidate).to(tl.int32), AXIS, keep_dims=True)
        found = tl.where(below <= rank, candidate, found)
        bit = bit >> 1
    index = tl.min(tl.where(key == found, lane, LANES), AXIS, keep_dims=True)
    mine = tl.sum(tl.where(lane == index, bits, tl.zeros(bits.shape, bits.dtype)), AXIS,
                  keep_dims=True)  # fmt: skip
    _store(values, indices, _from_bits(mine.to(bits.dtype), DTYPE), index, lane, kept_mask)


@triton.jit
def select_loop(
    x, values, indices, lane, kept_mask, length, stride_x, stride_values, stride_indices, k,
    AXIS: tl.constexpr, LANES: tl.constexpr, WHICH: tl.constexpr,
):  # fmt: skip
    """Any length below 2^31."""
    DTYPE: tl.constexpr = x.dtype.element_ty
    BITS: tl.constexpr = DTYPE.primitive_bitwidth
    if DTYPE.is_floating() and WHICH != KTH:
        several = tl.zeros(x.shape, tl.int32)
        for start in range(0, length, LANES):
            inside = (start + lane < length) & kept_mask
            element = tl.load(x + tl.cast(start, tl.int64) * stride_x, mask=inside, other=0)
            several += (element != element).to(tl.int32)
        nans = tl.sum(several, AXIS, keep_dims=True)
    else:
        nans = tl.zeros(kept_mask.shape, tl.int32)
    rank = _rank(nans, length, k, WHICH)
    found = tl.zeros(rank.shape, _key_bits(tl.zeros((1,), DTYPE)).dtype)
    step = tl.full((1, 1), 1 << (BITS - 2), found.dtype)
    for _ in range(BITS // 2):
        first = found + step
        second = first + step
        third = second + step
        below_first = tl.zeros(x.shape, tl.int32)
        below_second = tl.zeros(x.shape, tl.int32)
        below_third = tl.zeros(x.shape, tl.int32)
        for start in range(0, length, LANES):
            inside = (start + lane < length) & kept_mask
            element = tl.load(x + tl.cast(start, tl.int64) * stride_x, mask=inside, other=0)
            key = _keys(element, _key_bits(element))
            below_first += (inside & (key < first)).to(tl.int32)
            below_second += (inside & (key < second)).to(tl.int32)
            below_third += (inside & (key < third)).to(tl.int32)
        found = tl.where(tl.sum(below_first, AXIS, keep_dims=True) <= rank, first, found)
        found = tl.where(tl.sum(below_second, AXIS, keep_dims=True) <= rank, second, found)
        found = tl.where(tl.sum(below_third, AXIS, keep_dims=True) <= rank, third, found)
        step = step >> 2
    index = tl.full(x.shape, 2147483647, tl.int32)
    mine = tl.zeros(x.shape, found.dtype)
    for start in range(0, length, LANES):
        inside = (start + lane < length) & kept_mask
        element = tl.load(x + tl.cast(start, tl.int64) * stride_x, mask=inside, other=0)
        bits = _key_bits(element)
        is_first = inside & (_keys(element, bits) == found) & (start + lane < index)
        index = tl.where(is_first, start + lane, index)
        mine = tl.where(is_first, bits, mine)
    place = tl.min(index, AXIS, keep_dims=True)
    mine = tl.where(index == place, mine, tl.zeros(mine.shape, mine.dtype))
    mine = tl.sum(mine, AXIS, keep_dims=True).to(found.dtype)
    _store(values, indices, _from_bits(mine, DTYPE), place, lane, kept_mask)


@triton.jit
def _later(a, b):
    return tl.maximum(a, b)


@triton.jit
def longest_run(
    x, position, lane, kept_mask, length, stride_x, stride_position,
    AXIS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """Of sorted rows: the end of the longest run of equal elements, the first of several. A NaN is
    a run of its own.
    """
    carry = tl.zeros(kept_mask.shape, tl.int32)
    best = tl.zeros(x.shape, tl.int32)
    end = tl.zeros(x.shape, tl.int32)
    for start in range(0, length, LANES):
        index = start + lane
        inside = (index < length) & kept_mask
        here = x + tl.cast(start, tl.int64) * stride_x
        element = tl.load(here, mask=inside, other=0)
        before = tl.load(here - stride_x, mask=inside & (index > 0), other=0)
        begins = tl.where((index == 0) | (element != before), index, 0)
        first = tl.maximum(tl.associative_scan(begins, AXIS, _later), carry)
        carry = tl.max(first, AXIS, keep_dims=True)
        run = tl.where(inside, index - first + 1, 0)
        end = tl.where(run > best, index, end)
        best = tl.maximum(run, best)
    longest = tl.max(best, AXIS, keep_dims=True)
    end = tl.min(tl.where(best == longest, end, 2147483647), AXIS, keep_dims=True)
    mask = (lane < 1) & kept_mask
    tl.store(position, tl.broadcast_to(end.to(tl.int64), position.shape), mask=mask)


@triton.jit
def mode_of_short(
    x_ptr, values_ptr, indices_ptr, kept_size, length, stride_outer, stride_inner, stride_x,
    stride_value_outer, stride_value_inner, stride_index_outer, stride_index_inner,
    LANES: tl.constexpr,
):  # fmt: skip
    """The mode of rows of at most LANES elements, each compared with all. x [outer, kept_size,
    length]; one program a row.
    """
    row = tl.program_id(0).to(tl.int64)
    outer = row // kept_size
    inner = row % kept_size
    x_ptr += outer * stride_outer + inner * stride_inner
    lane = tl.arange(0, LANES)
    inside = lane < length
    x = tl.load(x_ptr + lane.to(tl.int64) * stride_x, mask=inside, other=0)
    count = tl.zeros((LANES,), tl.int32)
    for i in range(length):
        count += (x == tl.load(x_ptr + tl.cast(i, tl.int64) * stride_x)).to(tl.int32)
    count = tl.where(inside, count, -1)
    if x.dtype == tl.int1:
        bits = x.to(tl.uint32)
        key = bits
    else:
        bits = _key_bits(x)
        key = _keys(x, bits)
    HIGHEST: tl.constexpr = (1 << key.dtype.primitive_bitwidth) - 1
    is_most = count == tl.max(count, 0)
    least = tl.min(tl.where(is_most, key, tl.full(key.shape, HIGHEST, key.dtype)), 0)
    index = tl.max(tl.where(is_most & (key == least), lane, -1), 0)
    mine = tl.where(lane == index, bits, tl.zeros(bits.shape, bits.dtype))
    mine = tl.sum(mine, 0).to(bits.dtype)
    if x.dtype == tl.int1:
        value = mine != 0
    else:
        value = _from_bits(mine, x.dtype)
    tl.store(values_ptr + outer * stride_value_outer + inner * stride_value_inner, value)
    tl.store(
        indices_ptr + outer * stride_index_outer + inner * stride_index_inner, index.to(tl.int64)
    )
