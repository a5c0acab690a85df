# SPDX-License-Identifier: Apache-2.0
"""tilewise.nn.functional against PyTorch's operators, forward and backward."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

import tilewise
import tilewise.nn.functional as TF


def leaf(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(shape, dtype=dtype, requires_grad=True)


def assert_exact(actual: torch.Tensor, exact: torch.Tensor) -> None:
    """Equal but for the rounding of the result's type, at the scale of the tensor."""
    slack = 2 * torch.finfo(actual.dtype).eps
    if actual.dtype in (torch.float32, torch.float64):
        slack *= 8
    scale = exact.abs().max().item() if exact.numel() else 0.0
    torch.testing.assert_close(actual.double(), exact.double(), rtol=slack, atol=slack * scale)


GATED = {
    "silu": (TF.swiglu, TF.silu_and_mul, F.silu),
    "gelu": (TF.geglu, TF.gelu_and_mul, F.gelu),
    "gelu tanh": (
        lambda *x: TF.geglu(*x, approximate="tanh"),
        lambda x: TF.gelu_and_mul(x, approximate="tanh"),
        lambda x: F.gelu(x, approximate="tanh"),
    ),
}


@pytest.mark.parametrize("name", GATED)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_gated_activations(name, dtype):
    two, halves, activation = GATED[name]
    x = leaf(3, 5, 12, dtype=dtype)
    exact = x.detach().double().requires_grad_()
    views = [lambda x: x, lambda x: x.transpose(0, 1), lambda x: x[:, 1:4, 2:], lambda x: x[:0]]
    for view in views:
        gate, up = view(exact).chunk(2, -1)
        reference = activation(gate) * up
        weight = torch.randn_like(reference).to(dtype)
        (expected,) = torch.autograd.grad((reference * weight).sum(), exact)
        for actual in (halves(view(x)), two(view(x)), two(*view(x).chunk(2, -1))):
            assert actual.dtype == dtype
            assert_exact(actual, reference)
            (gradient,) = torch.autograd.grad((actual * weight).sum(), x)
            assert_exact(gradient, expected)


def test_gated_gradients():
    x, gate, up = leaf(2, 6), leaf(2, 3), leaf(3)
    for two, halves, _ in GATED.values():
        assert torch.autograd.gradcheck(halves, x)
        assert torch.autograd.gradgradcheck(halves, x)
        assert torch.autograd.gradcheck(two, (gate, up))
        assert torch.autograd.gradgradcheck(two, (gate, up))


def test_gated_backward_of_halves_is_one_kernel():
    x = leaf(64, 96, dtype=torch.float32)
    out = TF.silu_and_mul(x)
    before = tilewise.report()["runtime"]["launches"]
    out.backward(torch.ones_like(out))
    assert tilewise.report()["runtime"]["launches"] == before + 1


def test_gated_errors():
    with pytest.raises(ValueError, match="last dimension of 5 has no two halves"):
        TF.silu_and_mul(torch.randn(2, 5))
    with pytest.raises(ValueError, match="no dimensions"):
        TF.silu_and_mul(torch.randn(()))
    with pytest.raises(ValueError, match="either none or tanh"):
        TF.gelu_and_mul(torch.randn(2, 4), approximate="erf")


def rotated(x, cos, sin, interleaved):
    if interleaved:
        a, b = x[..., 0::2], x[..., 1::2]
        return torch.stack((a * cos - b * sin, b * cos + a * sin), -1).flatten(-2)
    a, b = x.chunk(2, -1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), -1)


