# SPDX-License-Identifier: Apache-2.0
"""What a function may ask about the chip that it is compiled for, where one formula suits GPUs and
another CPUs. Both answers are known when the kernel is compiled.

    if on_gpu():
        return tl.map_elementwise(_of_one, x)  # lanes branch on their own
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
