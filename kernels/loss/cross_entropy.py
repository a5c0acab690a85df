# SPDX-License-Identifier: Apache-2.0
"""Cross entropy of logits x [outer, classes, inner] against class indices target [outer, inner],
forward and backward. inner is 1, or the pixels of an image.

Row i is position (i // inner, i % inner). With maximum m and log-total l of a row, that is
log(sum(exp(x - m))), smoothing s and class weights w (1 where there are none) its loss is

    (1 - s) * w[t] * (m - x[t] + l) + s / classes * sum(w * (m - x + l))

0 where target[i] == ignore_index. m and l are kept apart: their sum would lose the digits of l in
rows far from 0. A target that is no class gives NaN, and fails an assertion on GPUs, as in PyTorch;
on a CPU the operator checks the targets before and leaves the error to PyTorch.

- `forward` reads x once. AXIS is the tile's axis of classes: 1, tile [ROWS, LANES]; 0, lanes run
  along the rows (pixels that are neighbors), tile [LANES, ROWS]. HOLDS: the tile holds all classes;
  else every lane keeps its own maximum and total, four classes at a time: five exponentials for
  four elements, and no step across lanes before the end. REDUCTION is ATen's: 0 none, 1 mean, 2
  sum; with several programs sums of losses and weights go to a partial [2, programs], which
  nll_loss:forward_combine adds in a fixed order.
- `backward` reads x once and writes the gradient.
"""

import triton
import triton.language as tl

from common.target import on_gpu
from loss.nll_loss import _assert_classes
from reduction.log_sum_exp import finite


@triton.jit
def _positions(program, rows, inner, AXIS: tl.constexpr, ROWS: tl.constexpr):
    """(row, whether it exists, its outer and its inner position) of a program.

    AXIS 0: rows of one outer position, neighbors in memory without a division.
    """
    if AXIS == 0:
        blocks = tl.cdiv(inner, ROWS)
        i0 = program // blocks
        i1 = (program % blocks) * ROWS + tl.arange(0, ROWS)
        index = i0 * inner + i1
        mask = i1 < inner
    else:
        index = program * ROWS + tl.arange(0, ROWS)
        mask = index < rows
        i0 = index // inner
        i1 = index % inner
    return index, mask, i0.to(tl.int64), i1.to(tl.int64)


@triton.jit
def _target(
    target_ptr, weight_ptr, i0, i1, mask, classes, ignore_index, stride_outer, stride_inner,
    ACC: tl.constexpr,
):  # fmt: skip
    """(target, whether the row counts, whether its target is a class, weight of that class)."""
    pointers = target_ptr + i0 * stride_outer + i1 * stride_inner
    target = tl.load(pointers, mask=mask, other=0).to(tl.int64)
    counted = mask & (target != ignore_index)
    is_class = counted & (target >= 0) & (target < classes)
    if weight_ptr is not None:
        weight = tl.load(weight_ptr + target, mask=is_class, other=0.0).to(ACC)
    else:
        weight = tl.full(target.shape, 1.0, ACC)
    return target, counted, is_class, weight


@triton.jit
def _class_weights(weight_ptr, start, classes, ACC: tl.constexpr, LANES: tl.constexpr):
    """[LANES], those of the classes from `start`."""
    if LANES == 1:
        weight = tl.load(weight_ptr + tl.minimum(start, classes - 1)).to(ACC)
        return tl.full((1,), 1.0, ACC) * weight
    else:
        c = start + tl.arange(0, LANES)
        return tl.load(weight_ptr + c, mask=c < classes, other=0.0).to(ACC)


