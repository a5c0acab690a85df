# SPDX-License-Identifier: Apache-2.0
"""Small kernels through the whole CPU compiler, against torch."""

import ctypes
import mmap

import pytest
import torch
import triton
import triton.language as tl
from tile_compiler import CompileError, compile_kernel, compile_ttir, make_ttir
from triton.language.extra import libdevice

TYPES = {
    "fp32": torch.float32,
    "fp64": torch.float64,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
    "i8": torch.int8,
    "i16": torch.int16,
    "i32": torch.int32,
    "i64": torch.int64,
    "i1": torch.bool,
    "u8": torch.uint8,
}
FLOATS = ["fp32", "fp64", "fp16", "bf16"]
INTEGERS = ["i8", "i16", "i32", "i64"]
SIZES = [1, 63, 64, 1000, 1024, 3001]


def random_tensor(kind: str, *shape: int) -> torch.Tensor:
    """Values that all types hold, of both signs."""
    dtype = TYPES[kind]
    if dtype.is_floating_point:
        return torch.randn(*shape, dtype=torch.float64).to(dtype)
    if kind == "i1":
        return torch.rand(*shape) < 0.5
    low = 0 if kind == "u8" else -100
    return torch.randint(low, 100, shape, dtype=dtype)


_MAPPINGS: list[mmap.mmap] = []


def guarded(tensor: torch.Tensor) -> torch.Tensor:
    """A copy whose last byte is the last one before an unmapped page."""
    size = tensor.numel() * tensor.element_size()
    pages = (size + mmap.PAGESIZE - 1) // mmap.PAGESIZE
    area = mmap.mmap(-1, (pages + 1) * mmap.PAGESIZE)
    _MAPPINGS.append(area)
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    libc = ctypes.CDLL(None, use_errno=True)
    end = base + pages * mmap.PAGESIZE
    assert libc.mprotect(ctypes.c_void_p(end), mmap.PAGESIZE, 0) == 0
    offset = pages * mmap.PAGESIZE - size
    copy = torch.frombuffer(area, dtype=tensor.dtype, count=tensor.numel(), offset=offset)
    copy.copy_(tensor.reshape(-1))
    return copy.reshape(tensor.shape)


@triton.jit
def copy_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    tl.store(y_ptr + offs, tl.load(x_ptr + offs, mask=mask), mask=mask)


@pytest.mark.parametrize("kind", list(TYPES))
@pytest.mark.parametrize("block", [1, 16, 1024])
def test_copy_touches_no_masked_lane(kind, block):
    kernel = compile_kernel(
        copy_kernel, {"x_ptr": "*" + kind, "y_ptr": "*" + kind, "n": "i32"}, BLOCK=block
    )
    for n in SIZES if block > 1 else [1, 5]:
        x = guarded(random_tensor(kind, n))
        y = guarded(torch.zeros(n, dtype=TYPES[kind]))
        kernel.run((triton.cdiv(n, block),), x, y, n)
        assert torch.equal(x, y)


@triton.jit
def binary_kernel(x_ptr, y_ptr, o_ptr, n, OP: tl.constexpr, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask, other=1)
    y = tl.load(y_ptr + offs, mask=mask, other=1)
    if OP == "add":
        z = x + y
    elif OP == "sub":
        z = x - y
    elif OP == "mul":
        z = x * y
    elif OP == "div":
        z = x / y
    elif OP == "floordiv":
        z = x // y
    elif OP == "mod":
        z = x % y
    elif OP == "and":
        z = x & y
    elif OP == "xor":
        z = x ^ y
    elif OP == "shl":
        z = x << y
    elif OP == "shr":
        z = x >> y
    elif OP == "max":
        z = tl.maximum(x, y)
    elif OP == "max_nan":
        z = tl.maximum(x, y, propagate_nan=tl.PropagateNan.ALL)
    elif OP == "min":
        z = tl.minimum(x, y)
    elif OP == "lt":
        z = x < y
    elif OP == "eq":
        z = x == y
    else:
        z = tl.where(x > y, x, -y)
    tl.store(o_ptr + offs, z, mask=mask)


