# SPDX-License-Identifier: Apache-2.0
"""Every registered overload against PyTorch's own kernel, on PyTorch's own samples (OpInfo)."""

from __future__ import annotations

import os
import warnings

import direct_calls
import forms
import operator_samples
import pytest
import torch
from torch.testing._internal.opinfo.core import OpInfo

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
FULL = os.environ.get("TILEWISE_TEST_FULL") == "1"
DTYPES = operator_samples.ALL_DTYPES if FULL else operator_samples.EVERYDAY_DTYPES
# Samples of one operator and dtype in the everyday run: OpInfo repeats layouts beyond that.
SAMPLE_LIMIT = None if FULL else 12

# Random operators have tests of their own: the same seed gives other numbers than stock PyTorch's.
RANDOM = {
    *("bernoulli", "bernoulli_", "binomial", "cauchy_", "exponential_", "geometric_"),
    *("log_normal_", "multinomial", "native_dropout", "native_dropout_backward", "normal"),
    *("normal_", "poisson", "rand", "rand_like", "randint", "randint_like", "randn", "randn_like"),
    *("random_", "randperm", "uniform_"),
}

OVERLOADS = [name for name in tilewise.registered(DEVICE) if name.split(".")[0] not in RANDOM]
OPINFO_NAMES = sorted(
    {n for overload in OVERLOADS for n in operator_samples.opinfo_names(overload)}
)


def _cases() -> list[tuple[OpInfo, torch.dtype]]:
    return [
        (op, dtype)
        for op in operator_samples.opinfos(tuple(OPINFO_NAMES))
        for dtype in DTYPES
        if dtype in op.supported_dtypes(DEVICE)
    ]


def _samples(op: OpInfo, dtype: torch.dtype, requires_grad: bool = False) -> list:
    torch.manual_seed(0)
    # The reference inputs are those of sample_inputs, extreme values and more layouts.
    make = op.reference_inputs if FULL and not requires_grad else op.sample_inputs
    samples = list(make(DEVICE, dtype, requires_grad=requires_grad))
    if DEVICE == "cuda" and op.name == "special.laguerre_polynomial_l":
        # Where n is no int64, ATen's GPU kernel takes 2^63 - 1 for it, and as many steps.
        samples = [s for s in samples if torch.as_tensor(s.args[0]).double().lt(2**20).all()]
    if SAMPLE_LIMIT is not None and len(samples) > SAMPLE_LIMIT:
        step = len(samples) / SAMPLE_LIMIT
        samples = [samples[int(i * step)] for i in range(SAMPLE_LIMIT)]
    return samples


def _name(case: object) -> str:
    return case.formatted_name if isinstance(case, OpInfo) else str(case).removeprefix("torch.")


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.mark.parametrize(("op", "dtype"), _cases(), ids=_name)
def test_forward_inplace_and_out(op: OpInfo, dtype: torch.dtype) -> None:
    for sample in _samples(op, dtype):
        forms.check_forward(op, sample)
        forms.check_inplace(op, sample)
    for sample in _samples(op, dtype)[:4]:
        forms.check_out(op, sample)


@pytest.mark.parametrize(("op", "dtype"), _cases(), ids=_name)
def test_backward(op: OpInfo, dtype: torch.dtype) -> None:
    if dtype not in op.supported_backward_dtypes(DEVICE) or not op.supports_autograd:
        pytest.skip("PyTorch has no gradient for this dtype")
    for sample in _samples(op, dtype, requires_grad=True):
        forms.check_backward(op, sample)


@pytest.mark.parametrize(
    "op",
    [op for op in operator_samples.opinfos(tuple(OPINFO_NAMES)) if op.supports_gradgrad],
    ids=lambda op: op.formatted_name,
)
def test_double_backward(op: OpInfo) -> None:
    dtype = torch.float64 if FULL else torch.float32
    if dtype not in op.supported_backward_dtypes(DEVICE) or not op.supports_autograd:
        pytest.skip("PyTorch has no gradient for this dtype")
    samples = _samples(op, dtype, requires_grad=True)
    for sample in samples if FULL else samples[:: max(1, len(samples) // 2)]:
        forms.check_backward(op, sample, twice=True)


@pytest.mark.parametrize(
    "op", operator_samples.opinfos(tuple(OPINFO_NAMES)), ids=lambda op: op.formatted_name
)
def test_errors_are_pytorchs_own(op: OpInfo) -> None:
    if op.error_inputs_func is None:
        pytest.skip("PyTorch lists no error inputs")
    for error_input in op.error_inputs(DEVICE):
        forms.check_error(op, error_input.sample_input)


@pytest.mark.parametrize("overload", OVERLOADS)
def test_every_overload_is_served(overload: str) -> None:
    """A direct call is served, strictly, with PyTorch's values: no registration goes untested."""
    op = direct_calls.find_overload(overload)

    # In-place foreach operators return nothing: what they did is in their first argument.
    values, outs = direct_calls.make_arguments(overload, DEVICE)
    try:
        result = op(*values, **outs)
    except (RuntimeError, NotImplementedError):
        if DEVICE == "cpu":
            raise
        # _add_relu's Scalar overloads reach a kernel of CPUs; cuDNN's batch norm wants a reserve.
        pytest.skip("PyTorch itself raises for these arguments on this device")
    expected = values[0] if result is None else result

    values, outs = direct_calls.make_arguments(overload, DEVICE)
    tilewise.reset()
    with tilewise.use(strict=True):
        result = op(*values, **outs)
    actual = values[0] if result is None else result
    assert tilewise.report()["operators"][f"{overload}/{DEVICE}"]["served"] == 1
    forms.assert_same(actual, expected, overload)
