# SPDX-License-Identifier: Apache-2.0
"""Multi-class hinge losses of x [rows, classes], forward and backward.

- `multi_margin*`: one class y is right: sum over the others j of max(0, margin - x[y] + x[j])^P,
  times weight[y].
- `multilabel*`: several are, those of target up to its first negative number: the sum, over the
  right t and the wrong j, of max(0, 1 - x[t] + x[j]). `is_target` marks the right ones.

`scale` is 1 / classes, for the gradient of a mean 1 / (classes rows). Losses are one for each row,
in the type of `loss`; a mean or sum of them is a reduction of its own. A target that is no class
reads nothing, gives NaN, and fails an assertion on GPUs, as in PyTorch; on a CPU the operator
checks the targets before and raises.
"""

import triton
import triton.language as tl


@triton.jit
def _hinge(x, right, margin, counted, P: tl.constexpr):
    """(loss, slope) of each class; 0 where not counted."""
    z = margin - right + x
    # Not `z > 0`: NaN stays NaN.
    is_flat = (z <= 0) | (counted == 0)
    if P == 1:
        return tl.where(is_flat, 0.0, z), tl.where(is_flat | (z != z), 0.0, 1.0)
    else:
        return tl.where(is_flat, 0.0, z * z), tl.where(is_flat, 0.0, 2 * z)


@triton.jit
def _right_class(
    x_ptr, target_ptr, weight_ptr, row, exists, classes, stride_target, stride_x_row,
    stride_x_class, ACC: tl.constexpr, HAS_WEIGHT: tl.constexpr,
):  # fmt: skip
    """(class, its x, its weight) of each row."""
    y = tl.load(target_ptr + row * stride_target, mask=exists, other=0)
    is_class = (y >= 0) & (y < classes)
    tl.device_assert(is_class, "target_k >= 0 && target_k < dim", mask=exists)
    is_class = exists & is_class
    offsets = row * stride_x_row + y * stride_x_class
    right = tl.load(x_ptr + offsets, mask=is_class, other=float("nan")).to(ACC)
    if HAS_WEIGHT:
        weight = tl.load(weight_ptr + y, mask=is_class, other=0.0).to(ACC)
    else:
        weight = tl.full(right.shape, 1.0, ACC)
    return y, right, weight