def run_binary(kind, op, x, y, out_kind=None):
    out_kind = out_kind or kind
    signature = {"x_ptr": "*" + kind, "y_ptr": "*" + kind, "o_ptr": "*" + out_kind, "n": "i32"}
    kernel = compile_kernel(binary_kernel, signature, OP=op, BLOCK=256)
    out = torch.zeros(x.numel(), dtype=TYPES[out_kind])
    kernel.run((triton.cdiv(x.numel(), 256),), x, y, out, x.numel())
    return out


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "div", "max", "min"])
def test_float_arithmetic_is_rounded_as_torch_does(kind, op):
    x, y = random_tensor(kind, 1000), random_tensor(kind, 1000)
    # tl.math computes `/` of 16-bit floats in fp32 and stores it rounded.
    expected = {
        "add": x + y, "sub": x - y, "mul": x * y, "div": x / y,
        "max": torch.maximum(x, y), "min": torch.minimum(x, y),
    }[op]  # fmt: skip
    assert torch.equal(run_binary(kind, op, x, y), expected)


@pytest.mark.parametrize("kind", FLOATS)
def test_comparisons_and_where(kind):
    x, y = random_tensor(kind, 1000), random_tensor(kind, 1000)
    x[:100] = y[:100]
    x[5] = float("nan")
    assert torch.equal(run_binary(kind, "lt", x, y, "i1"), x < y)
    assert torch.equal(run_binary(kind, "eq", x, y, "i1"), x == y)
    where = run_binary(kind, "where", x, y)
    assert torch.equal(where, torch.where(x > y, x, -y))
    nan = torch.tensor([float("nan"), 1, float("nan"), -0.0], dtype=TYPES[kind])
    other = torch.tensor([1, float("nan"), float("nan"), 1], dtype=TYPES[kind])
    assert torch.equal(
        run_binary(kind, "max_nan", nan, other).isnan(), torch.maximum(nan, other).isnan()
    )
    assert torch.equal(
        run_binary(kind, "max", nan, other).nan_to_num(7), torch.fmax(nan, other).nan_to_num(7)
    )


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("op", ["add", "sub", "mul", "and", "xor", "max", "min"])
def test_integer_arithmetic_wraps(kind, op):
    info = torch.iinfo(TYPES[kind])
    x = torch.randint(info.min, info.max, (1000,), dtype=TYPES[kind])
    y = torch.randint(info.min, info.max, (1000,), dtype=TYPES[kind])
    expected = {
        "add": x + y, "sub": x - y, "mul": x * y, "and": x & y, "xor": x ^ y,
        "max": torch.maximum(x, y), "min": torch.minimum(x, y),
    }[op]  # fmt: skip
    assert torch.equal(run_binary(kind, op, x, y), expected)


