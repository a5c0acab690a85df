# SPDX-License-Identifier: Apache-2.0
"""log(sum(exp(x))) in one pass: each lane keeps its maximum and the sum of exp(x - maximum)."""

import triton
import triton.language as tl


@triton.jit
def finite(maximum):
    """What is subtracted from elements of this maximum: -inf - -inf would be NaN."""
    return tl.where(maximum == float("-inf"), 0.0, maximum)


@triton.jit
def maximum_and_total(maximum, total, other_maximum, other_total):
    """Merges two sums, of which the one with the smaller maximum is scaled: one exponential.

    Equal maxima differ by 0, infinite ones too: -inf - -inf would be NaN. All elements -inf leave
    (-inf, count), whose result is -inf; an element of +inf leaves +inf.
    """
    distance = tl.where(other_maximum == maximum, 0.0, other_maximum - maximum)
    scale = tl.exp(-tl.abs(distance))
    total = tl.where(distance > 0, total * scale + other_total, total + other_total * scale)
    return tl.maximum(maximum, other_maximum), total


@triton.jit
def with_element(maximum, total, x):
    """One more element; NaN makes the total NaN."""
    return maximum_and_total(maximum, total, x, 1.0)


@triton.jit
def logarithm(maximum, total):
    """The result."""
    return maximum + tl.log(total)


@triton.jit
def log_sum_exp_rows(
    x_ptr, out_ptr, inner, length, x_outer, x_inner, out_outer, out_inner,
    ACC: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """x [outer, inner, length <= LANES], whose rows are of neighbors, out [outer, inner]; a program
    holds one row: an exponential and no choice an element.
    """
    row = tl.program_id(0)
    i0 = (row // inner).to(tl.int64)
    i1 = (row % inner).to(tl.int64)
    lane = tl.arange(0, LANES)
    x = tl.load(x_ptr + i0 * x_outer + i1 * x_inner + lane, mask=lane < length, other=float("-inf"))
    x = x.to(ACC)
    maximum = tl.max(x, 0)
    shift = tl.where(tl.abs(maximum) == float("inf"), 0.0, maximum)
    result = logarithm(shift, tl.sum(tl.exp(x - shift), 0))
    tl.store(out_ptr + i0 * out_outer + i1 * out_inner, result.to(out_ptr.dtype.element_ty))