def angles(positions: int, half: int, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    angle = torch.arange(positions)[:, None] * 0.1 ** torch.arange(half)
    return angle.cos().to(dtype), angle.sin().to(dtype)


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_rotary_embedding(interleaved, dtype):
    q, k = leaf(2, 4, 7, 8, dtype=dtype), leaf(2, 2, 7, 8, dtype=dtype)
    cos, sin = angles(7, 4, torch.float32 if dtype == torch.bfloat16 else dtype)
    results = TF.rotary_embedding(q, k, cos, sin, interleaved)
    for x, actual in zip((q, k), results, strict=True):
        exact = x.detach().double().requires_grad_()
        expected = rotated(exact, cos.double(), sin.double(), interleaved)
        assert actual.dtype == dtype
        assert_exact(actual, expected)
        weight = torch.randn_like(actual)
        (gradient,) = torch.autograd.grad((actual * weight).sum(), x)
        (wanted,) = torch.autograd.grad((expected * weight).sum(), exact)
        assert_exact(gradient, wanted)


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_embedding_of_views_and_its_second_derivative(interleaved):
    qkv = torch.randn(2, 7, 3, 4, 8, dtype=torch.float64, requires_grad=True)
    q = qkv[:, :, 0].transpose(1, 2)
    cos, sin = angles(7, 4, torch.float64)
    actual, none = TF.rotary_embedding(q, None, cos, sin, interleaved)
    assert none is None
    torch.testing.assert_close(actual, rotated(q, cos, sin, interleaved))
    heads_last = qkv[:, :, 1]
    actual, _ = TF.rotary_embedding(heads_last, None, cos[:, None], sin[:, None], interleaved)
    torch.testing.assert_close(actual, rotated(heads_last, cos[:, None], sin[:, None], interleaved))
    x, cos, sin = leaf(2, 3, 4), leaf(3, 2), leaf(3, 2)

    def rotate(x, cos, sin):
        return TF.rotary_embedding(x, None, cos, sin, interleaved)[0]

    assert torch.autograd.gradcheck(rotate, (x, cos.detach(), sin.detach()))
    assert torch.autograd.gradcheck(rotate, (x, cos, sin))
    assert torch.autograd.gradgradcheck(rotate, (x, cos, sin))


@pytest.mark.parametrize("approximate", ["none", "tanh"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("other", ["bias", "short", "residual", "none"])
def test_add_gelu_without_dropout(other, dtype, approximate):
    x = leaf(5, 700, dtype=dtype)
    short = leaf(300, 4, dtype=dtype)
    if other == "short":
        x = short
    y = {"bias": leaf(700, dtype=dtype), "short": leaf(4, dtype=dtype),
         "residual": leaf(5, 700, dtype=dtype), "none": None}[other]  # fmt: skip
    total = x if y is None else x + y
    expected = F.gelu(total, approximate=approximate)
    leaves = [x] if y is None else [x, y]
    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), leaves)
    for actual in (
        TF.add_gelu_dropout(x, y, 0.0, approximate=approximate),
        TF.add_gelu_dropout(x, y, 0.9, training=False, approximate=approximate),
    ):
        loose = {"rtol": 2e-2, "atol": 2e-2} if dtype == torch.bfloat16 else {}
        torch.testing.assert_close(actual, expected, **loose)
        gradients = torch.autograd.grad((actual * weight).sum(), leaves)
        for gradient, want in zip(gradients, wanted, strict=True):
            scale = want.abs().max().item()
            slack = {"rtol": 2e-2, "atol": 1e-2 * scale} if dtype == torch.bfloat16 else {}
            torch.testing.assert_close(gradient, want, **slack)


def test_dropout_keeps_the_right_share_and_backward_draws_the_same_mask():
    x = (torch.rand(64, 1000, dtype=torch.float64) + 1).requires_grad_()
    torch.manual_seed(5)
    out = TF.add_gelu_dropout(x, None, 0.3)
    kept = out != 0
    assert abs(kept.double().mean().item() - 0.7) < 0.01
    torch.testing.assert_close(out, F.gelu(x) * kept / 0.7)
    (gradient,) = torch.autograd.grad(out.sum(), x)
    (slope,) = torch.autograd.grad(F.gelu(x).sum(), x)
    torch.testing.assert_close(gradient, slope * kept / 0.7)
    torch.manual_seed(5)
    assert torch.equal(TF.add_gelu_dropout(x, None, 0.3), out)
    assert not torch.equal(TF.add_gelu_dropout(x, None, 0.3), out)
    assert not TF.add_gelu_dropout(x, None, 1.0).any()
    strided = TF.add_gelu_dropout(x.t(), None, 0.3)
    (gradient,) = torch.autograd.grad(strided.sum(), x)
    torch.testing.assert_close(gradient, slope * (strided != 0).t() / 0.7)


def test_dropout_errors():
    x = torch.randn(3, 4)
    with pytest.raises(RuntimeError, match="probability has to be between 0 and 1"):
        TF.add_gelu_dropout(x, None, 1.5)
    with pytest.raises(TypeError, match="of one dtype"):
        TF.add_gelu_dropout(x, x.double())
    with pytest.raises(ValueError, match="last dimensions of input's shape"):
        TF.add_gelu_dropout(x, torch.randn(3))


def test_adamw_step_is_pytorchs():
    for dtype in (torch.float32, torch.float64):
        param = torch.nn.Parameter(torch.randn(33, 7, dtype=dtype))
        ours = torch.nn.Parameter(param.detach().clone())
        exp_avg, exp_avg_sq = torch.zeros_like(ours), torch.zeros_like(ours)
        options = {"lr": 0.02, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}
        optimizer = torch.optim.AdamW([param], foreach=False, **options)
        for step in range(1, 5):
            param.grad = torch.randn_like(param)
            TF.adamw_step(ours, param.grad, exp_avg, exp_avg_sq, step, **options)
            optimizer.step()
        torch.testing.assert_close(ours, param)
        torch.testing.assert_close(exp_avg_sq, optimizer.state[param]["exp_avg_sq"])
