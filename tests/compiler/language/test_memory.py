# SPDX-License-Identifier: Apache-2.0
"""Atomics, block pointers, tensor descriptors on the device and from the host."""

import pytest
import torch
import triton
import triton.language as tl
from triton.tools.tensor_descriptor import TensorDescriptor

BITS = {2: torch.int16, 4: torch.int32, 8: torch.int64}


@triton.jit
def modify(
    i_ptr, x_ptr, y_ptr, old_ptr, n, OP: tl.constexpr, SEM: tl.constexpr, BLOCK: tl.constexpr
):
    k = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = k < n
    p = y_ptr + tl.load(i_ptr + k, mask, 0)
    x = tl.load(x_ptr + k, mask)
    if OP == "add":
        old = tl.atomic_add(p, x, mask, sem=SEM, scope="gpu")
    elif OP == "max":
        old = tl.atomic_max(p, x, mask, sem=SEM, scope="cta")
    elif OP == "min":
        old = tl.atomic_min(p, x, mask, sem=SEM, scope="sys")
    elif OP == "and":
        old = tl.atomic_and(p, x, mask, sem=SEM)
    elif OP == "or":
        old = tl.atomic_or(p, x, mask, sem=SEM)
    elif OP == "xor":
        old = tl.atomic_xor(p, x, mask, sem=SEM)
    else:
        old = tl.atomic_xchg(p, x, mask, sem=SEM)
    tl.store(old_ptr + k, old, mask)


def combine(op, a, b):
    return {
        "add": lambda: a + b, "max": lambda: torch.maximum(a, b),
        "min": lambda: torch.minimum(a, b), "and": lambda: a & b,
        "or": lambda: a | b, "xor": lambda: a ^ b, "xchg": lambda: b,
    }[op]()  # fmt: skip


FLOATS = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
INTEGERS = [torch.int32, torch.int64, torch.uint32, torch.uint64]
CASES = [("add", d) for d in FLOATS + INTEGERS]
CASES += [(op, d) for op in ("max", "min") for d in [torch.float32, torch.float64, *INTEGERS]]
CASES += [(op, d) for op in ("and", "or", "xor") for d in (torch.int32, torch.int64)]
CASES += [("xchg", d) for d in (torch.float32, torch.float64, torch.int32, torch.int64)]


@pytest.mark.parametrize("op, dtype", CASES, ids=str)
def test_read_modify_write(op, dtype):
    n, signed = 100, {torch.uint32: torch.int32, torch.uint64: torch.int64}.get(dtype, dtype)
    low = 0 if signed != dtype or not dtype.is_floating_point and op in ("and", "or") else -9
    i = torch.randint(0, 10, (n,))
    x, y = torch.randint(low, 9, (n,)).to(signed), torch.randint(low, 9, (10,)).to(signed)
    old = torch.empty(n, dtype=signed)
    sem = ["relaxed", "acquire", "release", "acq_rel"][len(op) % 4]
    expected_y, expected_old = y.clone(), torch.empty_like(old)
    for k in range(n):
        at = i[k]
        expected_old[k] = expected_y[at]
        expected_y[at] = combine(op, expected_y[at].clone(), x[k])
    modify[(1,)](i, x.view(dtype), y.view(dtype), old.view(dtype), n, op, sem, 128)
    assert torch.equal(y, expected_y)
    # Of floats, the front end first treats all positive lanes, then the others.
    if op not in ("max", "min") or not dtype.is_floating_point:
        assert torch.equal(old, expected_old)


@triton.jit
def scalar_atomics(y_ptr, old_ptr, n):
    pid = tl.program_id(0)
    tl.store(old_ptr + pid, tl.atomic_add(y_ptr, 1, mask=pid < n))
    tl.atomic_max(y_ptr + 1, pid.to(tl.float32).to(tl.int32, bitcast=True))


def test_scalars_of_many_programs():
    y, old = torch.zeros(2, dtype=torch.int32), torch.full((64,), -1, dtype=torch.int32)
    scalar_atomics[(64,)](y, old, 60)
    assert y[0] == 60 and sorted(old[:60].tolist()) == list(range(60))
    assert y[1:].view(torch.float32).item() == 63


@triton.jit
def compare_and_swap(p_ptr, c_ptr, x_ptr, old_ptr, BLOCK: tl.constexpr):
    k = tl.arange(0, BLOCK)
    old = tl.atomic_cas(p_ptr + k, tl.load(c_ptr + k), tl.load(x_ptr + k))
    tl.store(old_ptr + k, old)


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64, *FLOATS], ids=str)
def test_compare_and_swap(dtype):
    p, c, x = (torch.randint(0, 3, (64,)).to(dtype) for _ in range(3))
    now, old = p.clone(), torch.empty_like(p)
    compare_and_swap[(1,)](now, c, x, old, 64)
    assert torch.equal(old, p) and torch.equal(now, torch.where(p == c, x, p))


@triton.jit
def lock(mutex_ptr, y_ptr):
    while tl.atomic_cas(mutex_ptr, 0, 1) == 1:
        pass
    tl.store(y_ptr, tl.load(y_ptr) + 1)
    tl.debug_barrier()
    tl.atomic_xchg(mutex_ptr, 0)


def test_a_spin_lock():
    mutex, y = torch.zeros(1, dtype=torch.int32), torch.zeros(1)
    lock[(200,)](mutex, y)
    assert y.item() == 200 and mutex.item() == 0


