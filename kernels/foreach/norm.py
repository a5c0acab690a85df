# SPDX-License-Identifier: Apache-2.0
"""_foreach_norm, _foreach_powsum, _foreach_max: one number per tensor of a list, two launches for
the whole list, deterministic.

`norm_chunks` writes one partial result per chunk, `norm_tensors` combines the chunks of each tensor
in a fixed order. ORDER is 1, 2, 0 for the maximum norm, or MAXIMUM for the largest element; the sum
of squares becomes a norm if ROOT. Table: common/tensor_table.py, Note [Tensor table], with one
address column, the input. An empty tensor has norm 0.
"""

import triton
import triton.language as tl

from common.tensor_table import COUNT, FIRST_CHUNK, OUT, address, find_chunk

MAXIMUM = tl.constexpr(3)


@triton.jit
def _start(BLOCK: tl.constexpr, ACC: tl.constexpr, ORDER: tl.constexpr):
    """Lanes before the first element."""
    if ORDER == MAXIMUM:
        return tl.full((BLOCK,), float("-inf"), ACC)
    else:
        return tl.zeros((BLOCK,), ACC)


@triton.jit
def _maximum(a, b):
    return tl.maximum(a, b, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def _accumulate(accumulator, x, ORDER: tl.constexpr):
    if ORDER == 2:
        return accumulator + x * x
    elif ORDER == 1:
        return accumulator + tl.abs(x)
    elif ORDER == MAXIMUM:
        return _maximum(accumulator, x)
    else:
        return _maximum(accumulator, tl.abs(x))


@triton.jit
def norm_chunks(
    table_ptr, chunk_map_ptr, chunk, partial_ptr, DTYPE: tl.constexpr, ACC: tl.constexpr,
    ORDER: tl.constexpr, ALIGNED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [chunks] of ACC; grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, chunk, 4)
    x_ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    accumulator = _start(BLOCK, ACC, ORDER)
    # Full blocks need no mask, whatever the sizes of the tensors.
    full = first + (last - first) // BLOCK * BLOCK
    for start in range(first, full, BLOCK):
        x = tl.load(x_ptr + start + tl.arange(0, BLOCK)).to(ACC)
        accumulator = _accumulate(accumulator, x, ORDER)
    for start in range(full, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        rest: tl.constexpr = float("-inf") if ORDER == MAXIMUM else 0.0
        x = tl.load(x_ptr + index, mask=index < last, other=rest).to(ACC)
        accumulator = _accumulate(accumulator, x, ORDER)
    if ORDER == 0 or ORDER == MAXIMUM:
        result = tl.reduce(accumulator, 0, _maximum)
    else:
        result = tl.sum(accumulator, 0)
    tl.store(partial_ptr + tl.program_id(0), result)


@triton.jit
def norm_tensors(
    table_ptr, chunk, partial_ptr, out_ptr, ACC: tl.constexpr, ORDER: tl.constexpr,
    ROOT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out [tensors]; grid number of tensors."""
    row_ptr = table_ptr + tl.program_id(0).to(tl.int64) * 4
    first = tl.load(row_ptr + FIRST_CHUNK)
    chunks = tl.cdiv(tl.load(row_ptr + COUNT), chunk).to(tl.int32)
    lanes = tl.arange(0, BLOCK)
    accumulator = _start(BLOCK, ACC, ORDER)
    rest: tl.constexpr = float("-inf") if ORDER == MAXIMUM else 0.0
    for start in range(0, chunks, BLOCK):
        partial = tl.load(
            partial_ptr + first + start + lanes, mask=start + lanes < chunks, other=rest
        )
        if ORDER == 0 or ORDER == MAXIMUM:
            accumulator = _maximum(accumulator, partial)
        else:
            accumulator += partial
    if ORDER == 0 or ORDER == MAXIMUM:
        result = tl.reduce(accumulator, 0, _maximum)
    elif ROOT and ORDER == 2:
        result = tl.sqrt(tl.sum(accumulator, 0))
    else:
        result = tl.sum(accumulator, 0)
    tl.store(out_ptr + tl.program_id(0), result.to(out_ptr.dtype.element_ty))
