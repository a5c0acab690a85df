# SPDX-License-Identifier: Apache-2.0
"""Elementwise kernels through the whole CPU compiler, against torch."""

import pytest
import torch
import triton
import triton.language as tl
from sample_tensors import FLOATS, INTEGERS, SIZES, TYPES, guarded, random_tensor
from tile_compiler import compile_kernel
from triton.language.extra import libdevice


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
