# SPDX-License-Identifier: Apache-2.0
"""PyTorch's operators, served by Triton tile programs that C++ launches.

>>> import tilewise
>>> tilewise.enable()              # the whole program, or
>>> with tilewise.use():           # a block
...     model(batch).sum().backward()
>>> print(tilewise.report())
"""

from tilewise._library import install as _install
from tilewise.compile_client import connect as _connect
from tilewise.reporting import Report, registered, report, reset
from tilewise.scope import disable, enable, use

__version__ = "0.1.0"
__all__ = ["Report", "disable", "enable", "registered", "report", "reset", "use"]

_install()
_connect()
