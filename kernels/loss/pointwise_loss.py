# SPDX-License-Identifier: Apache-2.0
"""Sum or mean of a pointwise loss without holding the losses: each operand is read once.

The operands are seen as ATen's TensorIterator leaves them: up to four coalesced dimensions,
dimension 0 innermost, a stride per dimension (0 where broadcast). RANK 1 needs no division. LOSS
is the function, numbered as in src/ops/loss/pointwise_loss.cpp. Losses and sums are computed in
ACC. ASSERT: that x and target are probabilities, once, behind the loop.

- `sum_losses`: program p sums chunk p of `chunk` consecutive elements, a multiple of BLOCK. A grid
  of one program writes the result itself; else `out` is the partials [chunks] of ACC (divisor 1).
- `sum_partials`: one program adds the partials, lane by lane and then across lanes: the same order
  on every run.
"""

import triton
import triton.language as tl

from pointwise.loss import (
    cross_entropy,
    huber,
    logit_cross_entropy,
    logit_cross_entropy_both,
    logit_cross_entropy_positive,
    logit_cross_entropy_weighted,
    smooth_l1,
    soft_margin,
    squared_error,
    weighted_cross_entropy,
)


@triton.jit
def _loss(x, target, first, second, parameter, LOSS: tl.constexpr):
    if LOSS == 0:
        return squared_error(x, target)
    elif LOSS == 1:
        return smooth_l1(x, target, parameter)
    elif LOSS == 2:
        return huber(x, target, parameter)
    elif LOSS == 3:
        return soft_margin(x, target)
    elif LOSS == 4:
        return cross_entropy(x, target)
    elif LOSS == 5:
        return weighted_cross_entropy(x, target, first)
    elif LOSS == 6:
        return logit_cross_entropy(x, target)
    elif LOSS == 7:
        return logit_cross_entropy_weighted(x, target, first)
    elif LOSS == 8:
        return logit_cross_entropy_positive(x, target, first)
    else:
        return logit_cross_entropy_both(x, target, first, second)


@triton.jit
def _offset(i, size0, size1, size2, stride0, stride1, stride2, stride3, RANK: tl.constexpr):
    if RANK == 1:
        return i * stride0
    offset = (i % size0) * stride0
    i = i // size0
    if RANK == 2:
        return offset + i * stride1
    offset += (i % size1) * stride1
    i = i // size1
    if RANK == 3:
        return offset + i * stride2
    return offset + (i % size2) * stride2 + (i // size2) * stride3


@triton.jit
def sum_losses(
    x_ptr, target_ptr, first_ptr, second_ptr, out_ptr, n, chunk, size0, size1, size2,
    x0, x1, x2, x3, t0, t1, t2, t3, f0, f1, f2, f3, s0, s1, s2, s3, parameter, divisor,
    ACC: tl.constexpr, LOSS: tl.constexpr, RANK: tl.constexpr, BLOCK: tl.constexpr,
    ASSERT: tl.constexpr,
):  # fmt: skip
    """out [programs]; x0 ... s3: strides of the four operands (absent ones: None and 0)."""
    first = tl.program_id(0).to(tl.int64) * chunk
    last = tl.minimum(first + chunk, n)
    lanes = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), ACC)
    if ASSERT:
        are_probabilities = tl.full((BLOCK,), 1, tl.int1)
    for start in range(first, last, BLOCK):
        i = start + lanes
        mask = i < n  # not `last`: where 16 divides n, the mask is uniform over wide loads
        x = tl.load(
            x_ptr + _offset(i, size0, size1, size2, x0, x1, x2, x3, RANK), mask=mask, other=0.5
        ).to(ACC)
        target = tl.load(
            target_ptr + _offset(i, size0, size1, size2, t0, t1, t2, t3, RANK), mask=mask, other=0
        ).to(ACC)
        weight = x
        weight2 = x
        if first_ptr is not None:
            weight = tl.load(
                first_ptr + _offset(i, size0, size1, size2, f0, f1, f2, f3, RANK),
                mask=mask, other=0,
            ).to(ACC)  # fmt: skip
        if second_ptr is not None:
            weight2 = tl.load(
                second_ptr + _offset(i, size0, size1, size2, s0, s1, s2, s3, RANK),
                mask=mask, other=0,
            ).to(ACC)  # fmt: skip
        loss = _loss(x, target, weight, weight2, tl.cast(parameter, ACC), LOSS)
        total += tl.where(mask, loss, 0.0)
        if ASSERT:  # what lies outside of the mask was loaded as 0.5 and 0
            are_probabilities &= (x >= 0) & (x <= 1) & (target >= 0) & (target <= 1)
    if ASSERT:
        tl.device_assert(are_probabilities, "val >= zero && val <= one")
    result = tl.sum(total, 0) / tl.cast(divisor, ACC)
    tl.store(out_ptr + tl.program_id(0), result.to(out_ptr.dtype.element_ty))


@triton.jit
def sum_partials(partial_ptr, out_ptr, count, divisor, ACC: tl.constexpr, BLOCK: tl.constexpr):
    """partial [count] -> out []; one program."""
    lanes = tl.arange(0, BLOCK)
    total = tl.zeros((BLOCK,), ACC)
    for start in range(0, count, BLOCK):
        total += tl.load(partial_ptr + start + lanes, mask=start + lanes < count, other=0.0)
    result = tl.sum(total, 0) / tl.cast(divisor, ACC)
    tl.store(out_ptr, result.to(out_ptr.dtype.element_ty))
