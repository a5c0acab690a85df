# SPDX-License-Identifier: Apache-2.0
"""Finds passages that stand in two places of our own sources.

A passage is WINDOW consecutive lines, spaces, comments, blank lines and includes left out. What
must be said twice (a table of a test and its expectation) is named in ALLOWED with the reason.
"""

import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WINDOW = 10  # lines; 8 also finds argument lists that two kernels of a family share by nature
SUFFIXES = (".h", ".cpp", ".py")
FOLDERS = ("src", "kernels", "python", "tests", "tools", "benchmarks")

# Pairs of files that may share passages, and why.
ALLOWED: dict[frozenset[str], str] = {}

_IGNORED = re.compile(
    r"^(#include|#pragma|import |from \S+ import|namespace |using |}|\)|\]|else|try)|^\W*$"
)
_COMMENT = re.compile(r"(//|#(?!include|pragma|define|if|endif|else)).*$")

Line = tuple[int, str]


def meaningful_lines(path: Path) -> list[Line]:
    """(line number, text without spaces) of the lines that say something."""
    result = []
    for number, line in enumerate(path.read_text().splitlines(), start=1):
        text = "".join(_COMMENT.sub("", line).split())
        if text and not _IGNORED.match(line.strip()):
            result.append((number, text))
    return result


def duplicates(files: list[Path]) -> list[tuple[Path, int, Path, int, int]]:
    """(file, line, other file, its line, lines) of each passage, longest run merged into one."""
    seen: dict[tuple[str, ...], tuple[int, int]] = {}
    lines = [meaningful_lines(path) for path in files]
    runs: dict[tuple[int, int, int], list[int]] = defaultdict(list)
    for which, content in enumerate(lines):
        for start in range(len(content) - WINDOW + 1):
            key = tuple(text for _, text in content[start : start + WINDOW])
            first = seen.setdefault(key, (which, start))
            other, other_start = first
            if first == (which, start) or (other == which and start - other_start < WINDOW):
                continue
            runs[which, other, start - other_start].append(start)
    found = []
    for (which, other, shift), starts in sorted(runs.items()):
        begin = previous = starts[0]
        for start in [*starts[1:], -1]:
            if start == previous + 1:
                previous = start
                continue
            found.append(
                (
                    files[which],
                    lines[which][begin][0],
                    files[other],
                    lines[other][begin - shift][0],
                    previous - begin + WINDOW,
                )
            )
            begin = previous = start
    return found


def main() -> int:
    """Prints the passages that are not allowed; 1 if there are any."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *FOLDERS],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    files = [ROOT / n for n in listed if n.endswith(SUFFIXES) and (ROOT / n).is_file()]
    status = 0
    for path, line, other, other_line, length in duplicates(files):
        names = (str(path.relative_to(ROOT)), str(other.relative_to(ROOT)))
        if frozenset(names) not in ALLOWED:
            print(f"{names[0]}:{line}: {length} lines as in {names[1]}:{other_line}")
            status = 1
    return status


if __name__ == "__main__":
    sys.exit(main())
