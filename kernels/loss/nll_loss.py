# SPDX-License-Identifier: Apache-2.0
"""Negative log likelihood loss of x [outer, classes, inner] against class indices target
[outer, inner], forward and backward. inner is 1, or the pixels of an image.

Row i is position (i // inner, i % inner); SPLIT: the rows of a program share the outer index, so
that none is divided (a 64-bit division is 20 cycles of a CPU). Its loss:
-weight[target[i]] * x[i, target[i]], 0 where target[i] == ignore_index. REDUCTION is ATen's: 0
none, 1 mean (sum of losses / sum of weights), 2 sum. A target outside of [0, classes) that is not
ignore_index gives NaN instead of reading outside of x, and fails an assertion on GPUs, as in
PyTorch; on a CPU the operator checks the targets before and raises.

- `forward_none`: one loss per row.
- `forward_whole`: the sum or mean of few rows.
- `forward_partial` + `forward_combine`: sums of losses and weights per chunk of rows in ACC, then
  over chunks: two small launches, the same order on every run. The partials are [2, chunks]:
  losses, then weights.
- `backward`: writes every element of grad_input once (zeros included), so it needs no fill.
"""

import triton
import triton.language as tl


@triton.jit
def _assert_classes(are_classes):
    """In PyTorch's words. On GPUs alone: about 25 instructions and a barrier."""
    tl.device_assert(are_classes, "t >= 0 && t < n_classes")


