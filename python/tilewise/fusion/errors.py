# SPDX-License-Identifier: Apache-2.0
"""What is raised for a function that cannot be fused, in a sentence that says where."""

from __future__ import annotations

import os
from types import CodeType, TracebackType


class FusionError(ValueError):
    """A function given to `tilewise.pointwise` that cannot be fused or differentiated."""


def place(code: CodeType, line: int | None = None) -> str:
    """ "swish (model.py, line 12)"."""
    file = os.path.basename(code.co_filename)
    return f"{code.co_name} ({file}, line {line or code.co_firstlineno})"


def place_of_error(traceback: TracebackType | None, codes: set[CodeType]) -> str | None:
    """Where in the user's own functions an exception arose."""
    found = None
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            found = place(traceback.tb_frame.f_code, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found