@triton.jit
def _hinges(
    x_ptr, row, exists, start, classes, y, right, stride_x_row, stride_x_class, margin,
    ACC: tl.constexpr, P: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """(column, whether it is one, loss, slope) of a block of classes beside the right one, y."""
    column = start + tl.arange(0, BLOCK)[None, :].to(tl.int64)
    inside = exists & (column < classes)
    offsets = row * stride_x_row + column * stride_x_class
    x = tl.load(x_ptr + offsets, mask=inside, other=0.0).to(ACC)
    loss, slope = _hinge(x, right, margin.to(ACC), inside & (column != y), P)
    return column, inside, loss, slope


@triton.jit
def multi_margin(
    x_ptr, target_ptr, weight_ptr, loss_ptr, rows, classes, stride_target, stride_x_row,
    stride_x_class, margin, scale,
    ACC: tl.constexpr, P: tl.constexpr, HAS_WEIGHT: tl.constexpr, ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """loss [rows]; grid cdiv(rows, ROWS)."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    exists = row < rows
    y, right, weight = _right_class(
        x_ptr, target_ptr, weight_ptr, row, exists, classes, stride_target, stride_x_row,
        stride_x_class, ACC, HAS_WEIGHT,
    )  # fmt: skip
    total = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(0, classes, BLOCK):
        _, _, loss, _ = _hinges(
            x_ptr, row, exists, start, classes, y, right, stride_x_row, stride_x_class, margin,
            ACC, P, BLOCK,
        )  # fmt: skip
        total += loss
    loss = tl.sum(total, 1)[:, None] * weight * scale.to(ACC)
    tl.store(loss_ptr + row, loss.to(loss_ptr.dtype.element_ty), mask=exists)


@triton.jit
def multi_margin_backward(
    grad_ptr, x_ptr, target_ptr, weight_ptr, out_ptr, rows, classes, stride_grad, stride_target,
    stride_x_row, stride_x_class, stride_out_row, stride_out_class, margin, scale,
    ACC: tl.constexpr, P: tl.constexpr, HAS_WEIGHT: tl.constexpr, ROWS: tl.constexpr,
    BLOCK: tl.constexpr,
):  # fmt: skip
    """out as x; grad of each row, or one with stride 0. Grid cdiv(rows, ROWS)."""
    row = tl.program_id(0).to(tl.int64) * ROWS + tl.arange(0, ROWS)[:, None]
    exists = row < rows
    y, right, weight = _right_class(
        x_ptr, target_ptr, weight_ptr, row, exists, classes, stride_target, stride_x_row,
        stride_x_class, ACC, HAS_WEIGHT,
    )  # fmt: skip
    grad = tl.load(grad_ptr + row * stride_grad, mask=exists, other=0.0).to(ACC)
    factor = grad * weight * scale.to(ACC)
    total = tl.zeros((ROWS, BLOCK), ACC)
    for start in range(0, classes, BLOCK):
        _, _, _, slope = _hinges(
            x_ptr, row, exists, start, classes, y, right, stride_x_row, stride_x_class, margin,
            ACC, P, BLOCK,
        )  # fmt: skip
        total += slope
    total = tl.sum(total, 1)[:, None]
    for start in range(0, classes, BLOCK):
        column, inside, _, slope = _hinges(
            x_ptr, row, exists, start, classes, y, right, stride_x_row, stride_x_class, margin,
            ACC, P, BLOCK,
        )  # fmt: skip
        slope = tl.where(column == y, -total, slope)
        offsets = row * stride_out_row + column * stride_out_class
        tl.store(out_ptr + offsets, (slope * factor).to(out_ptr.dtype.element_ty), mask=inside)


@triton.jit
def _label(target_ptr, position, classes, stride_target):
    """The label at a position; -1 behind the last."""
    return tl.load(
        target_ptr + position * stride_target, mask=position < classes, other=-1
    ).to(tl.int64)  # fmt: skip


@triton.jit
def _x_of(x_ptr, label, classes, stride_x_class, ACC: tl.constexpr):
    tl.device_assert(label < classes, "target_idx < dim")
    offset = label * stride_x_class
    return tl.load(x_ptr + offset, mask=label < classes, other=float("nan")).to(ACC)


@triton.jit
def multilabel(
    x_ptr, target_ptr, is_target_ptr, loss_ptr, classes, stride_x_row, stride_x_class,
    stride_target_row, stride_target_class, stride_is_row, stride_is_class, scale,
    ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """loss [rows], is_target as target; grid rows."""
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * stride_x_row
    target_ptr += row * stride_target_row
    is_target_ptr += row * stride_is_row
    total = tl.zeros((BLOCK,), ACC)
    for start in range(0, classes, BLOCK):
        lane = start + tl.arange(0, BLOCK).to(tl.int64)
        inside = lane < classes
        is_target = tl.zeros((BLOCK,), tl.int32)
        position = tl.cast(0, tl.int64)
        label = _label(target_ptr, position, classes, stride_target_class)
        while label >= 0:
            is_target = tl.where(lane == label, 1, is_target)
            position += 1
            label = _label(target_ptr, position, classes, stride_target_class)
        tl.store(
            is_target_ptr + lane * stride_is_class,
            is_target.to(is_target_ptr.dtype.element_ty),
            mask=inside,
        )
        x = tl.load(x_ptr + lane * stride_x_class, mask=inside, other=0.0).to(ACC)
        counted = inside & (is_target == 0)
        position = tl.cast(0, tl.int64)
        label = _label(target_ptr, position, classes, stride_target_class)
        while label >= 0:
            right = _x_of(x_ptr, label, classes, stride_x_class, ACC)
            loss, _ = _hinge(x, right, 1.0, counted, 1)
            total += loss
            position += 1
            label = _label(target_ptr, position, classes, stride_target_class)
    loss = tl.sum(total, 0) * scale.to(ACC)
    tl.store(loss_ptr + row, loss.to(loss_ptr.dtype.element_ty))


@triton.jit
def _wrong_above(
    x_ptr, is_target_ptr, right, start, classes, stride_x_class, stride_is_class,
    ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """1 for each wrong class of a block that costs something beside the right one."""
    lane = start + tl.arange(0, BLOCK).to(tl.int64)
    inside = lane < classes
    x = tl.load(x_ptr + lane * stride_x_class, mask=inside, other=0.0).to(ACC)
    is_target = tl.load(is_target_ptr + lane * stride_is_class, mask=inside, other=1.0)
    _, slope = _hinge(x, right, 1.0, inside & (is_target == 0), 1)
    return slope.to(ACC)


@triton.jit
def multilabel_backward(
    grad_ptr, x_ptr, target_ptr, is_target_ptr, out_ptr, classes, stride_grad, stride_x_row,
    stride_x_class, stride_target_row, stride_target_class, stride_is_row, stride_is_class,
    stride_out_row, stride_out_class, scale, ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """out as x; grad of each row, or one with stride 0. Grid rows."""
    row = tl.program_id(0).to(tl.int64)
    x_ptr += row * stride_x_row
    target_ptr += row * stride_target_row
    is_target_ptr += row * stride_is_row
    factor = tl.load(grad_ptr + row * stride_grad).to(ACC) * scale.to(ACC)
    for start in range(0, classes, BLOCK):
        lane = start + tl.arange(0, BLOCK).to(tl.int64)
        total = tl.zeros((BLOCK,), ACC)
        position = tl.cast(0, tl.int64)
        label = _label(target_ptr, position, classes, stride_target_class)
        while label >= 0:
            right = _x_of(x_ptr, label, classes, stride_x_class, ACC)
            total += _wrong_above(
                x_ptr, is_target_ptr, right, start, classes, stride_x_class, stride_is_class, ACC,
                BLOCK,
            )  # fmt: skip
            if (label >= start) & (label < start + BLOCK):
                # The label's own gradient: what it costs in all blocks.
                count = tl.zeros((BLOCK,), ACC)
                for other in range(0, classes, BLOCK):
                    count += _wrong_above(
                        x_ptr, is_target_ptr, right, other, classes, stride_x_class,
                        stride_is_class, ACC, BLOCK,
                    )  # fmt: skip
                total = tl.where(lane == label, total - tl.sum(count, 0), total)
            position += 1
            label = _label(target_ptr, position, classes, stride_target_class)
        tl.store(
            out_ptr + row * stride_out_row + lane * stride_out_class,
            (total * factor).to(out_ptr.dtype.element_ty),
            mask=lane < classes,
        )
