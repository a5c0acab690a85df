# SPDX-License-Identifier: Apache-2.0
"""Dynamic loss scaling (torch.amp.GradScaler), all on the device.

`unscale`: multiplies the gradients of a list by inv_scale and sets found_inf to 1 if one of them
was infinite or NaN before; table: common/tensor_table.py, Note [Tensor table], one address column.
`update_scale`: the new scale from what was found, one program.
"""

import triton
import triton.language as tl

from common.tensor_table import OUT, address, find_chunk
from foreach.optimizer_step import load_block, store_block


@triton.jit
def _unscale(ptr, index, last, factor, ACC: tl.constexpr, MASKED: tl.constexpr):
    """The largest of 0 and NaN - NaN: 1 where an element is not finite."""
    x = load_block(ptr, index, last, ACC, MASKED)
    broken = (x - x != 0).to(tl.int32)
    if MASKED:
        broken = tl.where(index < last, broken, 0)
    store_block(ptr, index, last, tl.where(factor == 1, x, x * factor), MASKED)
    return broken


@triton.jit
def unscale(
    table_ptr, chunk_map_ptr, chunk, found_inf_ptr, inv_scale_ptr, DTYPE: tl.constexpr,
    ACC: tl.constexpr, ALIGNED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, chunk, 4)
    ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    factor = tl.load(inv_scale_ptr).to(ACC)
    broken = tl.zeros((BLOCK,), tl.int32)
    full = first + (last - first) // BLOCK * BLOCK
    for start in range(first, full, BLOCK):
        broken |= _unscale(ptr, start + tl.arange(0, BLOCK), last, factor, ACC, False)
    for start in range(full, last, BLOCK):
        broken |= _unscale(ptr, start + tl.arange(0, BLOCK), last, factor, ACC, True)
    tl.store(found_inf_ptr, 1.0, mask=tl.max(broken, 0) != 0)


@triton.jit
def update_scale(
    scale_ptr, growth_tracker_ptr, found_inf_ptr, growth_factor, backoff_factor, growth_interval
):
    """Grid 1. A scale that would not be finite does not grow."""
    scale = tl.load(scale_ptr)
    found = tl.load(found_inf_ptr) != 0
    steps = tl.load(growth_tracker_ptr) + 1
    grows = (steps == growth_interval) & (found == 0)
    grown = (scale.to(tl.float64) * growth_factor).to(tl.float32)
    grown = tl.where(grown - grown == 0, grown, scale)
    reduced = (scale.to(tl.float64) * backoff_factor).to(tl.float32)
    tl.store(scale_ptr, tl.where(found, reduced, tl.where(grows, grown, scale)))
    tl.store(growth_tracker_ptr, tl.where(found | grows, 0, steps))
