# SPDX-License-Identifier: Apache-2.0
"""Cross entropy of logits that are never held whole: a chunk [rows, classes] of them at a time.

The host multiplies input and weight into a buffer, one chunk of rows and classes after the other.

- `update`: brings the statistics [4, rows] of ACC up to date with a chunk of classes: maximum and
  sum of exponentials relative to it (online), the target's logit, the sum of weighted logits (for
  label smoothing). FIRST: the chunk is the first of its rows.
- `finish`: statistics -> log of the sum of exponentials, loss and weight of each row.
- `gradient`: turns a chunk of logits into the gradient with respect to them, in place.

Loss of a row with target t, log-sum-exp z, smoothing s over C classes with weights w:

    (1 - s) * w[t] * (z - x[t]) + s / C * sum(w * (z - x))

0 where t is ignore_index. A target that is no class gives NaN; on a CPU the operator checks before.
"""

import triton
import triton.language as tl


@triton.jit
def update(
    logits_ptr, bias_ptr, target_ptr, weight_ptr, statistics_ptr, rows, all_rows, first_class,
    classes, stride_logits,
    ACC: tl.constexpr, FIRST: tl.constexpr, SMOOTHING: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """logits [rows, classes] of this chunk, statistics [4, all_rows]; grid rows."""
    row = tl.program_id(0)
    logits_ptr += row.to(tl.int64) * stride_logits
    target = tl.load(target_ptr + row).to(tl.int64) - first_class
    statistics_ptr += row
    lanes = tl.arange(0, BLOCK)
    maximum = tl.full((BLOCK,), float("-inf"), ACC)
    total = tl.zeros((BLOCK,), ACC)
    hit = tl.zeros((BLOCK,), ACC)
    weighted = tl.zeros((BLOCK,), ACC)
    for start in range(0, classes, BLOCK):
        mask = start + lanes < classes
        x = tl.load(logits_ptr + start + lanes, mask=mask, other=0.0).to(ACC)
        if bias_ptr is not None:
            x += tl.load(bias_ptr + first_class + start + lanes, mask=mask, other=0.0).to(ACC)
        if SMOOTHING:
            if weight_ptr is not None:
                w = tl.load(weight_ptr + first_class + start + lanes, mask=mask, other=0.0)
                weighted += tl.where(mask, x * w.to(ACC), 0.0)
            else:
                weighted += tl.where(mask, x, 0.0)
        hit += tl.where(mask & (start + lanes == target), x, 0.0)
        x = tl.where(mask, x, float("-inf"))
        larger = tl.maximum(maximum, x, propagate_nan=tl.PropagateNan.ALL)
        # A lane that has seen nothing, or -inf alone, has nothing to scale.
        shift = tl.where(larger == float("-inf"), 0.0, larger)
        total = total * tl.exp(maximum - shift) + tl.exp(x - shift)
        maximum = larger
    row_maximum = tl.max(maximum, 0)
    shift = tl.where(row_maximum == float("-inf"), 0.0, row_maximum)
    row_total = tl.sum(total * tl.exp(maximum - shift), 0)
    row_hit = tl.sum(hit, 0)
    row_weighted = tl.sum(weighted, 0)
    if not FIRST:
        old_maximum = tl.load(statistics_ptr)
        old_total = tl.load(statistics_ptr + all_rows)
        larger = tl.maximum(old_maximum, row_maximum)
        shift = tl.where(larger == float("-inf"), 0.0, larger)
        row_total = old_total * tl.exp(old_maximum - shift) + row_total * tl.exp(
            row_maximum - shift
        )
        row_maximum = larger
        row_hit += tl.load(statistics_ptr + 2 * all_rows)
        row_weighted += tl.load(statistics_ptr + 3 * all_rows)
    tl.store(statistics_ptr, row_maximum)
    tl.store(statistics_ptr + all_rows, row_total)
    tl.store(statistics_ptr + 2 * all_rows, row_hit)
    tl.store(statistics_ptr + 3 * all_rows, row_weighted)


@triton.jit
def finish(
    statistics_ptr, target_ptr, weight_ptr, weight_sum_ptr, lse_ptr, losses_ptr, weights_ptr,
    rows, classes, ignore_index, smoothing,
    ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """lse, losses, weights [rows]; weight_sum [1], or None where all weights are 1."""
    row = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = row < rows
    target = tl.load(target_ptr + row, mask=mask, other=0).to(tl.int64)
    counted = mask & (target != ignore_index)
    valid = counted & (target >= 0) & (target < classes)
    maximum = tl.load(statistics_ptr + row, mask=mask, other=0.0)
    total = tl.load(statistics_ptr + rows + row, mask=mask, other=1.0)
    hit = tl.load(statistics_ptr + 2 * rows + row, mask=mask, other=0.0)
    weighted = tl.load(statistics_ptr + 3 * rows + row, mask=mask, other=0.0)
    lse = maximum + tl.log(total)
    weight = tl.full((BLOCK,), 1.0, ACC)
    weight_sum = tl.cast(classes, ACC)
    if weight_ptr is not None:
        weight = tl.load(weight_ptr + target, mask=valid, other=0.0).to(ACC)
        weight_sum = tl.load(weight_sum_ptr).to(ACC)
    loss = (1.0 - smoothing) * weight * (lse - hit)
    loss = tl.where(valid, loss, float("nan"))
    loss += smoothing * ((weight_sum * lse - weighted) / tl.cast(classes, ACC))
    tl.store(lse_ptr + row, lse, mask=mask)
    tl.store(losses_ptr + row, tl.where(counted, loss, 0.0), mask=mask)
    tl.store(weights_ptr + row, tl.where(counted, weight, 0.0), mask=mask)


@triton.jit
def reduce_losses(
    losses_ptr, weights_ptr, out_ptr, total_weight_ptr, rows,
    ACC: tl.constexpr, MEAN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """losses, weights [rows] -> out [], total_weight []; one program, a fixed order."""
    lanes = tl.arange(0, BLOCK)
    loss = tl.zeros((BLOCK,), ACC)
    weight = tl.zeros((BLOCK,), ACC)
    for start in range(0, rows, BLOCK):
        mask = start + lanes < rows
        loss += tl.load(losses_ptr + start + lanes, mask=mask, other=0.0)
        weight += tl.load(weights_ptr + start + lanes, mask=mask, other=0.0)
    total = tl.sum(loss, 0)
    total_weight = tl.sum(weight, 0)
    if MEAN:
        total = total / total_weight
    tl.store(out_ptr, total.to(out_ptr.dtype.element_ty))
    tl.store(total_weight_ptr, total_weight)


@triton.jit
def gradient(
    logits_ptr, bias_ptr, target_ptr, weight_ptr, weight_sum_ptr, lse_ptr, grad_ptr,
    total_weight_ptr, first_class, classes, all_classes, ignore_index, smoothing, stride_logits,
    stride_grad, ACC: tl.constexpr, MEAN: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """logits [rows, classes] of this chunk, in place; grid (rows, cdiv(classes, BLOCK))."""
    row = tl.program_id(0)
    logits_ptr += row.to(tl.int64) * stride_logits
    target = tl.load(target_ptr + row).to(tl.int64)
    grad = tl.load(grad_ptr + row * stride_grad).to(ACC)
    if MEAN:
        grad /= tl.load(total_weight_ptr).to(ACC)
    grad = tl.where(target == ignore_index, 0.0, grad)
    valid = (target >= 0) & (target < all_classes)
    lse = tl.load(lse_ptr + row)
    column = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    mask = column < classes
    x = tl.load(logits_ptr + column, mask=mask, other=0.0).to(ACC)
    if bias_ptr is not None:
        x += tl.load(bias_ptr + first_class + column, mask=mask, other=0.0).to(ACC)
    probability = tl.exp(x - lse)
    hit = (first_class + column == target).to(ACC)
    share = smoothing / tl.cast(all_classes, ACC)
    if weight_ptr is not None:
        weight = tl.load(weight_ptr + target, mask=valid, other=0.0).to(ACC)
        class_weight = tl.load(weight_ptr + first_class + column, mask=mask, other=0.0).to(ACC)
        weight_sum = tl.load(weight_sum_ptr).to(ACC)
        result = (1.0 - smoothing) * weight * (probability - hit)
        result += share * (weight_sum * probability - class_weight)
    else:
        result = (1.0 - smoothing) * (probability - hit) + smoothing * probability - share
    # Where the row is ignored, nothing of it counts, not even NaN.
    result = tl.where(target == ignore_index, 0.0, result * grad)
    tl.store(logits_ptr + column, result.to(logits_ptr.dtype.element_ty), mask=mask)
