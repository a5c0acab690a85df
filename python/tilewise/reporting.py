# SPDX-License-Identifier: Apache-2.0
"""What was served, what fell back and why, and what was compiled."""

from __future__ import annotations

import ctypes
import json
from typing import Any

from tilewise._library import library, take_text


class Report(dict[str, Any]):
    """Counts since the start or the last `reset()`; prints as a table.

    Keys: `operators`, a dict from "overload/device" to {"served": calls, "fell_back": {reason:
    calls}}; `served` and `fell_back`, the totals; `runtime`, kernels compiled, seconds, bytes and
    store hits.
    """

    def __str__(self) -> str:
        """The table, with the most called operators first."""
        rows = [
            (name, entry["served"], sum(entry["fell_back"].values()), _reasons(entry["fell_back"]))
            for name, entry in self["operators"].items()
        ]
        rows.sort(key=lambda row: (-row[1] - row[2], row[0]))
        width = max([len("operator"), *(len(row[0]) for row in rows)])
        lines = [f"{'operator':<{width}} {'served':>9} {'fell back':>9}  reason"]
        lines += [
            f"{name:<{width}} {s:>9} {f:>9}  {reason}".rstrip() for name, s, f, reason in rows
        ]
        lines.append(f"{'total':<{width}} {self['served']:>9} {self['fell_back']:>9}")
        runtime = self["runtime"]
        lines.append(
            f"{runtime['kernels_compiled']} kernels compiled in "
            f"{runtime['compile_seconds']:.1f} s, "
            f"{runtime['compiled_bytes']} bytes; {runtime['launches']} launches"
        )
        return "\n".join(lines)


def _reasons(fell_back: dict[str, int]) -> str:
    return "; ".join(f"{reason} ({count})" for reason, count in sorted(fell_back.items()))


def _counters(*, called: bool = False) -> list[tuple[str, str, int, dict[str, int]]]:
    table = []
    for line in take_text(library.tilewise_operator_counters()).splitlines():
        # Some 2000 lines, of which a program calls a few dozen: 1.9 ms with all of them.
        if called and line.endswith("\t0"):
            continue
        name, device, served, *pairs = line.split("\t")
        reasons = dict(zip(pairs[::2], map(int, pairs[1::2]), strict=True))
        table.append((name, device, int(served), reasons))
    return table


def report() -> Report:
    """The counters of all operators that were called, as a dict that prints as a table."""
    operators: dict[str, Any] = {}
    for name, device, served, reasons in _counters(called=True):
        # Fused functions of one name are one line.
        entry = operators.setdefault(f"{name}/{device}", {"served": 0, "fell_back": {}})
        entry["served"] += served
        for reason, count in reasons.items():
            entry["fell_back"][reason] = entry["fell_back"].get(reason, 0) + count
    text = ctypes.c_void_p()
    library.tilewise_runtime_statistics(ctypes.byref(text))
    return Report(
        operators=operators,
        served=sum(entry["served"] for entry in operators.values()),
        fell_back=sum(sum(entry["fell_back"].values()) for entry in operators.values()),
        runtime=json.loads(take_text(text.value)),
    )


def reset() -> None:
    """Sets the operators' counters to zero."""
    library.tilewise_reset_counters()


def registered(device: str = "cpu") -> list[str]:
    """The overloads taken over on "cpu" or "cuda", e.g. "add.Tensor"."""
    return sorted(
        name
        for name, where, _, _ in _counters()
        if where == device and not name.startswith("tilewise::")
    )
