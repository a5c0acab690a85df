# SPDX-License-Identifier: Apache-2.0
"""Tensors whose elements follow from their index: arange, linspace, logspace, eye.

Numbers are computed in fp64 (int64 for `integers`), as ATen's CPU kernels do, and rounded once;
linspace of integers on a GPU is the exception.
`stride`: of the 1-d result, in elements.
"""

import triton
import triton.language as tl
from triton.language.extra import libdevice

from common.target import on_gpu
from pointwise.series import polynomial


@triton.jit
def _positions(n, BLOCK: tl.constexpr):
    index = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    return index, index < n


@triton.jit
def integers(out_ptr, n, stride, start, step, BLOCK: tl.constexpr):
    """start + step * i; grid cdiv(n, BLOCK)."""
    index, mask = _positions(n, BLOCK)
    tl.store(out_ptr + index * stride, (start + step * index).to(out_ptr.dtype.element_ty), mask)


@triton.jit
def numbers(out_ptr, n, stride, start, step, BLOCK: tl.constexpr):
    """start + step * i; grid cdiv(n, BLOCK)."""
    index, mask = _positions(n, BLOCK)
    value = start + step * index.to(tl.float64)
    tl.store(out_ptr + index * stride, value.to(out_ptr.dtype.element_ty), mask)


# 2^t on [-1/2, 1/2]: log(2)^k / k!, error 7e-12.
_EXP2 = tl.constexpr(
    (
        1.0178086009239696e-07,
        1.3215486790144305e-06,
        1.5252733804059838e-05,
        0.00015403530393381606,
        0.0013333558146428441,
        0.009618129107628477,
        0.055504108664821576,
        0.2402265069591007,
        0.6931471805599453,
        1.0,
    )
)


@triton.jit
def _power_of_2(value):
    """Of fp64 to more digits than fp32 has: a tenth of the instructions of fp64's power."""
    whole = tl.floor(tl.minimum(tl.maximum(value, -1000.0), 1000.0) + 0.5)
    power = polynomial(value - whole, _EXP2)
    return power * ((whole.to(tl.int64) + 1023) << 52).to(tl.float64, bitcast=True)


@triton.jit
def between(out_ptr, n, stride, start, end, step, base, POWER: tl.constexpr, BLOCK: tl.constexpr):
    """n numbers from start to end, each half counted from its own end, so that both are exact. To
    that power, if POWER is 1: `base`; if it is 2: 2, and `base` is the logarithm by which it
    stands for another. Grid cdiv(n, BLOCK).
    """
    index, mask = _positions(n, BLOCK)
    if on_gpu() and out_ptr.dtype.element_ty.is_int():
        # ATen's GPU kernel counts in fp32: what that rounds decides on whole numbers.
        # So the quotient must be that of the nearest fp32, which `/` is not on NVIDIA's GPUs.
        step_f32 = tl.div_rn(end.to(tl.float32) - start.to(tl.float32), (n - 1).to(tl.float32))
        from_start = tl.fma(step_f32, index.to(tl.float32), start.to(tl.float32))
        from_end = tl.fma(-step_f32, (n - 1 - index).to(tl.float32), end.to(tl.float32))
    else:
        from_start = start + step * index.to(tl.float64)
        from_end = end - step * (n - 1 - index).to(tl.float64)
    value = tl.where(index < n // 2, from_start, from_end)
    if POWER == 2:
        value = _power_of_2(value * base)
    elif POWER == 1:
        value = libdevice.pow(tl.zeros_like(value) + base, value)
    tl.store(out_ptr + index * stride, value.to(out_ptr.dtype.element_ty), mask)


@triton.jit
def identity(out_ptr, rows, columns, BLOCK_Y: tl.constexpr, BLOCK_X: tl.constexpr):
    """A contiguous matrix with ones on its diagonal; grid cdiv(rows, BLOCK_Y) *
    cdiv(columns, BLOCK_X).
    """
    across = tl.cdiv(columns, BLOCK_X)
    row = (tl.program_id(0) // across * BLOCK_Y + tl.arange(0, BLOCK_Y))[:, None]
    column = (tl.program_id(0) % across * BLOCK_X + tl.arange(0, BLOCK_X))[None, :]
    value = (row == column).to(out_ptr.dtype.element_ty)
    mask = (row < rows) & (column < columns)
    tl.store(out_ptr + row.to(tl.int64) * columns + column, value, mask)


@triton.jit
def identity_by_runs(out_ptr, numel, columns, diagonal, STREAM: tl.constexpr, BLOCK: tl.constexpr):
    """The same for CPUs: a run of zeros, then the ones in it, which are `columns` + 1 apart and
    `diagonal` in all. Comparing every lane's row and column takes twice as long. STREAM: the matrix
    exceeds the last cache. Grid cdiv(numel, BLOCK).
    """
    index, mask = _positions(numel, BLOCK)
    zeros = tl.zeros([BLOCK], out_ptr.dtype.element_ty)
    tl.store(out_ptr + index, zeros, mask, cache_modifier=".cs" if STREAM else "")
    first = tl.program_id(0).to(tl.int64) * BLOCK
    step = columns + 1
    end = tl.minimum(first + BLOCK, diagonal * step)
    for place in range((first + step - 1) // step * step, end, step):
        tl.store(out_ptr + place, 1)
