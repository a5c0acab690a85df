# SPDX-License-Identifier: Apache-2.0
"""_foreach_copy_: casts each tensor of a list into its partner; table: common/tensor_table.py, Note
[Tensor table], columns target and source, each list of one dtype.
"""

import triton
import triton.language as tl

from common.tensor_table import OUT, address, find_chunk


@triton.jit
def copy(
    table_ptr, chunk_map_ptr, chunk, OUT_DTYPE: tl.constexpr, IN_DTYPE: tl.constexpr,
    ALIGNED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, chunk, 5)
    out_ptr = address(row_ptr, OUT, OUT_DTYPE, ALIGNED)
    in_ptr = address(row_ptr, 4, IN_DTYPE, ALIGNED)
    full = first + (last - first) // BLOCK * BLOCK
    for start in range(first, full, BLOCK):
        index = start + tl.arange(0, BLOCK)
        tl.store(out_ptr + index, tl.load(in_ptr + index).to(OUT_DTYPE))
    for start in range(full, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        mask = index < last
        tl.store(out_ptr + index, tl.load(in_ptr + index, mask=mask).to(OUT_DTYPE), mask=mask)
