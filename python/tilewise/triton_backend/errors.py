# SPDX-License-Identifier: Apache-2.0
"""The one exception of the CPU compiler: what is wrong, where, and what helps."""

from __future__ import annotations

import re

_MESSAGE = re.compile(
    r'(?:kernel "(?P<kernel>[^"]*)": )?(?P<location>.*?:\d+:\d+|unknown location): (?P<reason>.*)',
    re.DOTALL,
)


class CompileError(RuntimeError):
    """A kernel that cannot be compiled for the CPU.

    `location` is "file:line:column" of the kernel's source (of the IR for damaged text), "" where
    there is none; `remedy` is "" where none is known.
    """

    def __init__(
        self, reason: str, *, kernel: str = "", location: str = "", remedy: str = ""
    ) -> None:
        """The message is put together from the parts that are there."""
        self.reason, self.kernel, self.location, self.remedy = reason, kernel, location, remedy
        where = (f'kernel "{kernel}": ' if kernel else "") + (f"{location}: " if location else "")
        super().__init__(where + reason + (f"; {remedy}" if remedy else ""))

    def __reduce__(self) -> tuple[object, ...]:
        """Exceptions with keyword arguments are not copied by default; Triton copies them."""
        return (_restore, (self.reason, self.kernel, self.location, self.remedy))


def _restore(reason: str, kernel: str, location: str, remedy: str) -> CompileError:
    return CompileError(reason, kernel=kernel, location=location, remedy=remedy)


def from_compiler(message: str) -> CompileError:
    """The exception of a message of src/compiler/compile_error.h."""
    found = _MESSAGE.fullmatch(message)
    reason, _, remedy = (found["reason"] if found else message).partition("; ")
    if found is None:
        return CompileError(reason, remedy=remedy)
    location = found["location"]
    return CompileError(
        reason,
        kernel=found["kernel"] or "",
        location="" if location == "unknown location" else location,
        remedy=remedy,
    )
