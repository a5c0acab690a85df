# SPDX-License-Identifier: Apache-2.0
"""What a function may ask about the chip that it is compiled for, where one formula suits GPUs and
another CPUs. Both answers are known when the kernel is compiled.

    if on_gpu():
        return map_lanes(_of_one, x)  # lanes branch on their own
"""

import triton.language as tl


@tl.core.builtin
def on_gpu(_semantic=None):
    """Whether lanes are threads, which may branch, but pay for every instruction."""
    return tl.constexpr(_semantic.builder.options.backend_name != "cpu")


@tl.core.builtin
def on_cuda(_semantic=None):
    """Whether libdevice is NVIDIA's, with its functions that are one instruction."""
    return tl.constexpr(_semantic.builder.options.backend_name == "cuda")


@tl.core.builtin
def map_lanes(function, *values, _semantic=None, _generator=None):
    """tl.map_elementwise, also where all values are single numbers, as those of expanded tensors
    are in generated kernels."""
    if any(value.type.is_block() for value in values):
        return tl.map_elementwise(function, *values, _semantic=_semantic, _generator=_generator)
    return _generator.call_JitFunction(function, values, kwargs={})
