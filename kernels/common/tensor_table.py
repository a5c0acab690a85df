# SPDX-License-Identifier: Apache-2.0
"""Lists of tensors as one work list: how the foreach kernels find their elements.

Note [Tensor table]
`table` is an int64 array in device memory with one row of COLUMNS entries per tensor:

    0 number of elements    1 number of the tensor's first chunk
    2 the tensor's number, as the bits of an fp64 (of an i64 for integers)
    3, 4, ... addresses: the output, then the operands (dense tensors of the same layout); last, if
      the kernel wants it, that of a single element (a step count)

`chunk_map` is an int32 array: the tensor (row) of each chunk. A chunk is `chunk` consecutive
elements of one tensor, a multiple of 16; a tensor of n elements has cdiv(n, chunk) chunks, an empty
one none. The grid is the number of chunks: one launch serves tensors of unequal sizes with an equal
load per program. Column 2 is used by the ScalarList overloads only.
"""

import triton
import triton.language as tl

COUNT = tl.constexpr(0)
FIRST_CHUNK = tl.constexpr(1)
NUMBER = tl.constexpr(2)
OUT = tl.constexpr(3)


@triton.jit
def find_chunk(table_ptr, chunk_map_ptr, chunk, COLUMNS: tl.constexpr):
    """(row of the table, first and one past the last element of this program's chunk)."""
    tensor = tl.load(chunk_map_ptr + tl.program_id(0)).to(tl.int64)
    row_ptr = table_ptr + tensor * COLUMNS
    start = (tl.program_id(0) - tl.load(row_ptr + FIRST_CHUNK)) * chunk
    start = tl.multiple_of(start, 16)
    return row_ptr, start, tl.minimum(start + chunk, tl.load(row_ptr + COUNT))


@triton.jit
def address(row_ptr, column: tl.constexpr, DTYPE: tl.constexpr, ALIGNED: tl.constexpr):
    """The pointer in a column."""
    pointer = tl.load(row_ptr + column).to(tl.pointer_type(DTYPE))
    if ALIGNED:
        # An address from memory carries no alignment, and a GPU then loads element by element.
        pointer = tl.multiple_of(pointer, 16)
    return pointer


@triton.jit
def listed_number(row_ptr, ACC: tl.constexpr):
    """The tensor's entry of a list of numbers."""
    bits = tl.load(row_ptr + NUMBER)
    if ACC.is_floating():
        return bits.to(tl.float64, bitcast=True).to(ACC)
    else:
        return bits.to(ACC)
