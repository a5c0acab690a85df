# SPDX-License-Identifier: Apache-2.0
"""Fused operators give what PyTorch's operators give one by one."""

from __future__ import annotations

import math
import os

import pytest
import torch
import torch.nn.functional as F

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")


@tilewise.pointwise
def gated(x, gate, scale=1.0):
    return F.silu(x) * torch.sigmoid(gate) * scale


@tilewise.pointwise
def arithmetic(x, y):
    return x * 2 + y


@tilewise.pointwise
def several(x, y):
    return x > y, x + y, torch.exp(x) * y


def served(title: str, device: str = DEVICE) -> int:
    counters = tilewise.report()["operators"]
    return counters.get(f"tilewise::{title}/{device}", {"served": 0})["served"]


def fell_back(title: str) -> dict[str, int]:
    counters = tilewise.report()["operators"]
    return counters.get(f"tilewise::{title}/{DEVICE}", {"fell_back": {}})["fell_back"]


LAYOUTS = {
    "contiguous": lambda: (torch.randn(3, 5), torch.randn(3, 5)),
    "row": lambda: (torch.randn(3, 5), torch.randn(5)),
    "column": lambda: (torch.randn(3, 1), torch.randn(3, 5)),
    "outer": lambda: (torch.randn(3, 1), torch.randn(1, 5)),
    "transposed": lambda: (torch.randn(40, 33).t(), torch.randn(33, 40)),
    "both transposed": lambda: (torch.randn(5, 3).t(), torch.randn(5, 3).t()),
    "steps": lambda: (torch.randn(6, 10)[::2, ::2], torch.randn(3, 5)),
    "expanded": lambda: (torch.randn(1, 5).expand(3, 5), torch.randn(3, 5)),
    "0-dim": lambda: (torch.randn(()), torch.randn(())),
    "0-dim and vector": lambda: (torch.randn(()), torch.randn(7)),
    "empty": lambda: (torch.randn(0, 5), torch.randn(5)),
    "channels last": lambda: (
        torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last),
        torch.randn(1, 3, 1, 1),
    ),
    "rank 6": lambda: (torch.randn(2, 3, 2, 2, 3, 4).permute(5, 0, 3, 1, 4, 2),
                       torch.randn(4, 1, 2, 1, 3, 1)),
    "flipped": lambda: (torch.randn(3, 5).flip(0), torch.randn(3, 5)),
}  # fmt: skip


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_and_broadcasting(layout):
    x, y = LAYOUTS[layout]()
    before = served("gated")
    actual = gated(x, y)
    expected = F.silu(x) * torch.sigmoid(y) * 1.0
    torch.testing.assert_close(actual, expected)
    assert actual.stride() == expected.stride()
    assert served("gated") == before + 1


DTYPES = [
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
]  # fmt: skip


def values(dtype: torch.dtype, *shape: int) -> torch.Tensor:
    if dtype == torch.bool:
        return torch.rand(shape) > 0.5
    x = torch.randn(shape) * 3
    # Operands promote before anything is computed; a chain of operators would wrap in between.
    return (x.abs() if dtype == torch.uint8 else x).to(dtype)