@pytest.mark.parametrize("kind", INTEGERS)
@pytest.mark.parametrize("size", [1, 1000])
def test_integer_division_truncates_and_never_traps(kind, size):
    info = torch.iinfo(TYPES[kind])
    x = torch.randint(info.min, info.max, (size,), dtype=TYPES[kind])
    y = torch.randint(-100, 100, (size,), dtype=TYPES[kind])
    x[: size // 2] = info.min
    y[: size // 4] = -1
    quotient, rest = run_binary(kind, "floordiv", x, y), run_binary(kind, "mod", x, y)
    usual = (y != 0) & ~((x == info.min) & (y == -1))
    expected = torch.div(x[usual], y[usual], rounding_mode="trunc")
    assert torch.equal(quotient[usual], expected)
    assert torch.equal(rest[usual], torch.fmod(x[usual], y[usual]))


@pytest.mark.parametrize("kind", INTEGERS)
def test_shifts_by_the_width_or_more(kind):
    bits = torch.iinfo(TYPES[kind]).bits
    x = random_tensor(kind, 300)
    y = torch.arange(300).remainder(bits + 3).to(TYPES[kind])
    left, right = run_binary(kind, "shl", x, y), run_binary(kind, "shr", x, y)
    inside = y < bits
    assert torch.equal(left[inside], (x << y)[inside]) and torch.all(left[~inside] == 0)
    assert torch.equal(right[inside], (x >> y)[inside])
    assert torch.equal(right[~inside], torch.where(x < 0, -1, 0).to(TYPES[kind])[~inside])


@triton.jit
def cast_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask)
    tl.store(y_ptr + offs, x.to(y_ptr.dtype.element_ty), mask=mask)


@pytest.mark.parametrize("source", [k for k in TYPES if k != "u8"])
@pytest.mark.parametrize("target", [k for k in TYPES if k != "u8"])
def test_casts(source, target):
    x = random_tensor(source, 777)
    y = torch.zeros(777, dtype=TYPES[target])
    kernel = compile_kernel(
        cast_kernel, {"x_ptr": "*" + source, "y_ptr": "*" + target, "n": "i32"}, BLOCK=256
    )
    kernel.run((4,), x, y, 777)
    assert torch.equal(y, x.to(TYPES[target]))


def test_fp32_to_bf16_rounds_all_kinds_of_numbers():
    bits = torch.randint(-(2**31), 2**31 - 1, (100000,), dtype=torch.int64).to(torch.int32)
    bits[:1000] = torch.arange(1000)  # Denormals.
    bits[1000:2000] = 0x7F7F8000 + torch.arange(1000) - 500  # Around overflow.
    x = bits.view(torch.float32)
    y = torch.zeros(x.numel(), dtype=torch.bfloat16)
    kernel = compile_kernel(
        cast_kernel, {"x_ptr": "*fp32", "y_ptr": "*bf16", "n": "i32"}, BLOCK=1024
    )
    kernel.run((triton.cdiv(x.numel(), 1024),), x, y, x.numel())
    expected = x.to(torch.bfloat16)
    assert torch.equal(y.isnan(), expected.isnan())
    number = ~expected.isnan()
    assert torch.equal(y.view(torch.int16)[number], expected.view(torch.int16)[number])


@triton.jit
def unary_kernel(x_ptr, y_ptr, n, OP: tl.constexpr, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask)
    if OP == "exp":
        y = tl.exp(x)
    elif OP == "log":
        y = tl.log(tl.abs(x))
    elif OP == "sqrt":
        y = tl.sqrt(tl.abs(x))
    elif OP == "erf":
        y = tl.erf(x)
    elif OP == "sin":
        y = tl.sin(x)
    elif OP == "floor":
        y = tl.floor(x)
    elif OP == "tanh":
        y = libdevice.tanh(x)
    elif OP == "rsqrt":
        y = tl.rsqrt(tl.abs(x))
    elif OP == "lgamma":
        y = libdevice.lgamma(x)
    elif OP == "sigmoid":
        y = tl.sigmoid(x)
    tl.store(y_ptr + offs, y, mask=mask)


@pytest.mark.parametrize("kind", ["fp32", "fp64"])
@pytest.mark.parametrize(
    "op", ["exp", "log", "sqrt", "erf", "sin", "floor", "tanh", "rsqrt", "lgamma", "sigmoid"]
)
def test_functions(kind, op):
    x = random_tensor(kind, 1000) * 3
    y = torch.zeros_like(x)
    compile_kernel(
        unary_kernel, {"x_ptr": "*" + kind, "y_ptr": "*" + kind, "n": "i32"}, OP=op, BLOCK=256
    ).run((4,), x, y, 1000)
    argument = x.abs() if op in ("log", "sqrt", "rsqrt") else x
    torch.testing.assert_close(y, getattr(torch, op)(argument))


@triton.jit
def reduce_kernel(
    x_ptr,
    o_ptr,
    rows,
    columns,
    OP: tl.constexpr,
    AXIS: tl.constexpr,
    ROWS: tl.constexpr,
    COLUMNS: tl.constexpr,
):
    r = tl.arange(0, ROWS)
    c = tl.arange(0, COLUMNS)
    mask = (r < rows)[:, None] & (c < columns)[None, :]
    other = 0 if OP == "sum" else float("-inf")
    x = tl.load(x_ptr + r[:, None] * columns + c[None, :], mask=mask, other=other)
    if OP == "sum":
        y = tl.sum(x, AXIS)
    elif OP == "max":
        y = tl.max(x, AXIS)
    else:
        y = tl.argmax(x, AXIS)
    if AXIS == 1:
        tl.store(o_ptr + r, y, mask=r < rows)
    else:
        tl.store(o_ptr + c, y, mask=c < columns)


@pytest.mark.parametrize("kind", FLOATS)
@pytest.mark.parametrize("op", ["sum", "max", "argmax"])
@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("shape", [(1, 1), (3, 5), (16, 64), (7, 200), (61, 3)])
def test_reductions(kind, op, axis, shape):
    x = guarded(random_tensor(kind, *shape))
    out_kind = "i32" if op == "argmax" else kind
    y = torch.zeros(shape[1 - axis], dtype=TYPES[out_kind])
    sizes = [triton.next_power_of_2(s) for s in shape]
    signature = {"x_ptr": "*" + kind, "o_ptr": "*" + out_kind, "rows": "i32", "columns": "i32"}
    kernel = compile_kernel(
        reduce_kernel, signature, OP=op, AXIS=axis, ROWS=sizes[0], COLUMNS=sizes[1]
    )
    kernel.run((1,), x, y, *shape)
    if op == "sum":
        # Every addition is rounded to the type.
        tolerance = {"bf16": 0.3, "fp16": 0.05}.get(kind, 1e-4)
        torch.testing.assert_close(y, x.sum(axis), rtol=tolerance, atol=tolerance)
    elif op == "max":
        assert torch.equal(y, x.amax(axis))
    else:
        assert torch.equal(x.gather(axis, y.long().unsqueeze(axis)), x.amax(axis, keepdim=True))


@triton.jit
def nan_max_kernel(x_ptr, o_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n, other=float("-inf"))
    tl.store(o_ptr, tl.max(x, 0))
    tl.store(o_ptr + 1, tl.sum(tl.where(offs < n, x, 0.0), 0))


def test_extrema_of_nothing_and_of_nan():
    kernel = compile_kernel(
        nan_max_kernel, {"x_ptr": "*fp32", "o_ptr": "*fp32", "n": "i32"}, BLOCK=128
    )
    out = torch.zeros(2)
    kernel.run((1,), torch.zeros(1), out, 0)
    assert out.tolist() == [float("-inf"), 0.0]
    kernel.run((1,), torch.full((128,), float("nan")), out, 128)
    assert out.isnan().all()


@triton.jit
def softmax_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    row = tl.program_id(0)
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + row * n + offs, mask=offs < n, other=float("-inf"))
    e = tl.exp(x - tl.max(x, 0))
    tl.store(y_ptr + row * n + offs, e / tl.sum(e, 0), mask=offs < n)


