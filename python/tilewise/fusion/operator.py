# SPDX-License-Identifier: Apache-2.0
"""`@tilewise.pointwise`: a function of elements becomes an operator on tensors."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from tilewise.fusion.call import FusedCallable
from tilewise.fusion.capture import count_results, triton_source
from tilewise.fusion.definitions import Backward, Definition, identifier, traced
from tilewise.fusion.errors import FusionError, place
from tilewise.fusion.graph import KEEP, Graph
from tilewise.fusion.rebind import plain_function, trace, uses_triton


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


class PointwiseOperator(FusedCallable):
    """A fused operator; what `@tilewise.pointwise` makes of a function."""

    def __init__(self, function: Any, name: str | None = None, backward: Any = None) -> None:
        """See `pointwise`."""
        plain = plain_function(function)
        if plain is None:
            raise FusionError(
                f"tilewise.pointwise fuses Python functions, and {function!r:.80} is none"
            )
        functools.update_wrapper(self, plain)
        self.python_function = plain
        names, defaults = _parameters(plain)
        title = identifier(name or plain.__name__)
        definition = _define(function, title, len(names), len(defaults), backward)
        super().__init__(definition, plain.__name__, names, defaults)


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
