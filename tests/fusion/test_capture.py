# SPDX-License-Identifier: Apache-2.0
"""Which functions can be fused, how they are captured, and what is said of those that cannot."""

from __future__ import annotations

import linecache
import math
import types

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from triton.language.extra import libdevice

import tilewise
from tilewise import FusionError

SCALE = tl.constexpr(3.0)
OFFSET = 0.25


def helper(x):
    return libdevice.exp(x) * SCALE


@triton.jit
def compiled_helper(x, y):
    if x.dtype == tl.float32:
        return tl.where(x > 0, helper(x), y + OFFSET)
    else:
        return tl.where(x > 0, helper(x), y + OFFSET)


def expected_of_helper(x, y):
    return torch.where(x > 0, torch.exp(x) * 3, y + OFFSET)


def test_triton_functions_with_helpers_and_constants():
    fused = tilewise.pointwise(compiled_helper)
    x, y = torch.randn(4, 5), torch.randn(5)
    torch.testing.assert_close(fused(x, y), expected_of_helper(x, y))

    @tilewise.pointwise
    def undecorated(x, y):
        # Triton's language, without @triton.jit.
        a = tl.abs(x)
        return tl.sqrt(a) + y, a

    first, second = undecorated(x, y)
    torch.testing.assert_close(first, x.abs().sqrt() + y)
    torch.testing.assert_close(second, x.abs().expand(4, 5))
    doubles = [torch.randn(3, dtype=torch.float64, requires_grad=True) for _ in range(2)]
    assert torch.autograd.gradcheck(fused, doubles)


def test_closures_are_resolved():
    def make(factor):
        @tilewise.pointwise
        def scaled(x):
            return tl.exp(x) * factor

        return scaled

    x = torch.randn(5)
    two, three = make(2.0), make(3.0)
    torch.testing.assert_close(two(x), x.exp() * 2)
    torch.testing.assert_close(three(x), x.exp() * 3)
    assert two.definition.name != three.definition.name


def test_helpers_of_one_name_do_not_clash():
    def one():
        def inner(x):
            return tl.abs(x) + 1

        return inner

    first, second = one(), helper
    first.__name__ = "helper"

    @tilewise.pointwise
    def both(x):
        return first(x) + second(x) + tl.abs(x)

    x = torch.randn(6)
    torch.testing.assert_close(both(x), x.abs() + 1 + x.exp() * 3 + x.abs())


def test_names_of_the_generated_module_are_free_to_use():
    @tilewise.pointwise
    def kernel(mask, n):
        return tl.exp(mask) + n

    x = torch.randn(3, 4)
    torch.testing.assert_close(kernel(x, x), x.exp() + x)


def test_a_given_triton_derivative():
    def slope(g, x):
        return g * tl.exp(x) * 7

    @tilewise.pointwise(backward=slope)
    def opaque(x):
        y = x
        for _ in range(2):
            y = y + tl.exp(x) * 0.5
        return y

    x = torch.randn(5, requires_grad=True)
    torch.testing.assert_close(opaque(x), x + x.exp())
    (gradient,) = torch.autograd.grad(opaque(x).sum(), x)
    torch.testing.assert_close(gradient, x.exp() * 7)


def test_functions_of_math_numpy_and_others():
    def swish(x, beta):
        return x / (1 + math.exp(-beta * x))

    @tilewise.pointwise
    def mixture(x, y):
        limit = math.sqrt(2.0)
        return min(swish(x, 2.0), limit) + np.tanh(y) * math.pi + max(x, y) + (x**2).sqrt()

    x, y = torch.randn(7), torch.randn(7)
    expected = (torch.minimum(x * torch.sigmoid(2 * x), torch.tensor(2.0).sqrt())
                + torch.tanh(y) * math.pi + torch.maximum(x, y) + x.abs())  # fmt: skip
    torch.testing.assert_close(mixture(x, y), expected)


def test_fused_operators_are_functions_of_others():
    square = tilewise.pointwise(lambda x: x * x)
    outer = tilewise.pointwise(lambda x, y: square(x) + F.relu(y))
    x, y = torch.randn(4), torch.randn(4)
    torch.testing.assert_close(outer(x, y), x * x + F.relu(y))