@triton.jit
def _block(program, rows, inner, BLOCK: tl.constexpr, SPLIT: tl.constexpr):
    """The positions of a program's rows, and which of them exist."""
    if SPLIT:
        blocks = tl.cdiv(inner, BLOCK)
        i0 = (program // blocks).to(tl.int64)
        i1 = (program % blocks).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        return i0, i1, i1 < inner
    else:
        index = program.to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
        return index // inner, index % inner, index < rows


@triton.jit
def _row_losses(
    x_ptr, target_ptr, weight_ptr, i0, i1, mask, classes, ignore_index,
    stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr,
):  # fmt: skip
    """(loss, weight, whether the target may be) of the rows; 0 where masked or ignored."""
    target = tl.load(
        target_ptr + i0 * stride_target_outer + i1 * stride_target_inner, mask=mask, other=0
    ).to(tl.int64)
    counted = mask & (target != ignore_index)
    valid = counted & (target >= 0) & (target < classes)
    x = tl.load(
        x_ptr + i0 * stride_x_outer + i1 * stride_x_inner + target * stride_x_class,
        mask=valid,
        other=float("nan"),
    ).to(ACC)
    if HAS_WEIGHT:
        weight = tl.load(weight_ptr + target, mask=valid, other=0.0).to(ACC)
    else:
        weight = tl.full(x.shape, 1.0, ACC)
    loss = tl.where(counted, -x * weight, 0.0)
    return loss, tl.where(counted, weight, 0.0), valid | (counted == 0)


@triton.jit
def forward_none(
    x_ptr, target_ptr, weight_ptr, out_ptr, rows, inner, classes, ignore_index,
    stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
    stride_out_outer, stride_out_inner,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, SPLIT: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out [rows]; grid cdiv(rows, BLOCK), or outer * cdiv(inner, BLOCK)."""
    i0, i1, mask = _block(tl.program_id(0), rows, inner, BLOCK, SPLIT)
    loss, _, may_be = _row_losses(
        x_ptr, target_ptr, weight_ptr, i0, i1, mask, classes, ignore_index,
        stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
        ACC, HAS_WEIGHT,
    )  # fmt: skip
    _assert_classes(may_be)
    offsets = i0 * stride_out_outer + i1 * stride_out_inner
    tl.store(out_ptr + offsets, loss.to(out_ptr.dtype.element_ty), mask=mask)


@triton.jit
def _sums(
    x_ptr, target_ptr, weight_ptr, i0, first, last, inner, classes, ignore_index,
    stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, SPLIT: tl.constexpr, BLOCK: tl.constexpr,
    ASSERT: tl.constexpr,
):  # fmt: skip
    """Sums of losses and of weights of the rows from first to last; SPLIT: of those of i0.

    ASSERT: once, behind the loop, which a barrier in it would keep from being unrolled.
    """
    lanes = tl.arange(0, BLOCK)
    loss_total = tl.zeros((BLOCK,), ACC)
    weight_total = tl.zeros((BLOCK,), ACC)
    if ASSERT:
        all_may_be = tl.full((BLOCK,), 1, tl.int1)
    for start in range(first, last, BLOCK):
        index = (start + lanes).to(tl.int64)
        loss, weight, may_be = _row_losses(
            x_ptr, target_ptr, weight_ptr, i0 if SPLIT else index // inner,
            index if SPLIT else index % inner, start + lanes < last, classes, ignore_index,
            stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer,
            stride_target_inner, ACC, HAS_WEIGHT,
        )  # fmt: skip
        loss_total += loss
        weight_total += weight
        if ASSERT:
            all_may_be = all_may_be & may_be
    if ASSERT:
        _assert_classes(all_may_be)
    return tl.sum(loss_total, 0), tl.sum(weight_total, 0)


@triton.jit
def _store_result(out_ptr, total_weight_ptr, loss, weight, REDUCTION: tl.constexpr):
    """A mean over no weight is NaN (0 / 0)."""
    if REDUCTION == 1:
        loss = loss / weight
    tl.store(out_ptr, loss.to(out_ptr.dtype.element_ty))
    if total_weight_ptr is not None:
        tl.store(total_weight_ptr, weight.to(total_weight_ptr.dtype.element_ty))


@triton.jit
def forward_whole(
    x_ptr, target_ptr, weight_ptr, out_ptr, total_weight_ptr, rows, inner, classes, ignore_index,
    stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, REDUCTION: tl.constexpr, BLOCK: tl.constexpr,
    ASSERT: tl.constexpr,
):  # fmt: skip
    """out [], total_weight []; one program."""
    loss, weight = _sums(
        x_ptr, target_ptr, weight_ptr, 0, 0, rows, inner, classes, ignore_index,
        stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
        ACC, HAS_WEIGHT, False, BLOCK, ASSERT,
    )  # fmt: skip
    _store_result(out_ptr, total_weight_ptr, loss, weight, REDUCTION)


@triton.jit
def forward_partial(
    x_ptr, target_ptr, weight_ptr, partial_ptr, rows, inner, classes, rows_per_chunk, ignore_index,
    stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
    ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr, SPLIT: tl.constexpr, BLOCK: tl.constexpr,
    ASSERT: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks]; grid chunks: of all rows, or (SPLIT) of those of every outer index."""
    chunk = tl.program_id(0)
    if SPLIT:
        parts = tl.cdiv(inner, rows_per_chunk)
        i0 = (chunk // parts).to(tl.int64)
        first = chunk % parts * rows_per_chunk
        last = tl.minimum(first + rows_per_chunk, inner)
    else:
        i0 = 0
        first = chunk * rows_per_chunk
        last = tl.minimum(first + rows_per_chunk, rows)
    loss, weight = _sums(
        x_ptr, target_ptr, weight_ptr, i0, first, last, inner, classes, ignore_index,
        stride_x_outer, stride_x_inner, stride_x_class, stride_target_outer, stride_target_inner,
        ACC, HAS_WEIGHT, SPLIT, BLOCK, ASSERT,
    )  # fmt: skip
    tl.store(partial_ptr + chunk, loss)
    tl.store(partial_ptr + tl.num_programs(0) + chunk, weight)


@triton.jit
def forward_combine(
    partial_ptr, out_ptr, total_weight_ptr, chunks,
    ACC: tl.constexpr, REDUCTION: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """partial [2, chunks] -> out [], total_weight []; one program."""
    lanes = tl.arange(0, BLOCK)
    loss_total = tl.zeros((BLOCK,), ACC)
    weight_total = tl.zeros((BLOCK,), ACC)
    for start in range(0, chunks, BLOCK):
        mask = start + lanes < chunks
        loss_total += tl.load(partial_ptr + start + lanes, mask=mask, other=0.0)
        weight_total += tl.load(partial_ptr + chunks + start + lanes, mask=mask, other=0.0)
    _store_result(
        out_ptr, total_weight_ptr, tl.sum(loss_total, 0), tl.sum(weight_total, 0), REDUCTION
    )


@triton.jit
def backward(
    grad_ptr, target_ptr, weight_ptr, total_weight_ptr, grad_input_ptr, rows, inner, classes,
    ignore_index, stride_grad_outer, stride_grad_inner, stride_target_outer, stride_target_inner,
    stride_input_outer, stride_input_inner, stride_input_class,
    ACC: tl.constexpr, REDUCTION: tl.constexpr, HAS_WEIGHT: tl.constexpr, AXIS: tl.constexpr,
    SPLIT: tl.constexpr, ROWS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad [outer, inner] or [], grad_input [outer, classes, inner].

    Grid: (cdiv(rows, ROWS), or outer * cdiv(inner, ROWS); cdiv(classes, BLOCK)). AXIS is the tile's
    axis of rows: 0, lanes run along the classes; 1, they run along the rows (where those are
    contiguous).
    """
    i0, i1, row_mask = _block(tl.program_id(0), rows, inner, ROWS, SPLIT)
    target = tl.load(
        target_ptr + i0 * stride_target_outer + i1 * stride_target_inner, mask=row_mask, other=0
    ).to(tl.int64)
    counted = row_mask & (target != ignore_index)
    is_class = (target >= 0) & (target < classes)
    _assert_classes(is_class | (counted == 0))
    if REDUCTION == 0:
        offsets = i0 * stride_grad_outer + i1 * stride_grad_inner
        grad = tl.load(grad_ptr + offsets, mask=row_mask, other=0.0).to(ACC)
    else:
        grad = tl.full((ROWS,), 0.0, ACC) + tl.load(grad_ptr).to(ACC)
    if HAS_WEIGHT:
        grad *= tl.load(weight_ptr + target, mask=counted & is_class, other=0.0).to(ACC)
    if REDUCTION == 1:
        grad /= tl.load(total_weight_ptr).to(ACC)
    value = tl.where(counted, -grad, 0.0)
    columns = tl.program_id(1).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    row_offsets = tl.expand_dims(i0 * stride_input_outer + i1 * stride_input_inner, 1 - AXIS)
    is_target = tl.expand_dims(columns, AXIS) == tl.expand_dims(target, 1 - AXIS)
    result = tl.where(is_target, tl.expand_dims(value, 1 - AXIS), 0.0)
    tl.store(
        grad_input_ptr + row_offsets + tl.expand_dims(columns * stride_input_class, AXIS),
        result.to(grad_input_ptr.dtype.element_ty),
        mask=tl.expand_dims(row_mask, 1 - AXIS) & tl.expand_dims(columns < classes, AXIS),
    )
