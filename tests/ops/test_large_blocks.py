# SPDX-License-Identifier: Apache-2.0
"""Memory of large new outputs on a CPU: huge pages, used again, bounded, a tensor's like any."""

from __future__ import annotations

import re
import threading
from pathlib import Path

import pytest
import torch

import tilewise

SETTING = Path("/sys/kernel/mm/transparent_hugepage/enabled")
SMAPS = Path("/proc/self/smaps")
# The bound on what is kept: a sixteenth of the memory, 1 GiB at most.
MOST_KEPT = 1 << 30

pytestmark = pytest.mark.skipif(
    not SETTING.exists() or not SMAPS.exists(), reason="needs Linux's huge pages"
)


def _mappings() -> list[tuple[int, int, list[str]]]:
    """Begin, end and the kernel's flags of the process's mappings."""
    found: list[tuple[int, int, list[str]]] = []
    for line in SMAPS.read_text().splitlines():
        if bounds := re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line):
            begin, end = int(bounds[1], 16), int(bounds[2], 16)
        elif line.startswith("VmFlags:"):
            found.append((begin, end, line.split()[1:]))
    return found


def _flags_at(address: int) -> list[str]:
    return next(flags for begin, end, flags in _mappings() if begin <= address < end)


def _served_relu(x: torch.Tensor) -> torch.Tensor:
    with tilewise.use(strict=True):
        return torch.relu(x)


def test_a_large_new_output_asks_for_huge_pages() -> None:
    x = torch.full((17 << 20,), -1.5)  # 68 MiB: malloc takes it from the system
    assert "hg" not in _flags_at(x.data_ptr() + x.nbytes // 2)
    y = _served_relu(x)
    assert "hg" in _flags_at(y.data_ptr() + y.nbytes // 2)
    assert not y.any()


def test_a_freed_block_is_used_again_for_what_fits() -> None:
    x = torch.ones(9 << 20)
    first = _served_relu(x)
    address = first.data_ptr()
    other = _served_relu(x)
    assert other.data_ptr() != address
    del first
    again = _served_relu(x[: 8 << 20])
    assert again.data_ptr() == address
    assert again.sum() == 8 << 20
    del again
    assert _served_relu(x[: 4 << 20]).data_ptr() != address  # less than four fifths


def test_what_is_kept_is_bounded() -> None:
    x = torch.zeros(16 << 20)
    results = [_served_relu(x) for _ in range(20)]  # 1.25 GiB
    del results
    kept = sum(end - begin for begin, end, flags in _mappings() if "hg" in flags)
    assert kept <= MOST_KEPT + (2 << 20)


def test_threads_get_blocks_of_their_own() -> None:
    wrong: list[int] = []

    def work(number: int) -> None:
        x = torch.full((3 << 20,), float(number))
        for _ in range(10):
            if not bool((_served_relu(x) == number).all()):
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_the_tensor_is_like_any_other() -> None:
    y = _served_relu(torch.ones(3 << 20))
    assert y.data_ptr() % 64 == 0
    assert y.clone().share_memory_().sum() == 3 << 20
    y.resize_(5)
    y.resize_(4 << 20)
    assert y[:5].sum() == 5
    assert y[:5].numpy().sum() == 5
    strided = _served_relu(torch.ones(2048, 2048).t())
    assert strided.stride() == (1, 2048)
