# SPDX-License-Identifier: Apache-2.0
"""Which operators a piece of work calls, counted below autograd and without Tilewise.

Tilewise counts the calls that reach an operator it has taken over. How many calls went past it, to
operators that it does not know, only the dispatcher can say: this census asks it.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

_COMPOSITE = torch._C.DispatchKey.CompositeExplicitAutograd

# No kernel runs in these, although their schemas do not call them views: memory is allocated or
# relabeled, or one number is handed to Python.
_WITHOUT_KERNEL = frozenset(
    "empty empty_like empty_strided empty_permuted new_empty new_empty_strided _unsafe_view "
    "resize_ set_ lift_fresh lift alias detach detach_ _local_scalar_dense is_same_size "
    "_has_compatible_shallow_copy_type record_stream is_pinned".split()
)


def overload_name(overload: torch._ops.OpOverload) -> str:
    """The name as `tilewise.registered()` spells it: "add.Tensor", "relu"."""
    name: str = overload.name()
    return name.partition("::")[2]


def is_view_or_allocation(overload: torch._ops.OpOverload) -> bool:
    """True if no kernel can run in a call of this overload."""
    schema = overload._schema
    return schema.name.partition("::")[2] in _WITHOUT_KERNEL or any(
        value.alias_info and not value.alias_info.is_write for value in schema.returns
    )


class _Recorder(TorchDispatchMode):
    def __init__(self, device: torch.device, taken_over: Set[str]) -> None:
        super().__init__()
        self.key = "CUDA" if device.type == "cuda" else "CPU"
        self.taken_over = taken_over
        self.calls: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: torch._ops.OpOverload,
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        kwargs = kwargs or {}
        if is_view_or_allocation(func):
            return func(*args, **kwargs)
        if not self._is_kernel(func):
            # Written in terms of other operators (`zeros_like`, `_to_copy`, `embedding`, on a CPU
            # `_foreach_add_`): those are the calls that count.
            with self:
                return func._op_dk(_COMPOSITE, *args, **kwargs)
        self.calls[overload_name(func)] += 1
        return func(*args, **kwargs)

    def _is_kernel(self, func: torch._ops.OpOverload) -> bool:
        name = func.name()
        return (
            overload_name(func) in self.taken_over
            or func._schema.name == "aten::copy_"  # One kernel for all devices, by its key.
            or torch._C._dispatch_has_kernel_for_dispatch_key(name, self.key)
            or not torch._C._dispatch_has_kernel_for_dispatch_key(name, _COMPOSITE.name)
        )


def count_calls(
    work: Callable[[], object], device: torch.device, taken_over: Set[str] = frozenset()
) -> Counter[str]:
    """Calls of each overload with a kernel that `work()` makes on `device`.

    An overload in `taken_over` is a kernel even where PyTorch composes it of others.
    """
    recorder = _Recorder(device, taken_over)
    with recorder:
        work()
    return recorder.calls
