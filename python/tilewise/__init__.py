# SPDX-License-Identifier: Apache-2.0
"""PyTorch's operators, served by Triton tile programs that C++ launches.

>>> import tilewise
>>> tilewise.enable()              # the whole program, or
>>> with tilewise.use():           # a block
...     model(batch).sum().backward()
>>> print(tilewise.report())
"""

from __future__ import annotations

import functools
import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tilewise.fusion import FusionError, pointwise
    from tilewise.reporting import Report, registered, report, reset
    from tilewise.scope import disable, enable, use

__version__ = "0.1.0"
__all__ = [
    "FusionError",
    "Report",
    "disable",
    "enable",
    "pointwise",
    "registered",
    "report",
    "reset",
    "use",
]

_MODULE_OF = {
    "FusionError": "fusion",
    "Report": "reporting",
    "disable": "scope",
    "enable": "scope",
    "pointwise": "fusion",
    "registered": "reporting",
    "report": "reporting",
    "reset": "reporting",
    "use": "scope",
}


@functools.cache
def _start() -> None:
    from tilewise._library import install
    from tilewise.compile_client import connect

    install()
    connect()


def __getattr__(name: str) -> Any:
    """Loads libtilewise when something of it is first named, not when the package is imported.

    `import triton` imports this package to find its CPU backend, and `doctor` must run where the
    library is missing or does not load.
    """
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    _start()
    value = getattr(importlib.import_module(f"tilewise.{_MODULE_OF[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """The public names, loaded or not."""
    return sorted([*globals(), *__all__])