@triton.jit
def _load(x_ptr, weight_ptr, row_offsets, row_mask, start, reference, weighted, classes, stride,
          ACC: tl.constexpr, SMOOTHING: tl.constexpr, MASKED: tl.constexpr, AXIS: tl.constexpr,
          LANES: tl.constexpr):  # fmt: skip
    """(the tile of classes from `start`, the sum of weighted distances from reference with it).

    -inf where there is no element.
    """
    c = start + tl.arange(0, LANES)
    offsets = row_offsets + tl.expand_dims(c.to(tl.int64) * stride, 1 - AXIS)
    mask = row_mask
    if MASKED:
        mask = mask & tl.expand_dims(c < classes, 1 - AXIS)
    x = tl.load(x_ptr + offsets, mask=mask, other=float("-inf")).to(ACC)
    if SMOOTHING:
        distance = x - reference
        if weight_ptr is not None:
            weight = _class_weights(weight_ptr, start, classes, ACC, LANES)
            distance *= tl.expand_dims(weight, 1 - AXIS)
        weighted += tl.where(mask, distance, 0.0)
    return x, weighted


@triton.jit
def _step(x_ptr, weight_ptr, row_offsets, row_mask, start, reference, classes, stride, maximum,
          total, weighted, ACC: tl.constexpr, SMOOTHING: tl.constexpr, MASKED: tl.constexpr,
          AXIS: tl.constexpr, LANES: tl.constexpr):  # fmt: skip
    """Maxima, totals and weighted sums of the lanes with four more classes each."""
    a, weighted = _load(x_ptr, weight_ptr, row_offsets, row_mask, start, reference, weighted,
                        classes, stride, ACC, SMOOTHING, MASKED, AXIS, LANES)  # fmt: skip
    b, weighted = _load(x_ptr, weight_ptr, row_offsets, row_mask, start + LANES, reference,
                        weighted, classes, stride, ACC, SMOOTHING, MASKED, AXIS,
                        LANES)  # fmt: skip
    c, weighted = _load(x_ptr, weight_ptr, row_offsets, row_mask, start + 2 * LANES, reference,
                        weighted, classes, stride, ACC, SMOOTHING, MASKED, AXIS,
                        LANES)  # fmt: skip
    d, weighted = _load(x_ptr, weight_ptr, row_offsets, row_mask, start + 3 * LANES, reference,
                        weighted, classes, stride, ACC, SMOOTHING, MASKED, AXIS,
                        LANES)  # fmt: skip
    larger = tl.maximum(maximum, tl.maximum(tl.maximum(a, b), tl.maximum(c, d)))
    shift = finite(larger)
    new = (tl.exp(a - shift) + tl.exp(b - shift)) + (tl.exp(c - shift) + tl.exp(d - shift))
    return larger, total * tl.exp(maximum - shift) + new, weighted