@triton.jit
def block_pointers(x_ptr, y_ptr, m, n, BM: tl.constexpr, BN: tl.constexpr, PADDING: tl.constexpr):
    source = tl.make_block_ptr(x_ptr, (m, n), (n, 1), (0, 0), (BM, BN), (1, 0))
    target = tl.make_block_ptr(y_ptr, (n, m), (m, 1), (0, 0), (BN, BM), (1, 0))
    for _ in range(0, n, BN):
        x = tl.load(source, boundary_check=(0, 1), padding_option=PADDING)
        tl.store(target, tl.trans(x), boundary_check=(0, 1))
        tl.store(target, tl.trans(tl.where(x == x, x, 7.0)), boundary_check=(0, 1))
        source = tl.advance(source, (0, BN))
        target = tl.advance(target, (BN, 0))


@pytest.mark.parametrize("padding", ["zero", "nan"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_block_pointers(dtype, padding):
    x = torch.randn(13, 50).to(dtype)
    y = torch.full((50, 13), -1.0, dtype=dtype)
    block_pointers[(1,)](x, y, 13, 50, 16, 16, padding)
    assert torch.equal(y, x.t())


@triton.jit
def descriptors(x_ptr, y_ptr, r_ptr, i_ptr, m, n, BM: tl.constexpr, BN: tl.constexpr):
    source = tl.make_tensor_descriptor(x_ptr, [m, n], [n, 1], [BM, BN])
    target = tl.make_tensor_descriptor(y_ptr, [m, n], [n, 1], [BM, BN])
    sums = tl.make_tensor_descriptor(r_ptr, [m, n], [n, 1], [BM, BN])
    for i in range(0, m, BM):
        for j in range(0, n, BN):
            x = source.load([i, j])
            target.store([i, j], x * 2)
            sums.atomic_add([i, j], x)
    rows = tl.make_tensor_descriptor(x_ptr, [m, n], [n, 1], [1, BN])
    index = tl.load(i_ptr + tl.arange(0, 8))
    picked = rows.gather(index, 16)
    out = tl.make_tensor_descriptor(y_ptr, [m, n], [n, 1], [1, BN])
    out.scatter(picked, index, 0)


def test_tensor_descriptors():
    x = torch.randn(20, 48)
    y, r = torch.zeros(20, 48), torch.zeros(20, 48)
    i = torch.tensor([3, 0, 7, 19, 1, 2, 11, 5], dtype=torch.int32)
    descriptors[(1,)](x, y, r, i, 20, 48, 16, 16)
    expected = x * 2
    expected[i.long(), :16] = x[i.long(), 16:32]
    assert torch.equal(y, expected) and torch.equal(r, x)


@triton.jit
def descriptor_reductions(x_ptr, y_ptr, OP: tl.constexpr, N: tl.constexpr):
    x = tl.load(x_ptr + tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :])
    y = tl.make_tensor_descriptor(y_ptr, [N, N - 4], [N, 1], [N, N])
    if OP == "max":
        y.atomic_max([0, 0], x)
    elif OP == "min":
        y.atomic_min([0, 0], x)
    elif OP == "and":
        y.atomic_and([0, 0], x)
    elif OP == "or":
        y.atomic_or([0, 0], x)
    else:
        y.atomic_xor([0, 0], x)


@pytest.mark.parametrize("op", ["max", "min", "and", "or", "xor"])
def test_reductions_through_descriptors(op):
    x, y = torch.randint(-9, 9, (2, 16, 16), dtype=torch.int32)
    now = y.clone()
    descriptor_reductions[(1,)](x, now, op, 16)
    assert torch.equal(now[:, :12], combine(op, y, x)[:, :12])
    assert torch.equal(now[:, 12:], y[:, 12:])


@triton.jit
def from_host(source, target, scale, BM: tl.constexpr, BN: tl.constexpr):
    i, j = tl.program_id(0) * BM, tl.program_id(1) * BN
    x = source.load([i, j])
    target.store([i, j], (x * scale).to(target.dtype) + source.shape[0] + source.strides[0])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.int32], ids=str)
def test_descriptors_from_the_host(dtype):
    x = (torch.randn(50, 40) * 10).to(dtype)
    y = torch.zeros(50, 40, dtype=torch.float32)
    source, target = (TensorDescriptor.from_tensor(t, [16, 16]) for t in (x, y))
    from_host[(4, 3)](source, target, 2, 16, 16)
    assert torch.equal(y, (x * 2).float() + 50 + 40)


@triton.jit
def nan_padding(source, y_ptr, N: tl.constexpr):
    i = tl.arange(0, N)[:, None] * N + tl.arange(0, N)[None, :]
    tl.store(y_ptr + i, source.load([8, 8]))


def test_nan_padding_of_a_host_descriptor():
    x, y = torch.randn(12, 16), torch.empty(16, 16)
    nan_padding[(1,)](TensorDescriptor(x, [12, 16], [16, 1], [16, 16], padding="nan"), y, 16)
    assert torch.equal(y[:4, :8], x[8:, 8:]) and y[4:].isnan().all() and y[:, 8:].isnan().all()


@triton.jit
def modifiers(x_ptr, y_ptr, BLOCK: tl.constexpr):
    i = tl.arange(0, BLOCK)
    a = tl.load(x_ptr + i, cache_modifier=".ca", eviction_policy="evict_first", volatile=True)
    b = tl.load(x_ptr + i, cache_modifier=".cg", eviction_policy="evict_last")
    tl.store(y_ptr + i, a, cache_modifier=".wb")
    tl.store(y_ptr + BLOCK + i, b, cache_modifier=".cs", eviction_policy="evict_first")
    tl.store(y_ptr + 2 * BLOCK + i, a + b, cache_modifier=".wt")


def test_cache_modifiers_change_nothing_but_speed():
    x, y = torch.randn(64), torch.empty(3 * 64)
    modifiers[(1,)](x, y, 64)
    assert torch.equal(y, torch.cat([x, x, x + x]))