def test_redefinition_and_equal_names():
    operators = []
    for factor in (2, 3):

        @tilewise.pointwise
        def same_name(x, factor=factor):
            return x * factor

        operators.append(same_name)
    x = torch.randn(3)
    torch.testing.assert_close(operators[0](x), x * 2)
    torch.testing.assert_close(operators[1](x), x * 3)
    plus, minus = (tilewise.pointwise(f, name="f") for f in (lambda x: x + 1, lambda x: x - 1))
    torch.testing.assert_close(plus(x) - minus(x), torch.full((3,), 2.0))
    again = tilewise.pointwise(lambda x: x + 1, name="f")
    assert again.definition.name == plus.definition.name


def define(text: str, name: str = "f", keep_source: bool = True):
    """A function as a notebook cell defines it: its text is in linecache, in no file."""
    filename = f"<cell {hash(text)}>"
    if keep_source:
        linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    module = types.ModuleType("__main__")
    exec(compile(text, filename, "exec"), module.__dict__)
    return module.__dict__[name]


def test_functions_of_a_notebook_or_of_no_file():
    cell = "import triton.language as tl\n\ndef f(x):\n    return tl.exp(x) + 1\n"
    x = torch.randn(4)
    torch.testing.assert_close(tilewise.pointwise(define(cell))(x), x.exp() + 1)
    ordinary = define("import torch\ndef f(x): return torch.exp(x) + 2\n", keep_source=False)
    torch.testing.assert_close(tilewise.pointwise(ordinary)(x), x.exp() + 2)
    with pytest.raises(FusionError, match=r"source of f \(.*line 3\) cannot be read"):
        tilewise.pointwise(define(cell + "\n", keep_source=False))


def branches(x):
    if x > 0:
        return x
    return -x


def converts(x):
    y = x * 2
    return float(y)


CASES = [
    (branches, r"branches \(test_capture.py, line \d+\): a condition on an element"),
    (converts, r"converts \(test_capture.py, line \d+\): an element is no Python number"),
    (lambda x: torch.cumsum(x, 0), "cumsum is not a function that can be fused"),
    (lambda x: torch.ones(3) * x, "uses a tensor that is not one of its parameters"),
    (lambda x: x.view(3), "has no attribute 'view'"),
    (lambda x: x[0], "sees one at a time"),
    (lambda x: None, "returns nothing"),
    (lambda x: "text", "str cannot be computed with"),
    (lambda *x: x[0], r"takes \*x; a fused function has a fixed number"),
    (lambda x, mode="a": x, "defaults are numbers"),
    (lambda: 1, "has no parameters"),
    (len, "fuses Python functions"),
]


@pytest.mark.parametrize("function, message", CASES, ids=[message[:30] for _, message in CASES])
def test_errors_name_the_function_and_the_line(function, message):
    with pytest.raises(FusionError, match=message):
        tilewise.pointwise(function)


def test_errors_in_triton_functions():
    values = [1, 2]

    def uses_a_list(x):
        return tl.exp(x) + values[0]

    with pytest.raises(FusionError, match=r"uses_a_list .*line \d+\) uses 'values', a list"):
        tilewise.pointwise(uses_a_list)

    def misspelled(x):
        return tl.exp(x) + undefined_name  # noqa: F821

    with pytest.raises(FusionError, match=r"line \d+\) uses 'undefined_name', which is not def"):
        tilewise.pointwise(misspelled)

    def wrong(x):
        return tl.exp(x, 3, 4, 5)

    fused = tilewise.pointwise(wrong)
    with pytest.raises(FusionError, match="wrong"):
        fused(torch.randn(3))
    opaque = tilewise.pointwise(no_derivative)
    x = torch.randn(3, requires_grad=True)
    result = opaque(x)
    torch.testing.assert_close(result, x * 0 + 3)
    with pytest.raises(NotImplementedError, match="no_derivative has no derivative; give one"):
        result.sum().backward()


def no_derivative(x):
    count = x * 0
    for _ in tl.static_range(3):
        count += 1
    return count
