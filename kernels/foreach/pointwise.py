# SPDX-License-Identifier: Apache-2.0
"""Pointwise operators on lists of tensors, one launch per list: _foreach_add, _mul, _div, _sqrt,
_lerp, _addcmul, ...

Tensors are found through a table, see common/tensor_table.py, Note [Tensor table]. In place, the
output column holds the address of the first operand. All tensors of a list have the type DTYPE;
values are computed in ACC (fp32 for 16-bit floats) and rounded once.

The scalar operand `s` is, by SCALAR_FROM: 0 the argument `scalar`; 1 the tensor's entry of a
ScalarList; 2 the one element at `scalar_ptr` (the .Tensor overloads); 3 none.

- `unary`: out = f(x)           OPERATION 0 sqrt, 1 neg, 2 abs, 3 reciprocal, 4 zero, 5 copy
- `binary_scalar`: f(x, s)      OPERATION 0 x + alpha * s, 1 x - alpha * s, 2 x * s, 3 x / s, 4
  maximum, 5 minimum
- `binary_list`: f(x, y)        the same operations with the tensor y for s
- `ternary`: f(x, y, z, s)      OPERATION 0 x + s * y * z (addcmul), 1 x + s * y / z (addcdiv)
- `lerp`: x + s * (y - x)
"""

import triton
import triton.language as tl

from common.tensor_table import OUT, address, find_chunk, listed_scalar


@triton.jit
def _scalar_operand(row_ptr, scalar, scalar_ptr, SCALAR_FROM: tl.constexpr, ACC: tl.constexpr):
    if SCALAR_FROM == 1:
        return listed_scalar(row_ptr, ACC)
    elif SCALAR_FROM == 2:
        return tl.load(scalar_ptr).to(ACC)
    else:
        return tl.cast(scalar, ACC)


@triton.jit
def _divide(a, b):
    # div_rn: the default fp32 division of GPUs is 2 ulp, ATen's is correctly rounded.
    if a.dtype == tl.float32:
        return tl.div_rn(a, b)
    else:
        return a / b


@triton.jit
def _binary(x, y, alpha, OPERATION: tl.constexpr):
    if OPERATION == 0:
        return x + alpha * y
    elif OPERATION == 1:
        return x - alpha * y
    elif OPERATION == 2:
        return x * y
    elif OPERATION == 3:
        return _divide(x, y)
    elif OPERATION == 4:
        return tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)
    else:
        return tl.minimum(x, y, propagate_nan=tl.PropagateNan.ALL)


@triton.jit
def unary(
    table_ptr, chunk_map_ptr, DTYPE: tl.constexpr, ACC: tl.constexpr, OPERATION: tl.constexpr,
    ALIGNED: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Table columns: out, x; grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, 5, ALIGNED, CHUNK)
    out_ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    x_ptr = address(row_ptr, OUT + 1, DTYPE, ALIGNED)
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        mask = index < last
        if OPERATION == 4:
            result = tl.zeros((BLOCK,), ACC)
        else:
            x = tl.load(x_ptr + index, mask=mask).to(ACC)
            if OPERATION == 0:
                result = tl.sqrt_rn(x) if ACC == tl.float32 else tl.sqrt(x)
            elif OPERATION == 1:
                result = -x
            elif OPERATION == 2:
                result = tl.abs(x)
            elif OPERATION == 3:
                result = _divide(tl.full((BLOCK,), 1.0, ACC), x)
            else:
                result = x
        tl.store(out_ptr + index, result.to(DTYPE), mask=mask)


