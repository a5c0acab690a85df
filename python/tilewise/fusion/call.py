# SPDX-License-Identifier: Apache-2.0
"""How a fused operator is called: operands in order, tensors apart from numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from tilewise.fusion import registration as _registration  # noqa: F401
from tilewise.fusion.definitions import Definition

_POINTWISE = torch.ops.tilewise.pointwise.default
_POINTWISE_OUT = torch.ops.tilewise.pointwise.out


class FusedCallable:
    """A fused operator, ready to be called.

    Operands are tensors of any strides, which broadcast and promote as PyTorch's do, or numbers.
    """

    def __init__(
        self, definition: Definition, title: str, names: Sequence[str], defaults: dict[str, Any]
    ) -> None:
        """Makes `definition` known to libtilewise."""
        self.definition = definition
        definition.publish()
        self._title = title
        self._names = list(names)
        self._defaults = defaults
        self._count = len(self._names)
        self._name = definition.name
        self._results = len(definition.results)

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Runs the operator; `out` is a tensor, or one for each result."""
        if kwargs or len(args) != self._count:
            args = self._bind(args, kwargs)
        for i, operand in enumerate(args):
            if not isinstance(operand, Tensor):
                return self._run_mixed(args, i, out)
        if out is not None:
            return self._run_out(list(args), None, "", out)
        results = _POINTWISE(self._name, args)
        return results[0] if self._results == 1 else tuple(results)

    def _run_mixed(self, args: Sequence[Any], first: int, out: Any) -> Any:
        """Operands of which the one at `first` is a number."""
        tensors: list[Tensor] = list(args[:first])
        numbers: list[Any] = []
        kinds = "t" * first
        for i in range(first, self._count):
            operand = args[i]
            if isinstance(operand, Tensor):
                kinds += "t"
                tensors.append(operand)
            elif isinstance(operand, float):
                kinds += "f"
                numbers.append(operand)
            else:
                kinds += self._kind_of(i, operand)
                # What exports programs writes lists of one type.
                is_exact = isinstance(operand, int) and abs(operand) <= 1 << 53
                numbers.append(float(operand) if is_exact else operand)
        if not tensors:
            raise TypeError(f"{self._title}() needs a tensor among its operands")
        if out is not None:
            return self._run_out(tensors, numbers, kinds, out)
        results = _POINTWISE(self._name, tensors, numbers, kinds)
        return results[0] if self._results == 1 else tuple(results)

    def _kind_of(self, position: int, operand: Any) -> str:
        """The letter of a number that is no float."""
        if isinstance(operand, (bool, torch.SymBool)):
            return "b"
        if isinstance(operand, (int, torch.SymInt)):
            return "i"
        if isinstance(operand, (torch.SymFloat, complex)):
            return "f"
        raise TypeError(
            f"{self._title}(): argument '{self._names[position]}' must be a Tensor or a number, "
            f"not {type(operand).__name__}"
        )

    def _run_out(
        self, tensors: list[Tensor], numbers: list[Any] | None, kinds: str, out: Any
    ) -> Any:
        outputs = [out] if isinstance(out, Tensor) else list(out)
        if len(outputs) != self._results:
            raise TypeError(
                f"{self._title}() has {self._results} results, and out= holds {len(outputs)}"
            )
        _POINTWISE_OUT(self._name, tensors, numbers, kinds, out=outputs)
        return out

    def _bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> tuple[Any, ...]:
        """Operands in the order of the parameters."""
        if len(args) > self._count:
            raise TypeError(f"{self._title}() takes {self._count} operands, {len(args)} were given")
        operands = list(args)
        rest = dict(kwargs)
        for name in self._names[len(args) :]:
            if name in rest:
                operands.append(rest.pop(name))
            elif name in self._defaults:
                operands.append(self._defaults[name])
            else:
                raise TypeError(f"{self._title}() misses the operand '{name}'")
        if rest:
            raise TypeError(f"{self._title}() has no operand '{next(iter(rest))}' to set")
        return tuple(operands)

    def __repr__(self) -> str:
        """Names the function."""
        return f"<tilewise.pointwise {self._name}({', '.join(self._names)})>"
