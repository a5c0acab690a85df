# SPDX-License-Identifier: Apache-2.0
"""More than 2^31 elements, where an offset does not fit 32 bits; on GPUs, as PyTorch has them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
import torch
import torch.nn.functional as F

import tilewise

ROWS, COLUMNS = 2**15 + 1, 2**16
LENGTH = ROWS * COLUMNS

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(
        os.environ.get("TILEWISE_TEST_DEVICE") != "cuda"
        or torch.cuda.get_device_properties(0).total_memory < 70e9,
        reason="a GPU with 80 GB",
    ),
]


@pytest.fixture(autouse=True)
def _served() -> Iterator[None]:
    with tilewise.use(strict=True):
        yield
    torch.cuda.empty_cache()


def _ramp(dtype: torch.dtype = torch.int8) -> torch.Tensor:
    """0, 1, ..., 96, 0, 1, ...: 97 is prime, so that a wrapped offset finds another number."""
    pattern = torch.arange(97, device="cuda", dtype=dtype)
    return pattern.repeat(-(-LENGTH // 97))[:LENGTH]


# Where a 32-bit offset would be wrong, and the last elements.
PLACES = (0, 2**31 - 1, 2**31, 2**31 + 97, LENGTH - 1)


@pytest.mark.parametrize(
    "call",
    (
        lambda x: x + 1,
        lambda x: torch.where(x > 50, x, -x),
        lambda x: x.masked_fill(x == 3, -1),
        lambda x: x.to(torch.bfloat16),
        lambda x: x.clone().add_(x),
    ),
    ids=("add", "where", "masked_fill", "to", "add_"),
)
def test_pointwise(call: Callable[[torch.Tensor], torch.Tensor]) -> None:
    x = _ramp()
    result = call(x)
    for place in PLACES:
        assert torch.equal(result[place], call(x[place : place + 1])[0]), place


def test_strided_and_transposed() -> None:
    x = _ramp()
    pairs = x[: 2 * (LENGTH // 2)].view(-1, 2)
    assert torch.equal(pairs[:, 1].clone()[-5:], pairs[-5:, 1])
    matrix = x.view(ROWS, COLUMNS)
    copied = matrix.t().contiguous()
    assert torch.equal(copied[-1, -3:], matrix[-3:, -1]) and torch.equal(copied[7], matrix[:, 7])
    row = _ramp()[:COLUMNS]
    assert torch.equal((matrix + row)[-1], matrix[-1] + row)


def test_reductions() -> None:
    x = _ramp()
    assert x.sum().item() == LENGTH // 97 * (96 * 97 // 2) + sum(range(LENGTH % 97))
    x[LENGTH - 2] = 100
    assert x.argmax().item() == LENGTH - 2 and x.amax().item() == 100
    assert x.count_nonzero().item() == LENGTH - -(-LENGTH // 97) + ((LENGTH - 2) % 97 == 0)
    matrix = x.view(ROWS, COLUMNS)
    assert torch.equal(matrix.sum(1)[-3:], matrix[-3:].sum(1))
    assert torch.equal(matrix.sum(0)[-3:], matrix[:, -3:].contiguous().sum(0))


def test_scan() -> None:
    total = torch.cumsum(_ramp(), 0)
    whole, rest = divmod(LENGTH, 97)
    assert total[-1].item() == whole * (96 * 97 // 2) + sum(range(rest))


def test_rows() -> None:
    x = _ramp(torch.bfloat16).view(ROWS, COLUMNS)
    for call in (
        lambda x: F.softmax(x, 1),
        lambda x: F.layer_norm(x, (COLUMNS,)),
        lambda x: F.rms_norm(x, (COLUMNS,)),
    ):
        torch.testing.assert_close(call(x)[-2:], call(x[-2:].clone()))


def test_random_numbers() -> None:
    x = torch.empty(LENGTH, device="cuda", dtype=torch.float16).uniform_()
    for start in (0, 2**31 - 2048, LENGTH - 4096):
        part = x[start : start + 4096].float()
        assert 0.47 < part.mean().item() < 0.53 and part.std().item() > 0.27
    assert not torch.equal(x[:4096], x[-4096:])