@pytest.mark.parametrize("n", [1, 30, 64, 129, 1000, 1024])
def test_softmax_of_rows(n):
    x = guarded(torch.randn(5, n))
    y = guarded(torch.zeros(5, n))
    compile_kernel(
        softmax_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32"}, BLOCK=1024
    ).run((5,), x, y, n)
    torch.testing.assert_close(y, torch.softmax(x, 1))


@triton.jit
def carried_kernel(x_ptr, y_ptr, n, rows, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    pointers = x_ptr + offs
    total = tl.zeros((BLOCK,), tl.float32)
    largest = tl.full((BLOCK,), float("-inf"), tl.float32)
    for _ in range(rows):
        x = tl.load(pointers, mask=offs < n, other=0.0)
        total = total + x * (largest > 0).to(tl.float32)
        largest = tl.maximum(largest, x)
        pointers += n
    tl.store(y_ptr + offs, total, mask=offs < n)
    tl.store(y_ptr + n + offs, largest, mask=offs < n)


@pytest.mark.parametrize("rows", [0, 1, 6])
def test_loop_carries_tensors_and_pointers(rows):
    x = torch.randn(max(rows, 1), 100)
    y = torch.zeros(2, 100)
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "rows": "i32"}
    compile_kernel(carried_kernel, signature, BLOCK=128).run((1,), x, y, 100, rows)
    total, largest = torch.zeros(100), torch.full((100,), float("-inf"))
    for i in range(rows):
        total = total + x[i] * (largest > 0)
        largest = torch.maximum(largest, x[i])
    assert torch.equal(y, torch.stack([total, largest]))


@triton.jit
def swap_kernel(y_ptr, steps, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    a = offs.to(tl.float32)
    b = (offs * 2).to(tl.float32)
    for _ in range(steps):
        t = a
        a = b + tl.sum(a, 0)
        b = t
    tl.store(y_ptr + offs, a)
    tl.store(y_ptr + BLOCK + offs, b)


def test_carried_tensors_change_at_once():
    y = torch.zeros(2, 64)
    compile_kernel(swap_kernel, {"y_ptr": "*fp32", "steps": "i32"}, BLOCK=64).run((1,), y, 3)
    a, b = torch.arange(64.0), torch.arange(64.0) * 2
    for _ in range(3):
        a, b = b + a.sum(), a
    assert torch.equal(y, torch.stack([a, b]))


@triton.jit
def branch_kernel(x_ptr, y_ptr, n, limit, BLOCK: tl.constexpr):
    pid = tl.program_id(0)
    if pid >= limit:
        return
    offs = pid * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n, other=0.0)
    i = 0
    while i < pid + 1:
        if i % 2 == 0:
            x = x + 1
        else:
            x = x * 2
        i += 1
    tl.store(y_ptr + offs, x, mask=offs < n)


