# SPDX-License-Identifier: Apache-2.0
"""Fused operators under torch.compile and torch.export."""

from __future__ import annotations

import io
import shutil

import pytest
import torch
import torch.nn.functional as F

import tilewise
import tilewise.nn.functional as TF


@tilewise.pointwise
def compiled_gate(x, y, scale=1.0):
    return torch.tanh(x) * y * scale, x > y


def eager_gate(x, y, scale=1.0):
    return torch.tanh(x) * y * scale, x > y


# A graph in inductor's cache knows the fake implementations of the time when it was written.
@pytest.fixture(autouse=True)
def _no_stored_graphs():
    import torch._inductor.config as config

    with config.patch(force_disable_caches=True):
        yield


BACKENDS = ["aot_eager"] + (["inductor"] if shutil.which("g++") else [])


@pytest.mark.parametrize(
    "backend, dynamic", [("aot_eager", True), *((backend, False) for backend in BACKENDS)]
)
def test_full_graph_with_gradients(backend, dynamic):
    torch._dynamo.reset()

    def model(x, y):
        value, larger = compiled_gate(x * 2, y, scale=0.5)
        return torch.where(larger, value + 1, compiled_gate(value, 3.0)[0])

    def reference(x, y):
        value, larger = eager_gate(x * 2, y, scale=0.5)
        return torch.where(larger, value + 1, eager_gate(value, 3.0)[0])

    compiled = torch.compile(model, fullgraph=True, backend=backend, dynamic=dynamic)
    for rows in (3, 4) if dynamic else (3,):
        x = torch.randn(5, rows).t().requires_grad_()
        y = torch.randn(5, requires_grad=True)
        actual, expected = compiled(x, y), reference(x, y)
        torch.testing.assert_close(actual, expected)
        weight = torch.randn_like(expected)
        gradients = torch.autograd.grad((actual * weight).sum(), (x, y))
        wanted = torch.autograd.grad((expected * weight).sum(), (x, y))
        torch.testing.assert_close(gradients, wanted)


def block(x, bias, cos, sin):
    x = TF.add_gelu_dropout(x, bias, 0.0)
    x, _ = TF.rotary_embedding(x, None, cos, sin)
    return TF.silu_and_mul(x) + TF.geglu(x[..., :4], x[..., 4:])


def reference_block(x, bias, cos, sin):
    a, b = F.gelu(x + bias).chunk(2, -1)
    x = torch.cat((a * cos - b * sin, b * cos + a * sin), -1)
    a, b = x.chunk(2, -1)
    return F.silu(a) * b + F.gelu(a) * b


@pytest.mark.parametrize("backend", BACKENDS)
def test_functional_operators_in_a_full_graph(backend):
    torch._dynamo.reset()
    compiled = torch.compile(block, fullgraph=True, backend=backend)
    x = torch.randn(2, 3, 8, requires_grad=True)
    bias = torch.randn(8, requires_grad=True)
    cos, sin = torch.randn(3, 4).cos(), torch.randn(3, 4).sin()
    actual, expected = compiled(x, bias, cos, sin), reference_block(x, bias, cos, sin)
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual.sum(), (x, bias)),
        torch.autograd.grad(expected.sum(), (x, bias)),
    )


def test_out_in_a_full_graph():
    torch._dynamo.reset()
    product = tilewise.pointwise(lambda x, y: x * y, name="compiled_product")

    def model(x, y):
        out = torch.empty_like(x)
        product(x, y, out=out)
        return out + 1

    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    x, y = torch.randn(3, 4), torch.randn(4)
    torch.testing.assert_close(compiled(x, y), x * y + 1)


def test_exported_program_is_saved_and_loaded():
    rows = torch.export.Dim("rows", min=2, max=64)
    x = torch.randn(4, 6)
    y = torch.randn(6)

    class Halves(torch.nn.Module):
        def forward(self, x, y):
            return compiled_gate(x, y)[0].sum(-1, keepdim=True) + TF.silu_and_mul(x)

    program = torch.export.export(Halves(), (x, y), dynamic_shapes=({0: rows}, None))
    targets = {str(node.target) for node in program.graph.nodes}
    assert {"tilewise.pointwise.default", "tilewise.pointwise_parts.default"} <= targets
    buffer = io.BytesIO()
    torch.export.save(program, buffer)
    buffer.seek(0)
    loaded = torch.export.load(buffer).module()
    larger = torch.randn(9, 6)
    torch.testing.assert_close(loaded(larger, y), Halves()(larger, y))


def test_fake_results_are_those_of_the_kernel():
    from torch._subclasses.fake_tensor import FakeTensorMode

    cases = [
        (torch.randn(4, 3, 5).permute(2, 0, 1), torch.randn(3)),
        (torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last), torch.randn(5)),
        (torch.arange(6).reshape(2, 3).t(), torch.randn(())),
        (torch.ones(3, dtype=torch.bfloat16), torch.ones(2, 1, dtype=torch.float64)),
        (torch.ones(4)[::2], 2.0),
        (torch.ones(3, dtype=torch.int32), True),
    ]
    for operands in cases:
        with FakeTensorMode() as mode:
            fake = compiled_gate(
                *(mode.from_tensor(o) if isinstance(o, torch.Tensor) else o for o in operands)
            )
        for got, real in zip(fake, compiled_gate(*operands), strict=True):
            assert (got.shape, got.dtype, got.stride()) == (real.shape, real.dtype, real.stride())
        meta = compiled_gate(
            *(o.to("meta") if isinstance(o, torch.Tensor) else o for o in operands)
        )
        assert meta[0].is_meta and meta[0].shape == fake[0].shape


def test_unknown_functions_say_what_to_do():
    with pytest.raises(NotImplementedError, match="has to be imported before"):
        torch.ops.tilewise.pointwise("nobody_0123", [torch.ones(2)])


def test_operators_pass_pytorchs_own_check():
    x, y = torch.randn(3, 8, requires_grad=True), torch.randn(8, requires_grad=True)
    name = compiled_gate.definition.name
    ops = torch.ops.tilewise
    torch.library.opcheck(ops.pointwise.default, (name, [x, y], [0.5], "ttf"))
    gate = TF.swiglu.__globals__["_silu_and_mul"].name
    torch.library.opcheck(ops.pointwise_parts.default, (gate, [x, x], [0, 1], False))
    torch.library.opcheck(ops.gelu_dropout.default, (x, y, 0.0, "none"))
    out = [torch.empty(3, 8), torch.empty(3, 8, dtype=torch.bool)]
    torch.library.opcheck(
        ops.pointwise.out, (name, [x.detach(), y.detach()], [0.5], "ttf"), {"out": out}
    )
