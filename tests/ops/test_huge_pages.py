# SPDX-License-Identifier: Apache-2.0
"""Large new outputs on a CPU ask the system for huge pages."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

import tilewise

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SMAPS = Path("/proc/self/smaps")


def _flags_at(address: int) -> list[str]:
    """What the kernel notes about the mapping that holds an address."""
    inside = False
    for line in SMAPS.read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            inside = int(bounds[1], 16) <= address < int(bounds[2], 16)
        elif inside and line.startswith("VmFlags:"):
            return line.split()[1:]
    return []


@pytest.mark.skipif(not SETTING.exists() or not SMAPS.exists(), reason="needs Linux's huge pages")
def test_a_large_new_output_asks_for_huge_pages() -> None:
    x = torch.full((17 << 20,), -1.5)  # 68 MiB: malloc takes it from the system
    assert "hg" not in _flags_at(x.data_ptr() + x.nbytes // 2)
    with tilewise.use(strict=True):
        y = torch.relu(x)
    assert "hg" in _flags_at(y.data_ptr() + y.nbytes // 2)
    assert not y.any()