def test_return_while_and_if():
    x = torch.randn(500)
    y = torch.full((500,), -7.0)
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "n": "i32", "limit": "i32"}
    compile_kernel(branch_kernel, signature, BLOCK=128).run((4,), x, y, 500, 3)
    expected = torch.full((500,), -7.0)
    for pid in range(3):
        part = x[pid * 128 : pid * 128 + 128]
        for i in range(pid + 1):
            part = part + 1 if i % 2 == 0 else part * 2
        expected[pid * 128 : pid * 128 + 128] = part
    assert torch.equal(y, expected)


@triton.jit
def matmul_kernel(
    a_ptr, b_ptr, c_ptr, M, N, K,
    BM: tl.constexpr, BN: tl.constexpr, BK: tl.constexpr, TRANSPOSED: tl.constexpr,
):  # fmt: skip
    rm = tl.program_id(0) * BM + tl.arange(0, BM)
    rn = tl.program_id(1) * BN + tl.arange(0, BN)
    rk = tl.arange(0, BK)
    a = a_ptr + rm[:, None] * K + rk[None, :]
    if TRANSPOSED:
        b = b_ptr + rk[:, None] + rn[None, :] * K
    else:
        b = b_ptr + rk[:, None] * N + rn[None, :]
    acc = tl.zeros((BM, BN), tl.float32)
    for k in range(0, K, BK):
        x = tl.load(a, mask=(rm < M)[:, None] & (k + rk < K)[None, :], other=0.0)
        y = tl.load(b, mask=(k + rk < K)[:, None] & (rn < N)[None, :], other=0.0)
        acc = tl.dot(x, y, acc, input_precision="ieee")
        a += BK
        b += BK if TRANSPOSED else BK * N
    mask = (rm < M)[:, None] & (rn < N)[None, :]
    tl.store(c_ptr + rm[:, None] * N + rn[None, :], acc.to(c_ptr.dtype.element_ty), mask=mask)


@pytest.mark.parametrize("kind", ["fp32", "fp16", "bf16"])
@pytest.mark.parametrize("shape", [(1, 1, 1), (32, 32, 32), (100, 77, 93)])
@pytest.mark.parametrize("transposed", [False, True])
def test_matrix_product(kind, shape, transposed):
    m, n, k = shape
    a, b = guarded(random_tensor(kind, m, k)), guarded(random_tensor(kind, k, n))
    stored = guarded(b.t().contiguous()) if transposed else b
    c = guarded(torch.zeros(m, n))
    signature = {
        "a_ptr": "*" + kind,
        "b_ptr": "*" + kind,
        "c_ptr": "*fp32",
        "M": "i32",
        "N": "i32",
        "K": "i32",
    }
    kernel = compile_kernel(matmul_kernel, signature, BM=32, BN=32, BK=16, TRANSPOSED=transposed)
    kernel.run((triton.cdiv(m, 32), triton.cdiv(n, 32)), a, stored, c, m, n, k)
    torch.testing.assert_close(c, a.float() @ b.float(), rtol=1e-4, atol=1e-4)


@triton.jit
def attention_kernel(q_ptr, k_ptr, v_ptr, o_ptr, n, BLOCK: tl.constexpr, D: tl.constexpr):
    r = tl.arange(0, BLOCK)
    d = tl.arange(0, D)
    rows = tl.program_id(0) * BLOCK + r
    q = tl.load(q_ptr + rows[:, None] * D + d[None, :], mask=rows[:, None] < n, other=0.0)
    m = tl.full((BLOCK,), float("-inf"), tl.float32)
    l = tl.zeros((BLOCK,), tl.float32)  # noqa: E741
    acc = tl.zeros((BLOCK, D), tl.float32)
    for start in range(0, n, BLOCK):
        columns = start + r
        k = tl.load(k_ptr + columns[None, :] * D + d[:, None], mask=columns[None, :] < n, other=0.0)
        v = tl.load(v_ptr + columns[:, None] * D + d[None, :], mask=columns[:, None] < n, other=0.0)
        s = tl.dot(q, k) * 0.25
        s = tl.where(columns[None, :] < n, s, float("-inf"))
        m_new = tl.maximum(m, tl.max(s, 1))
        alpha = tl.exp(m - m_new)
        p = tl.exp(s - m_new[:, None])
        l = l * alpha + tl.sum(p, 1)  # noqa: E741
        acc = tl.dot(p.to(v.dtype), v, acc * alpha[:, None])
        m = m_new
    tl.store(o_ptr + rows[:, None] * D + d[None, :], acc / l[:, None], mask=rows[:, None] < n)