@pytest.mark.parametrize("y_dtype", [torch.bool, torch.int64, torch.bfloat16, torch.float64])
@pytest.mark.parametrize("x_dtype", DTYPES)
def test_promotion(x_dtype, y_dtype):
    x, y = values(x_dtype, 4, 6), values(y_dtype, 6)
    actual, expected = arithmetic(x, y), x * 2 + y
    assert actual.dtype == expected.dtype
    torch.testing.assert_close(actual, expected)
    actual, expected = gated(x, y), F.silu(x * 1.0) * torch.sigmoid(y)
    assert actual.dtype == torch.result_type(torch.empty(1, dtype=torch.result_type(x, y)), 1.0)
    torch.testing.assert_close(actual.double(), expected.double(), rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize("dtype", [torch.int32, torch.bfloat16, torch.float32, torch.float64])
def test_results_of_several_types(dtype):
    x, y = values(dtype, 3, 4).t(), values(dtype, 4, 1)
    for actual, expected in zip(several(x, y), (x > y, x + y, torch.exp(x) * y), strict=True):
        assert actual.dtype == expected.dtype
        torch.testing.assert_close(actual, expected, rtol=2e-2 if dtype.itemsize == 2 else None,
                                   atol=2e-2 if dtype.itemsize == 2 else None)  # fmt: skip
        assert actual.stride() == expected.stride()


def test_numbers_take_any_place_and_promote_as_numbers():
    x = torch.arange(6).reshape(2, 3)
    for operands in [
        (x, 2),
        (x, 2.5),
        (3, x),
        (2.5, x),
        (x, True),
        (x.bool(), 2),
        (x.half(), 1e-3),
    ]:
        actual, expected = arithmetic(*operands), operands[0] * 2 + operands[1]
        assert actual.dtype == expected.dtype
        torch.testing.assert_close(actual, expected)
    one = torch.ones(2)
    expected = 3 * F.silu(one) * torch.sigmoid(one)
    torch.testing.assert_close(gated(gate=one, x=one, scale=3), expected)
    half = torch.ones(3, dtype=torch.float16)
    assert arithmetic(half, torch.tensor(2.0, dtype=torch.float64)).dtype == torch.float16


def test_out_is_resized_and_converted():
    x, y = torch.randn(3, 5), torch.randn(5)
    out = torch.empty(0)
    assert arithmetic(x, y, out=out) is out
    torch.testing.assert_close(out, x * 2 + y)
    double = torch.empty(3, 5, dtype=torch.float64)
    arithmetic(x, y, out=double)
    torch.testing.assert_close(double, (x * 2 + y).double())
    transposed = torch.empty(5, 3).t()
    arithmetic(x, y, out=transposed)
    torch.testing.assert_close(transposed, x * 2 + y)
    both = (torch.empty(3, 5, dtype=torch.bool), torch.empty(3, 5), torch.empty(3, 5))
    several(x, y, out=both)
    torch.testing.assert_close(both[1], x + y)
    version = out._version
    arithmetic(x, y, out=out)
    assert out._version > version
    arithmetic(x, out, out=out)  # In place, as PyTorch allows it.
    torch.testing.assert_close(out, x * 2 + (x * 2 + y))


def test_errors_are_pytorchs():
    x = torch.randn(3)
    with pytest.raises(RuntimeError, match="can't be cast"):
        arithmetic(x, x, out=torch.empty(3, dtype=torch.int64))
    with pytest.raises(RuntimeError, match="must match the size"):
        arithmetic(x, torch.randn(4))
    buffer = torch.randn(4)
    with pytest.raises(RuntimeError, match="single memory location|overlap"):
        arithmetic(buffer[1:], x, out=buffer[:3])
    with pytest.raises(TypeError, match=r"arithmetic\(\) needs a tensor"):
        arithmetic(1.0, 2.0)
    with pytest.raises(TypeError, match="misses the operand 'y'"):
        arithmetic(x)
    with pytest.raises(TypeError, match="takes 2 operands, 3 were given"):
        arithmetic(x, x, x)
    with pytest.raises(TypeError, match="'y' must be a Tensor or a number, not str"):
        arithmetic(x, "2")
    with pytest.raises(TypeError, match="has no operand 'z'"):
        arithmetic(x, x, z=1)
    with pytest.raises(TypeError, match="has 3 results, and out= holds 1"):
        several(x, x, out=torch.empty(3))
    with pytest.raises(RuntimeError, match="don't support automatic differentiation"):
        arithmetic(x.clone().requires_grad_(), x, out=torch.empty(3))


def test_what_kernels_do_not_serve_is_composed_with_a_reason():
    x = torch.randn(3, dtype=torch.complex64)
    torch.testing.assert_close(arithmetic(x, 1), x * 2 + 1)
    assert "dtype without a Triton type" in fell_back("arithmetic")
    with tilewise.use(strict=True), pytest.raises(NotImplementedError, match="strict.*arithmetic"):
        arithmetic(x, 1)
    flip = tilewise.pointwise(lambda x: ~x, name="flip")
    torch.testing.assert_close(flip(torch.arange(5)), ~torch.arange(5))
    torch.testing.assert_close(flip(torch.tensor([True, False])), torch.tensor([False, True]))
    assert fell_back("flip") == {"function is not defined for this dtype": 1}
    with pytest.raises(NotImplementedError, match="bitwise_not"):
        flip(torch.ones(2))


UNARY = [
    "exp", "exp2", "expm1", "log", "log2", "log10", "log1p", "sin", "cos", "tan", "sinh", "cosh",
    "tanh", "asin", "acos", "atan", "asinh", "acosh", "atanh", "sqrt", "rsqrt", "reciprocal",
    "sigmoid", "erf", "erfc", "floor", "ceil", "trunc", "round", "sign", "neg", "abs", "isnan",
    "square", "relu",
]  # fmt: skip
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, -0.5, 2.5, 3.5, 1e-3, 7.0, -30.0, 80.0, math.inf, -math.inf,
           math.nan]  # fmt: skip


@pytest.mark.parametrize("name", UNARY)
def test_functions_of_one_operand(name):
    function = getattr(torch, name)
    fused = tilewise.pointwise(lambda x: function(x), name=f"only_{name}")
    before = served(f"only_{name}")
    for dtype in (torch.float32, torch.float64):
        x = torch.cat([torch.tensor(SPECIAL, dtype=dtype), torch.randn(50, dtype=dtype)])
        torch.testing.assert_close(fused(x), function(x), equal_nan=True)
    assert served(f"only_{name}") == before + 2


@pytest.mark.parametrize("name", [
    "maximum", "minimum", "atan2", "fmod", "remainder", "floor_divide", "pow", "div", "eq",
    "ne", "lt", "ge", "logical_and", "logical_or", "hypot",
])  # fmt: skip
def test_functions_of_two_operands(name):
    function = getattr(torch, name)
    fused = tilewise.pointwise(lambda x, y: function(x, y), name=f"only_{name}")
    x = torch.tensor([0.0, 1.5, -1.5, 7.0, -7.0, 5.0, math.inf, math.nan, 1.0])
    y = torch.tensor([2.0, 2.0, 0.7, -2.0, 0.1, -0.5, 3.0, 1.0, 0.0])
    torch.testing.assert_close(fused(x, y), function(x, y), equal_nan=True)
    if name not in ("pow", "hypot", "atan2"):
        a = torch.tensor([7, -7, 7, -7, 0, 3], dtype=torch.int32)
        b = torch.tensor([2, 2, -2, -2, 3, 3], dtype=torch.int32)
        torch.testing.assert_close(fused(a, b), function(a, b))


ACTIVATIONS = [
    "silu", "gelu", "softplus", "logsigmoid", "leaky_relu", "elu", "selu", "celu", "relu",
    "hardtanh", "relu6", "hardsigmoid", "hardswish", "mish", "softsign", "tanhshrink",
]  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(name):
    function = getattr(F, name)
    fused = tilewise.pointwise(lambda x: function(x), name=f"only_{name}")
    x = torch.cat([torch.linspace(-40, 40, 41), torch.randn(50)]).requires_grad_()
    torch.testing.assert_close(fused(x), function(x))
    (actual,) = torch.autograd.grad(fused(x).sum(), x)
    (expected,) = torch.autograd.grad(function(x).sum(), x)
    torch.testing.assert_close(actual, expected)
