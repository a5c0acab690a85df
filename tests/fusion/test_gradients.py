# SPDX-License-Identifier: Apache-2.0
"""Derivatives of fused operators: derived, derived twice, given by the user, and at kinks."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import tilewise

FUNCTIONS = {
    "polynomial": lambda x, y: x * x * y - 3 * x / (y * y + 1),
    "exponential": lambda x, y: torch.exp(-x * x) * torch.log1p(y * y) + torch.expm1(x),
    "logistic": lambda x, y: F.silu(x) * torch.sigmoid(y) + F.softplus(x - y),
    "hyperbolic": lambda x, y: torch.tanh(x * y) + torch.sinh(x) / torch.cosh(y),
    "trigonometric": lambda x, y: torch.sin(x) * torch.cos(y) + torch.atan2(x, y + 3),
    "roots": lambda x, y: torch.sqrt(x * x + 1) + torch.rsqrt(y * y + 2) + 1 / (x * x + 1),
    "erf": lambda x, y: F.gelu(x) * torch.erf(y) + F.gelu(y, approximate="tanh"),
    "inverse": lambda x, y: torch.asinh(x) + torch.atan(y) + torch.acosh(x * x + 2),
    "powers": lambda x, y: (x * x + 1) ** (y / 2) + (y * y + 1) ** 1.7 + x**3,
    "pieces": lambda x, y: torch.where(x > y, x * y, torch.exp(x)) + torch.maximum(x, y * y),
    "logarithms": lambda x, y: torch.log2(x * x + 1) + torch.log10(y * y + 1) + torch.exp2(x),
    "clamps": lambda x, y: x.clamp(-0.7, 0.9) * y + abs(y),
}


def doubles(*shapes: tuple[int, ...]) -> list[torch.Tensor]:
    torch.manual_seed(3)
    return [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in shapes]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_first_and_second_derivative(name):
    fused = tilewise.pointwise(FUNCTIONS[name], name=name)
    operands = doubles((2, 3), (3,))
    torch.testing.assert_close(fused(*operands), FUNCTIONS[name](*operands))
    assert torch.autograd.gradcheck(fused, operands)
    assert torch.autograd.gradgradcheck(fused, operands)


@pytest.mark.parametrize("name", ["abs", "maximum", "minimum", "relu", "clamp", "pow", "where"])
def test_kinks_are_pytorchs(name):
    function = {
        "abs": lambda x, y: abs(x) * y,
        "maximum": torch.maximum,
        "minimum": torch.minimum,
        "relu": lambda x, y: F.relu(x) + F.relu(y),
        "clamp": lambda x, y: torch.clamp(x, -1.0, 1.0) + y,
        "pow": lambda x, y: torch.pow(x, y),
        "where": lambda x, y: torch.where(x > y, x, y * 2),
    }[name]
    fused = tilewise.pointwise(lambda x, y: function(x, y), name=f"kink_{name}")
    x = torch.tensor([0.0, 1.0, -1.0, 2.0, 0.0, float("nan")], requires_grad=True)
    y = torch.tensor([0.0, 1.0, 1.0, 1.0, 2.0, 1.0], requires_grad=True)
    actual = torch.autograd.grad(fused(x, y).sum(), (x, y))
    expected = torch.autograd.grad(function(x, y).sum(), (x, y))
    torch.testing.assert_close(actual, expected, equal_nan=True)


def test_what_is_not_selected_does_not_make_nan():
    fused = tilewise.pointwise(lambda x: torch.where(x > 1, x, torch.exp(x * x)), name="selected")
    x = torch.tensor([0.5, 100.0], requires_grad=True)
    (gradient,) = torch.autograd.grad(fused(x).sum(), x)
    assert gradient[1] == 1 and torch.isfinite(gradient).all()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_gradients_have_the_shape_and_type_of_their_input(dtype):
    fused = tilewise.pointwise(lambda x, y, z: x * torch.sigmoid(y) + z, name="mixed")
    x = torch.randn(4, 1, 6).to(dtype).requires_grad_()
    y = torch.randn(5, 1, requires_grad=True)
    z = torch.randn((), requires_grad=True)
    assert fused(x, y, z).dtype == torch.float32
    weight = torch.randn(4, 5, 6)
    actual = torch.autograd.grad((fused(x, y, z) * weight).sum(), (x, y, z))
    expected = torch.autograd.grad(((x * torch.sigmoid(y) + z) * weight).sum(), (x, y, z))
    for a, e in zip(actual, expected, strict=True):
        assert (a.dtype, a.shape) == (e.dtype, e.shape)
        torch.testing.assert_close(a, e)


def test_only_what_is_wanted_is_saved_and_computed():
    fused = tilewise.pointwise(lambda x, y: torch.tanh(x + y), name="saves_result")
    x, y = doubles((3,), (3,))
    saved: list[torch.Tensor] = []

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        saved.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = fused(x, y)
    assert len(saved) == 1 and saved[0].data_ptr() == result.data_ptr()
    scaled = tilewise.pointwise(lambda x, y: x * 2 + y, name="saves_nothing")
    saved.clear()
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        scaled(x, y).sum().backward()
    assert not saved
    product = tilewise.pointwise(lambda x, y: x * y, name="saves_one")
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        product(x, y.detach())
    assert len(saved) == 1 and saved[0].data_ptr() == y.data_ptr()


def test_several_results_of_which_one_is_used():
    fused = tilewise.pointwise(lambda x, y: (x * y, torch.exp(x), x > y), name="several_results")
    x, y = doubles((2, 3), (3,))
    first, second, third = fused(x, y)
    assert not third.requires_grad
    for used, expected in ((first, x * y), (second, torch.exp(x)), (first + second, None)):
        expected = x * y + torch.exp(x) if expected is None else expected
        actual = torch.autograd.grad(used.sum(), x, retain_graph=True)
        torch.testing.assert_close(actual, torch.autograd.grad(expected.sum(), x))
    assert torch.autograd.gradgradcheck(lambda x, y: fused(x, y)[:2], (x, y))


def test_backward_twice_and_changed_inputs_raise():
    fused = tilewise.pointwise(lambda x: x * x, name="squared")
    (x,) = doubles((3,))
    loss = fused(x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match="second time"):
        loss.backward()
    y = x.detach().clone().requires_grad_()
    z = y * 1
    loss = fused(z).sum()
    z.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_given_derivative_is_used():
    def backward(g, x, y):
        return 10 * g, g * y

    fused = tilewise.pointwise(lambda x, y: x + y, name="given", backward=backward)
    x, y = doubles((2, 3), (3,))
    gx, gy = torch.autograd.grad(fused(x, y).sum(), (x, y), create_graph=True)
    torch.testing.assert_close(gx, torch.full_like(x, 10))
    torch.testing.assert_close(gy, 2 * y)
    (second,) = torch.autograd.grad(gy.sum(), y)
    torch.testing.assert_close(second, torch.full_like(y, 2))
    (only,) = torch.autograd.grad(fused(x.detach(), y).sum(), y)
    torch.testing.assert_close(only, 2 * y)


def test_a_given_derivative_of_wrong_shape_is_an_error():
    with pytest.raises(tilewise.FusionError, match="takes 2 parameters; it is called with 1 grad"):
        tilewise.pointwise(lambda x, y: x + y, backward=lambda g, x: g)
    with pytest.raises(tilewise.FusionError, match="returns 1 gradients for 2 operands"):
        tilewise.pointwise(lambda x, y: x + y, backward=lambda g, x, y: g)


def test_functional_transforms():
    fused = tilewise.pointwise(lambda x, y: torch.sin(x) * y, name="transformed")
    x, y = torch.randn(4, 3), torch.randn(3)
    torch.testing.assert_close(torch.vmap(fused, in_dims=(0, None))(x, y), torch.sin(x) * y)
    torch.testing.assert_close(
        torch.vmap(fused, in_dims=(1, 0))(x, y), torch.sin(x).t() * y[:, None]
    )
    gradient = torch.func.grad(lambda x: fused(x, y).sum())
    torch.testing.assert_close(gradient(x), torch.cos(x) * y)
    per_row = torch.vmap(torch.func.grad(lambda x: fused(x, y).sum()))(x)
    torch.testing.assert_close(per_row, torch.cos(x) * y)
