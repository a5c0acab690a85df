# SPDX-License-Identifier: Apache-2.0
"""`@tilewise.pointwise`: a function of elements becomes an operator on tensors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, overload

import torch
from torch import Tensor

from tilewise.fusion import registration as _registration  # noqa: F401
from tilewise.fusion.capture import count_results, triton_source
from tilewise.fusion.definitions import Backward, Definition, identifier, traced
from tilewise.fusion.errors import FusionError, place
from tilewise.fusion.graph import KEEP, Graph
from tilewise.fusion.rebind import plain_function, trace, uses_triton

_POINTWISE = torch.ops.tilewise.pointwise.default
_POINTWISE_OUT = torch.ops.tilewise.pointwise.out
_NUMBERS = (bool, int, float, complex, torch.SymInt, torch.SymFloat, torch.SymBool)


def _parameters(function: Callable[..., Any]) -> tuple[list[str], dict[str, Any]]:
    """Names in order, and the defaults of those that have one."""
    names, defaults = [], {}
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            raise FusionError(
                f"tilewise.pointwise: {function.__name__} takes *{parameter.name}; a fused "
                "function has a fixed number of parameters"
            )
        names.append(parameter.name)
        if parameter.default is not parameter.empty:
            if not isinstance(parameter.default, (bool, int, float)):
                raise FusionError(
                    f"tilewise.pointwise: {function.__name__} has the default "
                    f"{parameter.name}={parameter.default!r}; defaults are numbers"
                )
            defaults[parameter.name] = parameter.default
    if not names:
        raise FusionError(f"tilewise.pointwise: {function.__name__} has no parameters")
    if len(names) > 64:
        raise FusionError(f"tilewise.pointwise: {function.__name__} has more than 64 parameters")
    return names, defaults


def _try_trace(function: Callable[..., Any], parameters: int) -> tuple[Graph | None, str]:
    try:
        return trace(function, parameters), ""
    except FusionError as error:
        return None, str(error)


def _define(function: Any, title: str, count: int, defaults: int, backward: Any) -> Definition:
    plain = plain_function(function)
    if plain is None:
        raise FusionError(
            f"tilewise.pointwise fuses Python functions, and {function!r:.80} is none"
        )
    given = None
    if not uses_triton(plain):
        graph = trace(function, count)
        if backward is not None:
            given = _given(backward, title, len(graph.results), count, defaults)
        return traced(title, graph, backward=given)
    source, name = triton_source(plain)
    found, reason = _try_trace(function, count)
    results = len(found.results) if found else count_results(plain)
    if backward is not None:
        given = _given(backward, title, results, count, defaults)
    return Definition(
        title=title,
        parameters=count,
        results=[node.category for node in found.results] if found else [KEEP] * results,
        compute=found.compute_category() if found else KEEP,
        source=source,
        function=name,
        graph=found,
        not_traced=reason,
        backward=given,
        source_is_traced=False,
    )


def _given(backward: Any, title: str, results: int, count: int, defaults: int) -> Backward:
    """The derivative that a user wrote: takes the gradients of all results, then all operands."""
    plain = plain_function(backward)
    if plain is None:
        raise FusionError(f"tilewise.pointwise: the backward of {title} is no Python function")
    names, _ = _parameters(plain)
    inputs = list(range(count))
    if len(names) != results + count:
        raise FusionError(
            f"tilewise.pointwise: {place(plain.__code__)}, the backward of {title}, takes "
            f"{len(names)} parameters; it is called with {results} gradients and {count} operands"
        )
    if uses_triton(plain):
        source, name = triton_source(plain)
        graph, _ = _try_trace(backward, len(names))
        gradients = count_results(plain)
    else:
        graph = trace(backward, len(names))
        source, name = "", ""
        gradients = len(graph.results)
    if gradients not in (count, count - defaults):
        raise FusionError(
            f"tilewise.pointwise: {place(plain.__code__)}, the backward of {title}, returns "
            f"{gradients} gradients for {count - defaults} operands"
        )
    if not source:
        from tilewise.fusion.text import triton_text

        assert graph is not None
        source, name = triton_text(graph, f"traced_{title}_backward"), ""
        return Backward(source, name, graph, inputs[:gradients])
    return Backward(source, name, None, inputs[:gradients])


class PointwiseOperator:
    """A fused operator; what `@tilewise.pointwise` makes of a function.

    Operands are tensors of any strides, which broadcast and promote as PyTorch's do, or numbers.
    """

    def __init__(self, function: Any, name: str | None = None, backward: Any = None) -> None:
        """See `pointwise`."""
        plain = plain_function(function)
        if plain is None:
            raise FusionError(
                f"tilewise.pointwise fuses Python functions, and {function!r:.80} is none"
            )
        functools.update_wrapper(self, plain)
        self._title = plain.__name__
        self.python_function = plain
        self._names, self._defaults = _parameters(plain)
        self._count = len(self._names)
        title = identifier(name or plain.__name__)
        self.definition = _define(function, title, self._count, len(self._defaults), backward)
        self.definition.publish()
        self._name = self.definition.name
        self._results = len(self.definition.results)

    def __call__(self, *args: Any, out: Any = None, **kwargs: Any) -> Any:
        """Runs the operator; `out` is a tensor, or one for each result."""
        if kwargs or len(args) != self._count:
            args = tuple(self._bind(args, kwargs))
        tensors: list[Tensor] = []
        numbers: list[Any] = []
        for i, operand in enumerate(args):
            if isinstance(operand, Tensor):
                tensors.append(operand)
                if numbers:
                    numbers.append(None)
                continue
            if not isinstance(operand, _NUMBERS):
                self._reject(i, operand)
            if not numbers:
                numbers = [None] * i
            numbers.append(operand)
        if not tensors:
            raise TypeError(f"{self._title}() needs a tensor among its operands")
        if out is not None:
            return self._call_out(tensors, numbers, out)
        results = _POINTWISE(self._name, tensors, numbers)
        return results[0] if self._results == 1 else tuple(results)

    def _call_out(self, tensors: list[Tensor], numbers: list[Any], out: Any) -> Any:
        outputs = [out] if isinstance(out, Tensor) else list(out)
        if len(outputs) != self._results:
            raise TypeError(
                f"{self._title}() has {self._results} results, and out= holds {len(outputs)}"
            )
        _POINTWISE_OUT(self._name, tensors, numbers, out=outputs)
        return out

    def _reject(self, position: int, operand: Any) -> None:
        raise TypeError(
            f"{self._title}(): argument '{self._names[position]}' must be a Tensor or a number, "
            f"not {type(operand).__name__}"
        )

    def _bind(self, args: Sequence[Any], kwargs: dict[str, Any]) -> list[Any]:
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
        return operands

    def __repr__(self) -> str:
        """Names the function."""
        return f"<tilewise.pointwise {self._name}({', '.join(self._names)})>"


@overload
def pointwise(
    function: Callable[..., Any], *, name: str | None = None, backward: Any = None
) -> PointwiseOperator: ...
@overload
def pointwise(
    *, name: str | None = None, backward: Any = None
) -> Callable[[Callable[..., Any]], PointwiseOperator]: ...
def pointwise(
    function: Callable[..., Any] | None = None, *, name: str | None = None, backward: Any = None
) -> Any:
    """Fuses a function of elements into one kernel over tensors.

    >>> @tilewise.pointwise
    ... def gated(x, gate, scale=1.0):
    ...     return torch.tanh(x) * torch.sigmoid(gate) * scale
    >>> y = gated(x, gate)          # broadcasts, promotes, has gradients, out=

    Args:
        function: of elements. Either ordinary Python: operators, functions of `torch`,
            `torch.nn.functional` and `math`, other such functions; or Triton's language (`tl.`,
            `libdevice.`), with or without `@triton.jit`. A tuple makes several results. Parameters
            with a default are numbers that calls may leave out.
        name: what reports and profiles call it; the function's own by default.
        backward: the derivative, a function like `function`: of the gradient of every result, then
            all operands; it returns the gradients of the operands, those with a default left out.
            Without it the derivative is derived when it is first needed.

    Returns:
        The operator. It works under `torch.compile(fullgraph=True)`, `torch.export` and
        `torch.vmap`.

    Raises:
        FusionError: the function cannot be fused; says the line.
    """
    if function is None:
        return functools.partial(pointwise, name=name, backward=backward)
    return PointwiseOperator(function, name, backward)
