# SPDX-License-Identifier: Apache-2.0
"""Checks that every layer of src/ includes only what is below it, and that ATen stays in its place.

The table is docs/architecture.md's drawing of the layers as a program reads it.
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src"

# What a folder may include besides itself.
BELOW: dict[str, set[str]] = {
    "base": set(),
    "compiler": {"base"},
    "runtime": {"base"},
    "codegen": {"base", "runtime"},
    "backends": {"base", "runtime"},
    "dispatch": {"base", "runtime"},
    "ops": {"base", "runtime", "codegen", "dispatch"},
}
# Only these include PyTorch's headers.
WITH_PYTORCH = {"dispatch", "ops"}
# Single includes that a rule would forbid, and why they are right.
EXCEPTIONS = {
    # Lends ATen's threads to the CPU backend, which is free of ATen.
    ("ops/framework/parallel.cpp", "backends/cpu/parallel_for.h"),
}
# A backend includes what the backends share, never another one.
SHARED_BACKENDS = {"gpu_common"}

_INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)
_PYTORCH = re.compile(r"^(ATen|c10|torch)/")


def violations() -> Iterator[str]:
    """One line for each include that breaks a rule."""
    files = [p for p in sorted(SOURCE.rglob("*")) if p.suffix in (".h", ".cpp")]
    for path in files:
        relative = path.relative_to(SOURCE)
        layer = relative.parts[0]
        if layer not in BELOW:
            yield f"src/{relative}: the folder {layer} is not in tools/check_layering.py"
            continue
        text = path.read_text()
        for match in _INCLUDE.finditer(text):
            included = match.group(1) or match.group(2)
            line = text.count("\n", 0, match.start()) + 1
            reason = _broken_rule(relative, layer, included, quoted=match.group(1) is not None)
            if reason:
                yield f"src/{relative}:{line}: includes {included}: {reason}"


def _broken_rule(relative: Path, layer: str, included: str, quoted: bool) -> str | None:
    parts = included.split("/")
    if _PYTORCH.match(included) and layer not in WITH_PYTORCH:
        return f"{layer} is free of PyTorch"
    if included == "Python.h":
        return "libtilewise knows no Python"
    if re.match(r"(cuda|cuda_runtime|hip/hip_runtime)(_api)?\.h", included):
        return "driver functions are found with dlopen and declared in driver_api.h"
    if not quoted or parts[0] not in BELOW:
        return None
    if (str(relative), included) in EXCEPTIONS:
        return None
    if parts[0] == "compiler" and relative.parts[:2] == ("backends", "cpu"):
        return None  # Its targets and vector widths are the compiler's.
    if parts[0] != layer:
        return None if parts[0] in BELOW[layer] else f"{layer} is not above {parts[0]}"
    if layer == "backends" and len(parts) > 2 and len(relative.parts) > 2:
        own, other = relative.parts[1], parts[1]
        if other != own and other not in SHARED_BACKENDS:
            return f"backend {own} includes backend {other}"
    return None


def main() -> int:
    """Prints the violations; 1 if there are any."""
    found = list(violations())
    print("\n".join(found), end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
