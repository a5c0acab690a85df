# SPDX-License-Identifier: Apache-2.0
"""Indices of all kinds, and errors in PyTorch's words."""

from __future__ import annotations

import os

import pytest
import torch

import tilewise

DEVICE = os.environ.get("TILEWISE_TEST_DEVICE", "cpu")
X = torch.arange(3 * 4 * 5 * 6, device=DEVICE).reshape(3, 4, 5, 6)


def _index(*values: int, dtype: torch.dtype = torch.int64) -> torch.Tensor:
    return torch.tensor(values, dtype=dtype, device=DEVICE)


INDICES = {
    "rows": (_index(2, -1, 0),),
    "pairs": (_index(0, 2), _index(-4, 3)),
    "apart": (_index(0, 2), slice(None), _index(4, -5)),
    "broadcast": (slice(None), _index(0, 3)[:, None], _index(1, 2, 4, dtype=torch.int32)),
    "three": (_index(0, 2), _index(1, 1), slice(1, 4), _index(5, 0)),
    "mask": (X[:, :, 0, 0] % 2 == 0,),
}


@pytest.mark.parametrize("name", INDICES)
def test_indices(name: str) -> None:
    for x in (X, X.transpose(1, 3).contiguous().transpose(1, 3)):
        expected = x[INDICES[name]]
        with tilewise.use():
            actual = x[INDICES[name]]
        assert torch.equal(actual, expected) and actual.stride() == expected.stride()
    assert tilewise.report()["operators"][f"index.Tensor/{DEVICE}"]["served"] > 0


@pytest.mark.skipif(DEVICE != "cpu", reason="a GPU's kernels assert")
@pytest.mark.parametrize(
    "call",
    (
        lambda: X[_index(0, 3)],
        lambda: X[:, _index(-5)],
        lambda: X[0, 0].gather(0, _index(5)[None]),
        lambda: X[0, 0].gather(0, _index(-1)[None]),
        lambda: X.index_select(1, _index(4)),
        lambda: X.index_select(1, _index(-1)),
        lambda: X[_index(0, 1), _index(0, 1, 2)],
    ),
)
def test_errors_are_pytorchs_own(call: object) -> None:
    with pytest.raises((IndexError, RuntimeError)) as stock:
        call()
    with tilewise.use(), pytest.raises(type(stock.value)) as ours:
        call()
    assert str(ours.value) == str(stock.value)
