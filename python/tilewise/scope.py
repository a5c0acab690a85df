# SPDX-License-Identifier: Apache-2.0
"""Who is served: `enable()` for the process, `use()` for a block of this thread."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Any, TypeVar

from tilewise._library import library, take_text

_Function = TypeVar("_Function", bound=Callable[..., Any])

# The two calls that every block makes, looked up once.
_push = library.tilewise_push_scope
_pop = library.tilewise_pop_scope


def _make_scope(include: Iterable[str] | None, exclude: Iterable[str] | None, strict: bool) -> int:
    scope = ctypes.c_void_p()
    error = ctypes.c_void_p()
    failed = library.tilewise_make_scope(
        "\n".join(include or ()).encode(),
        "\n".join(exclude or ()).encode(),
        int(strict),
        ctypes.byref(scope),
        ctypes.byref(error),
    )
    if failed:
        raise ValueError(take_text(error.value))
    assert scope.value is not None
    return scope.value


def enable(
    include: Iterable[str] | None = None,
    exclude: Iterable[str] | None = None,
    strict: bool = False,
) -> None:
    """Serves PyTorch's operators with Tilewise's kernels in the whole process, until `disable()`.

    Args:
        include: serve only these. A name is an overload ("add.Tensor") or an operator ("add").
        exclude: serve all but these.
        strict: raise NotImplementedError where a call would fall back to PyTorch's own kernel.

    Raises:
        ValueError: a name is not an operator that Tilewise takes over.
    """
    scope = _make_scope(include, exclude, strict)
    library.tilewise_set_process_scope(scope)
    library.tilewise_release_scope(scope)


def disable() -> None:
    """Ends `enable()`: PyTorch's own kernels serve again, except inside `use()` blocks."""
    library.tilewise_set_process_scope(None)


class use:  # noqa: N801
    """Serves PyTorch's operators inside a block or a function; takes `enable()`'s arguments.

    Works without `enable()`, per thread, re-entrant and nestable (the innermost block decides), and
    holds for the autograd threads that PyTorch starts for a `backward()` inside the block.
    `use(active=False)` gives a block to stock PyTorch inside an enabled program.

    >>> with tilewise.use():
    ...     y = torch.softmax(x, -1)
    >>> @tilewise.use(exclude=["mm"])
    ... def step(batch): ...
    """

    def __init__(
        self,
        include: Iterable[str] | None = None,
        exclude: Iterable[str] | None = None,
        strict: bool = False,
        *,
        active: bool = True,
    ) -> None:
        """See `enable`; `active=False` ignores the other arguments."""
        self._scope = (
            _make_scope(include, exclude, strict) if active else library.tilewise_make_stock_scope()
        )

    def __enter__(self) -> use:
        """Opens the block."""
        _push(self._scope)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Closes the block."""
        _pop()

    def __call__(self, function: _Function) -> _Function:
        """Decorates `function` to run inside the block."""

        @functools.wraps(function)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            with self:
                return function(*args, **kwargs)

        return wrapper  # type: ignore[return-value]

    def __del__(self) -> None:
        """Releases the scope; open blocks keep their own reference to it."""
        if getattr(self, "_scope", None):
            library.tilewise_release_scope(self._scope)
