# SPDX-License-Identifier: Apache-2.0
"""randperm: a random order of 0 .. n - 1, in one launch and without a sort.

`rank_keys`, for few elements: each draws 31 bits, and its rank among all of them is its number, so
that every order is equally likely.

`permute`, for many: element i is enciphered. With i = left * B + right, left < A, right < B, the
rounds of a generalized Feistel network (Black and Rogaway 2002) add to each half a hash of the
other, modulo A or B: a permutation of A * B numbers, whatever the hash. Results >= n are
enciphered again until they are not (cycle walking), which makes it one of n numbers. A * B
exceeds n by little, so that hardly any is; A is even, since with two odd factors each round is an
even permutation and half of all orders would never come. The rounds' eight keys are drawn; the
hash is two rounds of multiply and shift.
"""

import triton
import triton.language as tl

from pointwise.arithmetic import any_lane


@triton.jit
def _draw(seed, counter):
    """Four numbers of 32 bits for each counter."""
    low = (counter & 0xFFFFFFFF).to(tl.uint32)
    high = (counter >> 32).to(tl.uint32)
    return tl.philox(seed, low, high, tl.zeros_like(low), tl.zeros_like(low) + 1)


@triton.jit
def rank_keys(out_ptr, n, stride, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """out [n], n <= BLOCK; one program."""
    if offset_in_graph is not None:
        seed = tl.load(seed)
        offset = tl.load(offset) + offset_in_graph
    index = tl.arange(0, BLOCK)
    keys, _, _, _ = _draw(seed, (offset >> 2) + index)
    # 31 bits, so that one comparison orders equal keys by their places as well. Summed over one
    # row, keys are drawn once: they were drawn again for the other side of the comparisons.
    keys = tl.sum((keys >> 1)[None, :], 0)
    earlier = keys[:, None] < keys[None, :] + (index[:, None] < index[None, :]).to(tl.uint32)
    rank = tl.sum((earlier & (index < n)[:, None]).to(tl.int32), axis=0)
    tl.store(out_ptr + index * stride, rank.to(out_ptr.dtype.element_ty), mask=index < n)


@triton.jit
def _hash(x, key):
    x = (x * 0x9E3779B1) ^ key
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


@triton.jit
def _shift(half, other, key, size):
    """half + a hash of the other half, modulo size."""
    half += tl.umulhi(_hash(other, key), tl.zeros_like(half) + size)
    return tl.where(half >= size, half - size, half)


@triton.jit
def permute(out_ptr, n, stride, a, b, seed, offset, offset_in_graph, BLOCK: tl.constexpr):
    """out [n], a * b >= n, n < 2^40, a and b of n's type; grid cdiv(n, BLOCK)."""
    if offset_in_graph is not None:
        seed = tl.load(seed)
        offset = tl.load(offset) + offset_in_graph
    key0, key1, key2, key3 = _draw(seed, offset >> 2)
    key4, key5, key6, key7 = _draw(seed, (offset >> 2) + 1)
    index = tl.program_id(0).to(n.dtype) * BLOCK + tl.arange(0, BLOCK)
    size_a = a.to(tl.uint32)
    size_b = b.to(tl.uint32)
    # The quotient of such numbers, rounded to fp64, does not reach the next integer.
    left = (index.to(tl.float64) / b.to(tl.float64)).to(n.dtype)
    right = (index - left * b).to(tl.uint32)
    left = left.to(tl.uint32)
    value = index
    active = index < n
    while any_lane(active):
        left = _shift(left, right, key0, size_a)
        right = _shift(right, left, key1, size_b)
        left = _shift(left, right, key2, size_a)
        right = _shift(right, left, key3, size_b)
        left = _shift(left, right, key4, size_a)
        right = _shift(right, left, key5, size_b)
        left = _shift(left, right, key6, size_a)
        right = _shift(right, left, key7, size_b)
        value = tl.where(active, left.to(n.dtype) * b + right.to(n.dtype), value)
        active = active & (value >= n)
    place = index.to(tl.int64) * stride
    tl.store(out_ptr + place, value.to(out_ptr.dtype.element_ty), mask=index < n)
