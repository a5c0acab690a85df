# SPDX-License-Identifier: Apache-2.0
"""Pointwise operators at the ends of their types: infinities, NaN, signed zeros, denormals, the
largest and smallest integers, shifts by the width.

Where ATen's vectorized and scalar loops disagree (its vectorized maximum of -0 and 0, say), either
result counts. The sign of a NaN means nothing, and that of a zero is compared only where PyTorch
defines it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import direct_calls
import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FULL = os.environ.get("TILEWISE_TEST_FULL") == "1"
FLOATS = (torch.float32, torch.bfloat16, torch.float16, torch.float64)
INTEGERS = (torch.int64, torch.int8, torch.uint8, torch.int16, torch.int32)
DTYPES = (*FLOATS, *INTEGERS) if FULL else (torch.float32, torch.bfloat16, torch.int64)

# ATen's loops without end for infinite or huge arguments, and reads what it has not written for
# NaN.
UNBOUNDED = ("special_zeta", "polynomial")
# ATen's igamma(1e-38, 1) is 0.999997 or, one denormal below, 0.
INEXACT_IN_ATEN = ("igamma", "igammac")
# Functions that cross zero elsewhere than at 0, with the error of what cancels there.
# airy_ai(-127) is 0.17 times the sine of 954, whose last bit in fp32 is 6e-5.
CANCELLATION = {"digamma": 1e-6, "special_airy_ai": 1.1e-5}
# ATen's kernels trap or raise for INT_MIN / -1 and division by zero; tested below.
DIVISIONS = ("div", "floor_divide", "fmod", "remainder", "gcd", "lcm")
# max and min of zeros with different signs: IEEE 754 leaves the sign open.
# ATen's softshrink keeps it on CPUs and drops it on GPUs.
SIGN_OF_ZERO_IS_OPEN = ("maximum", "minimum", "fmax", "fmin", "clamp", "relu", "softshrink")


def _declared() -> list[str]:
    """Functional overloads that are one line of C++ and take one or two tensors, nothing else."""
    text = "".join(
        path.read_text()
        for path in sorted((Path(__file__).parents[2] / "src/ops/pointwise").glob("*.cpp"))
    )
    names = re.findall(r'TILEWISE_POINTWISE\("([\w.]+)"', text)
    return [name for name in names if 1 <= _tensor_count(name) <= 2]


def _tensor_count(name: str) -> int:
    """Number of tensors, or 0 if there are other arguments."""
    required = [
        str(argument.type)
        for argument in direct_calls.find_overload(name)._schema.arguments
        if not argument.has_default_value()
    ]
    return len(required) if set(required) == {"Tensor"} else 0


def _values(dtype: torch.dtype) -> list[float] | list[int]:
    if dtype.is_floating_point:
        limits = torch.finfo(dtype)
        some = [0.0, limits.smallest_normal, limits.smallest_normal / 2, limits.max, float("inf")]
        some += [1.0, 0.5, 1.0 + limits.eps, 2.0, 3.0, 20.0]
        return [*some, *(-v for v in some), float("nan")]
    limits = torch.iinfo(dtype)
    some = {0, 1, 2, 3, 7, 8, 31, 63, 64, limits.max, limits.max - 1}
    return sorted(v for s in some for v in (s, -s, limits.min, -1) if limits.min <= v <= limits.max)


def _arguments(name: str, dtype: torch.dtype) -> list[torch.Tensor]:
    values = torch.tensor(_values(dtype), dtype=dtype)
    if _tensor_count(name) == 1:
        return [values.repeat(3).to(DEVICE)]
    pairs = torch.cartesian_prod(values, values)
    if name.split(".")[0] in DIVISIONS and not dtype.is_floating_point:
        x, y = pairs.unbind(1)
        pairs = pairs[(y > 0) & (x > torch.iinfo(dtype).min)]
    return [column.contiguous().to(DEVICE) for column in pairs.unbind(1)]


def _strided(tensor: torch.Tensor) -> torch.Tensor:
    """A copy with gaps, for which ATen takes its scalar loop."""
    wide = torch.empty(tensor.numel(), 2, dtype=tensor.dtype, device=tensor.device)
    wide[:, 0] = tensor
    return wide[:, 0]


def _agrees(name: str, actual: torch.Tensor, expected: torch.Tensor) -> torch.Tensor:
    """Per element: the same NaN, infinity, signed zero, or close numbers."""
    if not actual.is_floating_point():
        return actual == expected
    tolerance = {torch.float16: 1e-3, torch.bfloat16: 1.6e-2, torch.float32: 1.3e-6}
    rtol = tolerance.get(actual.dtype, 1e-7)
    limits = torch.finfo(actual.dtype)
    close = torch.isclose(actual.double(), expected.double(), rtol=rtol,
                          atol=CANCELLATION.get(name, 4 * limits.smallest_normal),
                          equal_nan=True)  # fmt: skip
    # Rounding decides between the largest number and infinity.
    edge = limits.max * (1 - 4 * limits.eps)
    close |= (actual.abs() >= edge) & (expected.abs() >= edge) & (actual * expected > 0)
    if name.split(".")[0].startswith(SIGN_OF_ZERO_IS_OPEN):
        return close
    return close & ~((expected == 0) & (actual == 0) & (expected.signbit() != actual.signbit()))


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("name", _declared())
def test_extreme_values(name: str, dtype: torch.dtype) -> None:
    if name.startswith(UNBOUNDED[0]) or UNBOUNDED[1] in name:
        pytest.skip("ATen has no defined result")
    if name in INEXACT_IN_ATEN:
        pytest.skip("ATen is off there")
    op = direct_calls.find_overload(name)
    arguments = _arguments(name, dtype)
    try:
        vectorized = op(*arguments)
    except (RuntimeError, NotImplementedError):
        pytest.skip("PyTorch has no kernel for this dtype")
    scalar = op(*map(_strided, arguments))
    with tilewise.use():
        actual = op(*arguments)
    assert actual.dtype == vectorized.dtype
    good = _agrees(name, actual, vectorized) | _agrees(name, actual, scalar)
    if dtype in (torch.float16, torch.bfloat16):  # whose steps ATen rounds, and may overflow
        good |= _agrees(name, actual, op(*(a.float() for a in arguments)).to(actual.dtype))
    where = (~good).nonzero().flatten()[:5]
    shown = [([float(a[i]) for a in arguments], float(actual[i]), float(vectorized[i]))
             for i in where.tolist()]  # fmt: skip
    assert bool(good.all()), f"{name} {dtype}: (arguments, result, ATen's): {shown}"


@pytest.mark.parametrize("dtype", INTEGERS if FULL else (torch.int64, torch.int8), ids=str)
def test_smallest_integer_by_minus_one_wraps(dtype: torch.dtype) -> None:
    if dtype == torch.uint8:
        pytest.skip("unsigned")
    lowest = torch.full((40,), torch.iinfo(dtype).min, dtype=dtype, device=DEVICE)
    minus_one = torch.full_like(lowest, -1)
    with tilewise.use(strict=True):
        assert torch.equal(torch.div(lowest, minus_one, rounding_mode="trunc"), lowest)
        assert torch.equal(torch.floor_divide(lowest, minus_one), lowest)
        assert not torch.fmod(lowest, minus_one).any()
        assert not torch.remainder(lowest, minus_one).any()


@pytest.mark.skipif(DEVICE != "cpu", reason="GPUs do not raise")
@pytest.mark.parametrize(
    "call",
    (
        lambda x, y: torch.div(x, y, rounding_mode="floor"),
        lambda x, y: torch.div(x, y, rounding_mode="trunc"),
        torch.floor_divide,
        torch.fmod,
        torch.remainder,
        lambda x, y: torch.fmod(x, 0),
        lambda x, y: x.clone().remainder_(y),
    ),
)
def test_integer_division_by_zero_raises(call: Callable[..., torch.Tensor]) -> None:
    x = torch.arange(1000, device=DEVICE)
    y = torch.ones(1000, dtype=torch.int64, device=DEVICE)
    y[777] = 0
    with pytest.raises(RuntimeError) as stock:
        call(x, y)
    with tilewise.use(), pytest.raises(RuntimeError) as ours:
        call(x, y)
    assert str(ours.value) == str(stock.value)


@pytest.mark.parametrize("size", [1, 5])
@pytest.mark.parametrize("number", [0.5, float("inf"), float("nan"), 256, 0, -0.0])
def test_bool_is_filled_with_whether_a_number_is_zero(number: float, size: int) -> None:
    """One element of the CPU's is stored by the host, others by a kernel."""
    expected = torch.full((size,), number, dtype=torch.bool, device=DEVICE)
    with tilewise.use(strict=True):
        filled = torch.full((size,), number, dtype=torch.bool, device=DEVICE)
        changed = torch.empty(size, dtype=torch.bool, device=DEVICE).fill_(number)
    assert torch.equal(filled, expected)
    assert torch.equal(changed, expected)