@pytest.mark.parametrize("n", [16, 50])
def test_flash_attention(n):
    q, k, v = torch.randn(n, 16), torch.randn(n, 16), torch.randn(n, 16)
    o = guarded(torch.zeros(n, 16))
    signature = {"q_ptr": "*fp32", "k_ptr": "*fp32", "v_ptr": "*fp32", "o_ptr": "*fp32", "n": "i32"}
    compile_kernel(attention_kernel, signature, BLOCK=16, D=16).run(
        (triton.cdiv(n, 16),), q, k, v, o, n
    )
    torch.testing.assert_close(o, torch.softmax(q @ k.t() * 0.25, 1) @ v, rtol=1e-4, atol=1e-5)


@triton.jit
def transpose_kernel(x_ptr, y_ptr, m, n, BLOCK: tl.constexpr):
    r = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    c = tl.program_id(1) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + r[:, None] * n + c[None, :], mask=(r < m)[:, None] & (c < n)[None, :])
    tl.store(
        y_ptr + c[:, None] * m + r[None, :], tl.trans(x), mask=(c < n)[:, None] & (r < m)[None, :]
    )


def test_transpose():
    x, y = guarded(torch.randn(70, 45)), guarded(torch.zeros(45, 70))
    signature = {"x_ptr": "*fp32", "y_ptr": "*fp32", "m": "i32", "n": "i32"}
    compile_kernel(transpose_kernel, signature, BLOCK=32).run((3, 2), x, y, 70, 45)
    assert torch.equal(y, x.t())


@triton.jit
def _add(a, b):
    return a + b


@triton.jit
def scan_kernel(
    x_ptr, y_ptr, AXIS: tl.constexpr, REVERSE: tl.constexpr, R: tl.constexpr, C: tl.constexpr
):
    offs = tl.arange(0, R)[:, None] * C + tl.arange(0, C)[None, :]
    x = tl.load(x_ptr + offs)
    tl.store(y_ptr + offs, tl.associative_scan(x, AXIS, _add, reverse=REVERSE))


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("reverse", [False, True])
def test_scan(axis, reverse):
    x = torch.randint(-9, 9, (8, 32), dtype=torch.int32)
    y = torch.zeros_like(x)
    compile_kernel(
        scan_kernel, {"x_ptr": "*i32", "y_ptr": "*i32"}, AXIS=axis, REVERSE=reverse, R=8, C=32
    ).run((1,), x, y)
    expected = x.flip(axis).cumsum(axis).flip(axis) if reverse else x.cumsum(axis)
    assert torch.equal(y, expected.int())


