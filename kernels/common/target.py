# SPDX-License-Identifier: Apache-2.0
"""What a function may ask about the chip that it is compiled for, where one formula suits GPUs and
another CPUs. Both answers are known when the kernel is compiled.

    if on_gpu():
        return map_lanes(_of_one, x)  # lanes branch on their own
"""

import triton
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


@tl.core.builtin
def each_lane(function, *values, _semantic=None, _generator=None):
    """A function that loops until its last lane is done: of a tile, on GPUs of each lane alone."""
    if on_gpu(_semantic=_semantic).value:
        return map_lanes(function, *values, _semantic=_semantic, _generator=_generator)
    return _generator.call_JitFunction(function, values, kwargs={})


@triton.jit
def unrelated(x):
    """x of 16 bits a number, as a value of which an NVIDIA compiler does not know that it is x.

    Numbers that a kernel keeps in registers are widened to fp32 wherever they are used; without it
    the widened ones of one use are kept for the next, which takes twice the registers.
    """
    if on_cuda():
        return tl.inline_asm_elementwise(
            "mov.b32 $0, $1;", "=r,r", [x], dtype=x.dtype, is_pure=False, pack=2
        )
    else:
        return x