@pytest.mark.parametrize("count", [37, 1 << 18])
@pytest.mark.parametrize("kind", ["any", "denormal", "normal"])
def test_float32_rounds_to_bfloat16_as_in_pytorch(kind: str, count: int) -> None:
    """Random bits. What rounds the rest may take denormals for zeros."""
    generator = torch.Generator().manual_seed(count)
    bits = torch.randint(-(2**31), 2**31, (count,), generator=generator).to(torch.int32)
    if kind == "denormal":
        bits &= -0x7F800001
    elif kind == "normal":
        bits = (bits & -0x40000001) | 0x20000000
    numbers = bits.view(torch.float32)
    expected = numbers.to(torch.bfloat16)
    with tilewise.use(strict=True):
        actual = numbers.to(DEVICE).to(torch.bfloat16).cpu()
    number = ~numbers.isnan()
    assert torch.equal(actual[number].view(torch.int16), expected[number].view(torch.int16))
    assert actual[~number].isnan().all()


def test_an_order_that_float32_cannot_count_to_ends() -> None:
    """L_n(x) stays below exp(x / 2) and P_n(x) below 1: nothing else ends the recurrence."""
    x = torch.tensor([0.5, 2.0, 0.0], device=DEVICE)
    with tilewise.use(strict=True):
        result = torch.special.laguerre_polynomial_l(x, torch.full_like(x, 2**24 + 3))
        legendre = torch.special.legendre_polynomial_p(x / 3, torch.full_like(x, 2**24 + 4))
    assert (result.abs() <= torch.exp(x / 2) * 1.01).all() and result[2] == 1
    assert (legendre.abs() < 0.01).all()  # below (n sqrt(1 - x^2))^-1/2
