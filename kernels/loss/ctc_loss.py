# SPDX-License-Identifier: Apache-2.0
"""Connectionist temporal classification (Graves et al. 2006): loss and gradient.

log_probs [steps, batch, classes] with any strides. A target of length L has 2 L + 1 states: blanks
between, before and behind its labels; a state is reached from itself, the one before, and, if its
label differs from that two states before, from that one. Everything is in log space, as ATen does
it; -inf is "cannot be".

- `forward`: log_alpha [batch, steps, states], one program a batch entry, all states at once, a step
  after the other.
- `backward_beta`: log_beta of the same shape, from the last step to the first.
- `backward_collect`: the gradient. Lanes are steps; the states are added to their classes in order,
  so that the result is the same on every run. Classes that occur in no state get exp(log_prob).
"""

import triton
import triton.language as tl


@triton.jit
def _labels(target_ptr, state, length, blank, stride_target):
    """Class of each state; odd ones are labels, all others blanks."""
    is_label = (state >= 0) & (state % 2 == 1) & (state < 2 * length + 1)
    label = tl.load(target_ptr + (state // 2) * stride_target, mask=is_label, other=0)
    return tl.where(is_label, label.to(tl.int64), tl.cast(blank, tl.int64))


@triton.jit
def _log_sum(a, b, c):
    largest = tl.maximum(tl.maximum(a, b), c)
    largest = tl.where(largest == float("-inf"), 0.0, largest)
    return tl.log(tl.exp(a - largest) + tl.exp(b - largest) + tl.exp(c - largest)) + largest


@triton.jit
def _nothing_like(x):
    """-inf in every lane."""
    return tl.full(x.shape, float("-inf"), x.dtype)


@triton.jit
def forward(
    log_probs_ptr, targets_ptr, lengths_ptr, log_alpha_ptr, loss_ptr, batch, steps, states, blank,
    stride_step, stride_batch, stride_class, stride_target,
    ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """lengths [3, batch]: of inputs, of targets, and the position of each target's first label."""
    n = tl.program_id(0)
    input_length = tl.load(lengths_ptr + n)
    length = tl.load(lengths_ptr + batch + n)
    targets_ptr += tl.load(lengths_ptr + 2 * batch + n)
    log_probs_ptr += n.to(tl.int64) * stride_batch
    log_alpha_ptr += n.to(tl.int64) * steps * states
    state = tl.arange(0, BLOCK)
    exists = state < 2 * length + 1
    label = _labels(targets_ptr, state, length, blank, stride_target)
    before = _labels(targets_ptr, state - 2, length, blank, stride_target)
    may_skip = (state > 1) & (label != before)
    step_ptr = log_probs_ptr + label * stride_class
    if input_length > 0:
        first = tl.load(step_ptr, mask=exists & (state < 2), other=float("-inf")).to(ACC)
        tl.store(log_alpha_ptr + state, first, mask=state < states)
    for t in range(1, input_length):
        tl.debug_barrier()  # the states that other threads stored
        row_ptr = log_alpha_ptr + (t - 1).to(tl.int64) * states + state
        stay = tl.load(row_ptr, mask=exists, other=float("-inf"))
        move = tl.load(row_ptr - 1, mask=exists & (state > 0), other=float("-inf"))
        skip = tl.load(row_ptr - 2, mask=exists & may_skip, other=float("-inf"))
        probability = tl.load(
            step_ptr + t.to(tl.int64) * stride_step, mask=exists, other=float("-inf")
        ).to(ACC)
        alpha = _log_sum(stay, move, skip) + probability
        alpha = tl.where(exists, alpha, float("-inf"))
        tl.store(row_ptr + states, alpha, mask=state < states)
    tl.debug_barrier()
    last_ptr = log_alpha_ptr + (input_length - 1).to(tl.int64) * states + 2 * length
    some = input_length > 0
    blank_end = tl.load(last_ptr, mask=some, other=float("-inf"))
    label_end = tl.load(last_ptr - 1, mask=some & (length > 0), other=float("-inf"))
    empty = tl.cast(float("-inf"), ACC)
    loss = -_log_sum(blank_end, label_end, empty)
    # No steps at all: certain to be the empty target, and no other.
    nothing = tl.where(length == 0, tl.cast(0.0, ACC), tl.cast(float("inf"), ACC))
    tl.store(loss_ptr + n, tl.where(some, loss, nothing))


@triton.jit
def backward_beta(
    log_probs_ptr, targets_ptr, lengths_ptr, log_beta_ptr, batch, steps, states, blank,
    stride_step, stride_batch, stride_class, stride_target,
    ACC: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """log_beta [batch, steps, states]; grid batch."""
    n = tl.program_id(0)
    input_length = tl.load(lengths_ptr + n)
    length = tl.load(lengths_ptr + batch + n)
    targets_ptr += tl.load(lengths_ptr + 2 * batch + n)
    log_probs_ptr += n.to(tl.int64) * stride_batch
    log_beta_ptr += n.to(tl.int64) * steps * states
    state = tl.arange(0, BLOCK)
    end = 2 * length
    exists = state <= end
    label = _labels(targets_ptr, state, length, blank, stride_target)
    after = _labels(targets_ptr, state + 2, length, blank, stride_target)
    may_skip = (state + 1 < end) & (label != after)
    step_ptr = log_probs_ptr + label * stride_class
    last = (input_length - 1).to(tl.int64)
    if input_length > 0:
        is_end = exists & (state + 1 >= end)
        beta = tl.load(step_ptr + last * stride_step, mask=is_end, other=float("-inf")).to(ACC)
        tl.store(log_beta_ptr + last * states + state, beta, mask=state < states)
    for i in range(1, input_length):
        tl.debug_barrier()  # the states that other threads stored
        t = last - i
        row_ptr = log_beta_ptr + (t + 1) * states + state
        stay = tl.load(row_ptr, mask=exists, other=float("-inf"))
        move = tl.load(row_ptr + 1, mask=state < end, other=float("-inf"))
        skip = tl.load(row_ptr + 2, mask=may_skip, other=float("-inf"))
        probability = tl.load(step_ptr + t * stride_step, mask=exists, other=float("-inf")).to(ACC)
        beta = tl.where(exists, _log_sum(stay, move, skip) + probability, float("-inf"))
        tl.store(row_ptr - states, beta, mask=state < states)


@triton.jit
def backward_collect(
    grad_ptr, log_probs_ptr, targets_ptr, lengths_ptr, log_alpha_ptr, log_beta_ptr, loss_ptr,
    grad_input_ptr, batch, steps, states, classes, blank, stride_grad,
    stride_step, stride_batch, stride_class, stride_target,
    ACC: tl.constexpr, ZERO_INFINITY: tl.constexpr, STEPS: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """grad_input [steps, batch, classes], dense; grid (batch, cdiv(steps, STEPS))."""
    n = tl.program_id(0).to(tl.int64)
    input_length = tl.load(lengths_ptr + n)
    length = tl.load(lengths_ptr + batch + n)
    targets_ptr += tl.load(lengths_ptr + 2 * batch + n)
    loss = tl.load(loss_ptr + n)
    grad = tl.load(grad_ptr + n * stride_grad)
    t = tl.program_id(1) * STEPS + tl.arange(0, STEPS)
    counted = t < input_length
    t = t.to(tl.int64)
    row_ptr = grad_input_ptr + (t * batch + n) * classes
    lanes = tl.arange(0, BLOCK)
    nothing = tl.full((STEPS, BLOCK), float("-inf"), ACC)
    for start in range(0, classes, BLOCK):
        mask = (t < steps)[:, None] & (start + lanes < classes)[None, :]
        tl.store(row_ptr[:, None] + (start + lanes)[None, :], nothing, mask=mask)
    tl.debug_barrier()
    pair_offsets = (n * steps + t) * states
    for state in range(0, 2 * length + 1):
        label = tl.cast(blank, tl.int64)
        if state % 2 == 1:
            label = tl.load(targets_ptr + (state // 2) * stride_target).to(tl.int64)
        both = tl.load(log_alpha_ptr + pair_offsets + state, mask=counted, other=float("-inf"))
        both += tl.load(log_beta_ptr + pair_offsets + state, mask=counted, other=float("-inf"))
        sofar = tl.load(row_ptr + label, mask=counted, other=float("-inf"))
        tl.store(row_ptr + label, _log_sum(sofar, both, _nothing_like(both)), mask=counted)
    tl.debug_barrier()
    for start in range(0, classes, BLOCK):
        column = start + lanes
        mask = (t < steps)[:, None] & (column < classes)[None, :]
        result = tl.load(row_ptr[:, None] + column[None, :], mask=mask, other=0.0)
        offsets = (t * stride_step + n * stride_batch)[:, None] + (column * stride_class)[None, :]
        log_prob = tl.load(log_probs_ptr + offsets, mask=mask & counted[:, None], other=0.0).to(ACC)
        value = (tl.exp(log_prob) - tl.exp(result + loss - log_prob)) * grad
        if ZERO_INFINITY:
            value = tl.where(loss == float("inf"), 0.0, value)
        value = tl.where(counted[:, None], value, 0.0)
        tl.store(row_ptr[:, None] + column[None, :], value, mask=mask)