@triton.jit
def gather_kernel(x_ptr, index_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    index = tl.load(index_ptr + offs, mask=mask, other=0)
    tl.store(y_ptr + offs, tl.load(x_ptr + index, mask=mask & (index >= 0), other=-1.0), mask=mask)


def test_gather():
    x = guarded(torch.randn(50))
    index = torch.randint(-2, 50, (300,))
    y = guarded(torch.zeros(300))
    signature = {"x_ptr": "*fp32", "index_ptr": "*i64", "y_ptr": "*fp32", "n": "i32"}
    compile_kernel(gather_kernel, signature, BLOCK=128).run((3,), x, index, y, 300)
    assert torch.equal(y, torch.where(index >= 0, x[index.clamp(min=0)], -1.0))


@triton.jit
def atomic_kernel(index_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    mask = offs < n
    one = tl.full((BLOCK,), 1, y_ptr.dtype.element_ty)
    tl.atomic_add(y_ptr + tl.load(index_ptr + offs, mask=mask, other=0), one, mask=mask)


@pytest.mark.parametrize("kind", ["fp32", "fp16", "bf16", "fp64", "i32"])
def test_atomic_add(kind):
    index = torch.randint(0, 10, (300,))
    y = torch.zeros(10, dtype=TYPES[kind])
    signature = {"index_ptr": "*i64", "y_ptr": "*" + kind, "n": "i32"}
    compile_kernel(atomic_kernel, signature, BLOCK=128).run((3,), index, y, 300)
    assert torch.equal(y, torch.bincount(index, minlength=10).to(TYPES[kind]))


@triton.jit
def flip_kernel(x_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask)
    tl.store(x_ptr + (n - 1 - offs), x, mask=mask)


def test_flip_in_place_loads_the_tile_first():
    x = torch.randn(200)
    y = x.clone()
    compile_kernel(flip_kernel, {"x_ptr": "*fp32", "n": "i32"}, BLOCK=256).run((1,), y, 200)
    assert torch.equal(y, x.flip(0))


@triton.jit
def in_place_kernel(x_ptr, mean_ptr, n, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    mask = offs < n
    x = tl.load(x_ptr + offs, mask=mask, other=0.0)
    mean = tl.sum(x, 0) / n
    tl.store(x_ptr + offs, x - mean, mask=mask)
    tl.store(mean_ptr, tl.sum(x * x, 0))


def test_a_load_is_not_repeated_behind_a_store():
    x = torch.randn(200)
    y, out = x.clone(), torch.zeros(1)
    compile_kernel(
        in_place_kernel, {"x_ptr": "*fp32", "mean_ptr": "*fp32", "n": "i32"}, BLOCK=256
    ).run((1,), y, out, 200)
    torch.testing.assert_close(y, x - x.mean())
    torch.testing.assert_close(out[0], (x * x).sum())


@triton.jit
def regroup_kernel(x_ptr, y_ptr, z_ptr, N: tl.constexpr):
    offs = tl.arange(0, N)
    x = tl.load(x_ptr + offs)
    y = tl.load(y_ptr + offs)
    both = tl.join(x, y)
    a, b = tl.split(both)
    flat = tl.reshape(both, (2 * N,))
    tl.store(z_ptr + tl.arange(0, 2 * N), flat)
    tl.store(z_ptr + 2 * N + offs, a - b)
    tl.store(z_ptr + 3 * N + tl.arange(0, 2 * N), tl.cat(x, y, can_reorder=True))


def test_join_split_reshape_cat():
    x, y, z = torch.randn(64), torch.randn(64), torch.zeros(5 * 64)
    compile_kernel(
        regroup_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32", "z_ptr": "*fp32"}, N=64
    ).run((1,), x, y, z)
    assert torch.equal(z, torch.cat([torch.stack([x, y], 1).reshape(-1), x - y, x, y]))


@triton.jit
def random_kernel(y_ptr, seed, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    tl.store(y_ptr + offs, tl.rand(seed, offs))


def test_random_numbers_are_uniform():
    y = torch.zeros(4096)
    compile_kernel(random_kernel, {"y_ptr": "*fp32", "seed": "i64"}, BLOCK=4096).run((1,), y, 42)
    assert 0.48 < y.mean() < 0.52 and 0.28 < y.std() < 0.30 and y.min() >= 0 and y.max() < 1


@triton.jit
def sort_kernel(x_ptr, y_ptr, N: tl.constexpr):
    offs = tl.arange(0, N)
    tl.store(y_ptr + offs, tl.sort(tl.load(x_ptr + offs)))


def test_sort():
    x, y = torch.randn(128), torch.zeros(128)
    compile_kernel(sort_kernel, {"x_ptr": "*fp32", "y_ptr": "*fp32"}, N=128).run((1,), x, y)
    assert torch.equal(y, x.sort().values)


@triton.jit
def table_kernel(table_ptr, n, BLOCK: tl.constexpr):
    x_ptr = tl.load(table_ptr + tl.program_id(0)).to(tl.pointer_type(tl.float32))
    offs = tl.arange(0, BLOCK)
    tl.store(x_ptr + offs, tl.load(x_ptr + offs, mask=offs < n) + 1, mask=offs < n)


def test_pointers_from_a_table():
    tensors = [torch.zeros(100), torch.ones(100)]
    table = torch.tensor([t.data_ptr() for t in tensors])
    compile_kernel(table_kernel, {"table_ptr": "*i64", "n": "i32"}, BLOCK=128).run((2,), table, 100)
    assert torch.equal(tensors[0], torch.ones(100)) and torch.equal(
        tensors[1], torch.full((100,), 2.0)
    )


@triton.jit
def unsupported_kernel(x_ptr, BLOCK: tl.constexpr):
    offs = tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs)
    y = tl.inline_asm_elementwise("mov.b32 $0, $1;", "=r,r", [x], tl.float32, is_pure=True, pack=1)
    tl.store(x_ptr + offs, y)


def test_an_unsupported_operation_names_its_source_line():
    with pytest.raises(
        CompileError, match=r'kernel "unsupported".*test_codegen\.py:\d+:\d+.*inline assembly'
    ):
        compile_ttir(
            make_ttir(unsupported_kernel, {"x_ptr": "*fp32"}, BLOCK=16), kernel="unsupported"
        )


@triton.jit
def program_number_kernel(out_ptr):
    x = tl.program_id(0)
    y = tl.program_id(1)
    z = tl.program_id(2)
    program = x + tl.num_programs(0) * (y + tl.num_programs(1) * z)
    tl.store(out_ptr + program, x + 100 * y + 10000 * z)


def test_program_indices():
    """Threads run ranges of programs, which start anywhere in the grid."""
    kernel = compile_kernel(program_number_kernel, {"out_ptr": "*i32"})
    for x, y, z in [(3, 5, 4), (1, 1, 7), (1, 9, 2), (8, 1, 1)]:
        out = torch.full((x * y * z,), -1, dtype=torch.int32)
        kernel.run((x, y, z), out)
        expected = [i + 100 * j + 10000 * k for k in range(z) for j in range(y) for i in range(x)]
        assert out.tolist() == expected


@triton.jit
def carried_tile_kernel(x_ptr, out_ptr, n, ROWS: tl.constexpr, BLOCK: tl.constexpr):
    """Two tiles carried by a loop, exchanged in every iteration; masks on some chunks only."""
    rows = tl.arange(0, ROWS)[:, None]
    columns = tl.arange(0, BLOCK)[None, :]
    total = tl.zeros((ROWS, BLOCK), tl.float32)
    last = tl.full((ROWS, BLOCK), -1.0, tl.float32)
    for start in range(0, n, BLOCK):
        offsets = start + columns
        x = tl.load(x_ptr + rows * n + offsets, mask=offsets < n, other=7.0)
        total, last = last + x, total
    tl.store(out_ptr + rows * BLOCK + columns, total - last)


@pytest.mark.parametrize("rows, block", [(1, 128), (2, 128), (4, 16), (8, 64)])
@pytest.mark.parametrize("n", [1, 70, 128, 300, 640])
def test_carried_tiles(rows, block, n):
    """In registers (the first three) and in scratch memory (the last)."""
    kernel = compile_kernel(
        carried_tile_kernel, {"x_ptr": "*fp32", "out_ptr": "*fp32", "n": "i32"},
        ROWS=rows, BLOCK=block,
    )  # fmt: skip
    x = guarded(torch.randn(rows, n))
    out = guarded(torch.zeros(rows, block))
    kernel.run((1,), x, out, n)
    total, last = torch.zeros(rows, block), torch.full((rows, block), -1.0)
    for start in range(0, n, block):
        chunk = torch.full((rows, block), 7.0)
        width = min(block, n - start)
        chunk[:, :width] = x[:, start : start + width]
        total, last = last + chunk, total
    assert torch.equal(out, total - last)


@triton.jit
def round_kernel(x_ptr, y_ptr, n, BLOCK: tl.constexpr):
    offs = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    x = tl.load(x_ptr + offs, mask=offs < n)
    tl.store(y_ptr + offs, x.to(y_ptr.dtype.element_ty), mask=offs < n)


@pytest.mark.parametrize("block", [1, 16, 256])
def test_bf16_rounding_of_all_kinds_of_numbers(block):
    """Ties, overflow, denormals, infinities and NaN, in vectors of any width."""
    kernel = compile_kernel(
        round_kernel, {"x_ptr": "*fp32", "y_ptr": "*bf16", "n": "i32"}, BLOCK=block
    )
    upper = torch.arange(0, 1 << 16, 37, dtype=torch.int32)
    lower = torch.tensor([0, 1, 0x7FFF, 0x8000, 0x8001, 0xFFFF], dtype=torch.int32)
    x = ((upper[:, None] << 16) | lower).reshape(-1).view(torch.float32)
    y = torch.zeros(x.numel(), dtype=torch.bfloat16)
    kernel.run((triton.cdiv(x.numel(), block),), x, y, x.numel())
    is_nan = torch.isnan(x)
    assert torch.equal(torch.isnan(y), is_nan)
    assert torch.equal(y[~is_nan].view(torch.int16), x[~is_nan].bfloat16().view(torch.int16))
