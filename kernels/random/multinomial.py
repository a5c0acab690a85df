# SPDX-License-Identifier: Apache-2.0
"""multinomial: categories drawn with the probabilities of a row.

`scores`: each category's probability divided by an exponential of its own. The largest score of a
row belongs to a category with the probability asked for, and the k largest are k categories drawn
without replacement (Efraimidis and Spirakis 2006). NaN where a probability is negative, infinite or
NaN.

`search`: with replacement, by binary search in the cumulated probabilities of the row.
"""

import triton
import triton.language as tl

from common.philox import CHUNK, GROUPS, draw, to_positive_uniform, to_uniform
from pointwise.arithmetic import any_lane


@triton.jit
def _score_lane(out_ptr, p_ptr, start, count, bits):
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    dtype: tl.constexpr = out_ptr.dtype.element_ty
    p = tl.load(p_ptr + index, mask=index < count, other=0.0).to(dtype)
    uniform = to_positive_uniform(bits)
    # Half a step below 1 where rounding gives 1: an exponential has no 0.
    noise = tl.where(uniform >= 1 - 5.9604645e-8, 5.9604645e-8, -tl.log(uniform))
    score = tl.where((p >= 0) & (p < float("inf")), p / noise.to(dtype), float("nan"))
    tl.store(out_ptr + index, score, mask=index < count)


@triton.jit
def scores(out_ptr, p_ptr, count, seed, offset, offset_in_graph, CHUNKS: tl.constexpr):
    """out (fp32, or fp64 as p), p [count], dense; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, offset_in_graph, chunk)
    start = chunk * CHUNK
    _score_lane(out_ptr, p_ptr, start, count, bits0)
    _score_lane(out_ptr, p_ptr, start + GROUPS, count, bits1)
    _score_lane(out_ptr, p_ptr, start + 2 * GROUPS, count, bits2)
    _score_lane(out_ptr, p_ptr, start + 3 * GROUPS, count, bits3)


@triton.jit
def _search_lane(out_ptr, p_ptr, cumulated_ptr, start, count, samples, categories, steps, bits):
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    mask = index < count
    row = index // samples * categories
    total = tl.load(cumulated_ptr + row + (categories - 1), mask=mask, other=0.0)
    wanted = to_uniform(bits).to(total.dtype) * total
    # The first category whose cumulated probability exceeds what was drawn.
    low = tl.zeros_like(index)
    high = low + (categories - 1)
    for _ in range(steps):
        middle = (low + high) // 2
        exceeds = tl.load(cumulated_ptr + row + middle, mask=mask, other=0.0) > wanted
        high = tl.where(exceeds, middle, high)
        low = tl.where(exceeds, low, tl.minimum(middle + 1, high))
    # Sums that were rounded along different ways may grow where the probability is zero.
    wrong = mask & (tl.load(p_ptr + row + low, mask=mask, other=1.0) <= 0) & (total > 0)
    while any_lane(wrong):
        low = tl.where(wrong, tl.where(low == 0, categories - 1, low - 1), low)
        wrong = wrong & (tl.load(p_ptr + row + low, mask=mask, other=1.0) <= 0)
    tl.store(out_ptr + index, low, mask=mask)


@triton.jit
def search(
    out_ptr, p_ptr, cumulated_ptr, count, samples, categories, steps, seed, offset,
    offset_in_graph, CHUNKS: tl.constexpr,
):  # fmt: skip
    """out [rows, samples] int64 (count elements), p and cumulated [rows, categories], contiguous;
    2^steps >= categories; grid cdiv(count, CHUNKS * 1024).
    """
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, offset_in_graph, chunk)
    start = chunk * CHUNK
    _search_lane(out_ptr, p_ptr, cumulated_ptr, start, count, samples, categories, steps, bits0)
    start += GROUPS
    _search_lane(out_ptr, p_ptr, cumulated_ptr, start, count, samples, categories, steps, bits1)
    start += GROUPS
    _search_lane(out_ptr, p_ptr, cumulated_ptr, start, count, samples, categories, steps, bits2)
    start += GROUPS
    _search_lane(out_ptr, p_ptr, cumulated_ptr, start, count, samples, categories, steps, bits3)