@triton.jit
def forward(
    x_ptr, target_ptr, weight_ptr, weight_sum_ptr, statistics_ptr, out_ptr, rows, inner, classes,
    ignore_index, smoothing, stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer,
    stride_target_inner, stride_out_outer, stride_out_inner,
    ACC: tl.constexpr, REDUCTION: tl.constexpr, PARTIAL: tl.constexpr, SMOOTHING: tl.constexpr,
    HOLDS: tl.constexpr, AXIS: tl.constexpr, ROWS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """statistics [2 * rows + 1] of ACC: maxima, log-totals, sum of weights (None: not wanted).

    out: REDUCTION 0, [outer, inner]; PARTIAL, [2, programs] of ACC, and no sum of weights; else,
    from one program, []. Grid: AXIS 0, outer * cdiv(inner, ROWS); 1, cdiv(rows, ROWS).
    """
    index, mask, i0, i1 = _positions(tl.program_id(0), rows, inner, AXIS, ROWS)
    target, counted, is_class, weight = _target(
        target_ptr, weight_ptr, i0, i1, mask, classes, ignore_index, stride_target_outer,
        stride_target_inner, ACC,
    )  # fmt: skip
    first = i0 * stride_x_outer + i1 * stride_x_inner
    # On GPUs neighboring pixels have their targets in other lines each: read behind the loop they
    # are in the cache, before it they would be fetched from memory piece by piece.
    READS_HITS_LATE: tl.constexpr = on_gpu() and AXIS == 0 and not SMOOTHING
    hit_pointers = x_ptr + first + target * stride_x_class
    if READS_HITS_LATE:
        hit = tl.zeros((ROWS,), ACC)
    else:
        hit = tl.load(hit_pointers, mask=is_class, other=0.0).to(ACC)
    row_offsets = tl.expand_dims(first, AXIS)
    row_mask = tl.expand_dims(mask, AXIS)
    # Distances from a number of the row keep the digits of a sum over all of them.
    row_reference = tl.where(tl.abs(hit) < float("inf"), hit, 0.0)
    reference = tl.expand_dims(row_reference, AXIS)
    if AXIS == 0:
        weighted = tl.zeros((LANES, ROWS), ACC)
    else:
        weighted = tl.zeros((ROWS, LANES), ACC)
    if HOLDS:
        x, weighted = _load(x_ptr, weight_ptr, row_offsets, row_mask, 0, reference, weighted,
                            classes, stride_x_class, ACC, SMOOTHING, True, AXIS,
                            LANES)  # fmt: skip
        maximum = tl.max(x, AXIS)
        total = tl.sum(tl.exp(x - tl.expand_dims(finite(maximum), AXIS)), AXIS)
    else:
        lane_maximum = tl.full(weighted.shape, float("-inf"), ACC)
        lane_total = tl.zeros(weighted.shape, ACC)
        whole = classes // (4 * LANES) * (4 * LANES)
        for start in range(0, whole, 4 * LANES):
            lane_maximum, lane_total, weighted = _step(
                x_ptr, weight_ptr, row_offsets, row_mask, start, reference, classes,
                stride_x_class, lane_maximum, lane_total, weighted, ACC, SMOOTHING, False, AXIS,
                LANES,
            )  # fmt: skip
        if whole < classes:
            lane_maximum, lane_total, weighted = _step(
                x_ptr, weight_ptr, row_offsets, row_mask, whole, reference, classes,
                stride_x_class, lane_maximum, lane_total, weighted, ACC, SMOOTHING, True, AXIS,
                LANES,
            )  # fmt: skip
        maximum = tl.max(lane_maximum, AXIS)
        scale = tl.exp(lane_maximum - tl.expand_dims(finite(maximum), AXIS))
        total = tl.sum(lane_total * scale, AXIS)
    log_total = tl.log(total)
    if READS_HITS_LATE:
        hit = tl.load(hit_pointers, mask=is_class, other=0.0).to(ACC)
    if statistics_ptr is not None:
        tl.store(statistics_ptr + index, maximum, mask=mask)
        tl.store(statistics_ptr + rows + index, log_total, mask=mask)
    loss = weight * (maximum - hit + log_total)
    if SMOOTHING:
        weight_sum = tl.cast(classes, ACC)
        if weight_ptr is not None:
            weight_sum = tl.load(weight_sum_ptr).to(ACC)
        distance = maximum - row_reference + log_total
        smooth = weight_sum * distance - tl.sum(weighted, AXIS)
        loss = (1.0 - smoothing) * loss + smoothing * (smooth / tl.cast(classes, ACC))
    loss = tl.where(counted, tl.where(is_class, loss, float("nan")), 0.0)
    if REDUCTION == 0:
        offsets = i0 * stride_out_outer + i1 * stride_out_inner
        tl.store(out_ptr + offsets, loss.to(out_ptr.dtype.element_ty), mask=mask)
    else:
        loss_sum = tl.sum(loss, 0)
        weight_total = tl.sum(tl.where(counted, weight, 0.0), 0)
        if PARTIAL:
            tl.store(out_ptr + tl.program_id(0), loss_sum)
            tl.store(out_ptr + tl.num_programs(0) + tl.program_id(0), weight_total)
        else:
            if REDUCTION == 1:
                loss_sum = loss_sum / weight_total
            tl.store(out_ptr, loss_sum.to(out_ptr.dtype.element_ty))
            if statistics_ptr is not None:
                tl.store(statistics_ptr + 2 * rows, weight_total)
    # Behind the loads of x: its barrier would keep them from being under way with the target's.
    _assert_classes(is_class | (counted == 0))


@triton.jit
def backward(
    grad_ptr, x_ptr, target_ptr, weight_ptr, weight_sum_ptr, statistics_ptr, grad_input_ptr, rows,
    inner, classes, classes_per_program, ignore_index, smoothing,
    stride_grad_outer, stride_grad_inner, stride_x_outer, stride_x_inner, stride_x_class,
    stride_target_outer, stride_target_inner, stride_input_outer, stride_input_inner,
    stride_input_class,
    ACC: tl.constexpr, REDUCTION: tl.constexpr, SMOOTHING: tl.constexpr, AXIS: tl.constexpr,
    ROWS: tl.constexpr, LANES: tl.constexpr,
):  # fmt: skip
    """grad [outer, inner] or [], x, grad_input [outer, classes, inner].

    Grid (as forward's, cdiv(classes, classes_per_program)).
    """
    program = tl.program_id(0)
    if on_gpu():  # From the end: what `forward` has read last is still in the L2 cache.
        program = tl.num_programs(0) - 1 - program
    index, mask, i0, i1 = _positions(program, rows, inner, AXIS, ROWS)
    target, counted, is_class, weight = _target(
        target_ptr, weight_ptr, i0, i1, mask, classes, ignore_index, stride_target_outer,
        stride_target_inner, ACC,
    )  # fmt: skip
    if REDUCTION == 0:
        offsets = i0 * stride_grad_outer + i1 * stride_grad_inner
        grad = tl.load(grad_ptr + offsets, mask=mask, other=0.0).to(ACC)
    else:
        grad = tl.zeros((ROWS,), ACC) + tl.load(grad_ptr).to(ACC)
    if REDUCTION == 1:
        grad /= tl.load(statistics_ptr + 2 * rows)
    # What multiplies the probability, what the target's class loses, and each class for its weight.
    at_target = grad * weight
    slope = at_target
    if SMOOTHING:
        share = grad * (smoothing / tl.cast(classes, ACC))
        weight_sum = tl.cast(classes, ACC)
        if weight_ptr is not None:
            weight_sum = tl.load(weight_sum_ptr).to(ACC)
        at_target *= 1.0 - smoothing
        slope = at_target + share * weight_sum
        share = tl.expand_dims(share, AXIS)
    maximum = tl.expand_dims(tl.load(statistics_ptr + index, mask=mask, other=0.0), AXIS)
    log_total = tl.load(statistics_ptr + rows + index, mask=mask, other=0.0)
    log_total = tl.expand_dims(log_total, AXIS)
    at_target = tl.expand_dims(at_target, AXIS)
    slope = tl.expand_dims(slope, AXIS)
    target = tl.expand_dims(target.to(tl.int32), AXIS)
    is_counted = tl.expand_dims(counted, AXIS)
    row_mask = tl.expand_dims(mask, AXIS)
    x_ptr += tl.expand_dims(i0 * stride_x_outer + i1 * stride_x_inner, AXIS)
    grad_input_ptr += tl.expand_dims(i0 * stride_input_outer + i1 * stride_input_inner, AXIS)
    low = tl.program_id(1) * classes_per_program
    for start in range(low, tl.minimum(low + classes_per_program, classes), LANES):
        c = start + tl.arange(0, LANES)
        in_tile = row_mask & tl.expand_dims(c < classes, 1 - AXIS)
        offsets = tl.expand_dims(c.to(tl.int64) * stride_x_class, 1 - AXIS)
        x = tl.load(x_ptr + offsets, mask=in_tile, other=0.0).to(ACC)
        result = slope * tl.exp(x - maximum - log_total)
        result -= tl.where(tl.expand_dims(c, 1 - AXIS) == target, at_target, 0.0)
        if SMOOTHING:
            if weight_ptr is not None:
                class_weight = _class_weights(weight_ptr, start, classes, ACC, LANES)
                result -= share * tl.expand_dims(class_weight, 1 - AXIS)
            else:
                result -= share
        # Where the row is ignored, nothing of it counts, not even NaN.
        result = tl.where(is_counted, result, 0.0)
        offsets = tl.expand_dims(c.to(tl.int64) * stride_input_class, 1 - AXIS)
        tl.store(grad_input_ptr + offsets, result.to(grad_input_ptr.dtype.element_ty), mask=in_tile)
    _assert_classes(is_class | (counted == 0))
