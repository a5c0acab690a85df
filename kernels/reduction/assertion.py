# SPDX-License-Identifier: Apache-2.0
"""_assert_async on GPUs: the number is looked at where it is; the host learns later."""

import triton
import triton.language as tl


@triton.jit
def assert_nonzero(x_ptr):
    """One number; one program."""
    x = tl.load(x_ptr)
    tl.device_assert(x != 0, "input[0] != 0")