@triton.jit
def binary_scalar(
    table_ptr, chunk_map_ptr, scalar, scalar_ptr, alpha,
    DTYPE: tl.constexpr, ACC: tl.constexpr, OPERATION: tl.constexpr, SCALAR_FROM: tl.constexpr,
    ALIGNED: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Table columns: out, x; grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, 5, ALIGNED, CHUNK)
    out_ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    x_ptr = address(row_ptr, OUT + 1, DTYPE, ALIGNED)
    operand = _scalar_operand(row_ptr, scalar, scalar_ptr, SCALAR_FROM, ACC)
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        mask = index < last
        x = tl.load(x_ptr + index, mask=mask).to(ACC)
        y = tl.full((BLOCK,), 0.0, ACC) + operand
        result = _binary(x, y, tl.cast(alpha, ACC), OPERATION)
        tl.store(out_ptr + index, result.to(DTYPE), mask=mask)


@triton.jit
def binary_list(
    table_ptr, chunk_map_ptr, alpha, DTYPE: tl.constexpr, ACC: tl.constexpr,
    OPERATION: tl.constexpr, ALIGNED: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Table columns: out, x, y; grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, 6, ALIGNED, CHUNK)
    out_ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    x_ptr = address(row_ptr, OUT + 1, DTYPE, ALIGNED)
    y_ptr = address(row_ptr, OUT + 2, DTYPE, ALIGNED)
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        mask = index < last
        x = tl.load(x_ptr + index, mask=mask).to(ACC)
        y = tl.load(y_ptr + index, mask=mask).to(ACC)
        result = _binary(x, y, tl.cast(alpha, ACC), OPERATION)
        tl.store(out_ptr + index, result.to(DTYPE), mask=mask)


@triton.jit
def ternary(
    table_ptr, chunk_map_ptr, scalar, scalar_ptr,
    DTYPE: tl.constexpr, ACC: tl.constexpr, OPERATION: tl.constexpr, SCALAR_FROM: tl.constexpr,
    ALIGNED: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Table columns: out, x, y, z; grid number of chunks."""
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, 7, ALIGNED, CHUNK)
    out_ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    x_ptr = address(row_ptr, OUT + 1, DTYPE, ALIGNED)
    y_ptr = address(row_ptr, OUT + 2, DTYPE, ALIGNED)
    z_ptr = address(row_ptr, OUT + 3, DTYPE, ALIGNED)
    operand = _scalar_operand(row_ptr, scalar, scalar_ptr, SCALAR_FROM, ACC)
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        mask = index < last
        x = tl.load(x_ptr + index, mask=mask).to(ACC)
        y = tl.load(y_ptr + index, mask=mask).to(ACC)
        z = tl.load(z_ptr + index, mask=mask).to(ACC)
        if OPERATION == 0:
            result = x + operand * (y * z)
        else:
            result = x + operand * _divide(y, z)
        tl.store(out_ptr + index, result.to(DTYPE), mask=mask)


@triton.jit
def lerp(
    table_ptr, chunk_map_ptr, scalar, scalar_ptr,
    DTYPE: tl.constexpr, ACC: tl.constexpr, SCALAR_FROM: tl.constexpr,
    ALIGNED: tl.constexpr, CHUNK: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Table columns: out, x, y.

    Grid: number of chunks. Exact at both ends of the weight, as ATen.
    """
    row_ptr, first, last = find_chunk(table_ptr, chunk_map_ptr, 6, ALIGNED, CHUNK)
    out_ptr = address(row_ptr, OUT, DTYPE, ALIGNED)
    x_ptr = address(row_ptr, OUT + 1, DTYPE, ALIGNED)
    y_ptr = address(row_ptr, OUT + 2, DTYPE, ALIGNED)
    weight = _scalar_operand(row_ptr, scalar, scalar_ptr, SCALAR_FROM, ACC)
    from_start = tl.abs(weight) < 0.5
    for start in range(first, last, BLOCK):
        index = start + tl.arange(0, BLOCK)
        mask = index < last
        x = tl.load(x_ptr + index, mask=mask).to(ACC)
        y = tl.load(y_ptr + index, mask=mask).to(ACC)
        result = tl.where(from_start, x + weight * (y - x), y - (y - x) * (1.0 - weight))
        tl.store(out_ptr + index, result.to(DTYPE), mask=mask)
