# SPDX-License-Identifier: Apache-2.0
"""Two readings of a tensor in one launch, the second of them from the L2 cache.

Note [Second reading]
Some operators need every element twice: for the statistics of its group (a row, some channels) and
for its result. Where a group fits no program, two launches read the whole tensor from memory each.
Here the programs of one launch take turns: `chunks` turns read a group for the first time, and
between them others read and write the group that had its turn `delay` groups ago, a distance that
the cache holds. What is read for the first time stays there (evict_last); what is written, or was
read again, leaves first. Without these hints half of the gain is lost.

The last chunk of a group to arrive combines what all of them have stored, in their order, so that
the result is the same whichever it is; then it arrives once more. A turn waits only for turns of
lower number. Those have begun: blocks of CUDA begin in the order of their numbers, on which CUB's
scans rely as well (tickets cost softmax of columns 6 us of 135), and elsewhere a counter hands the
numbers out. So there is no deadlock, whatever else keeps the chip busy.

The counters, [1 + groups] of int32, are zero before the launch of 2 * (groups + delay) * chunks
programs.
"""

import triton
import triton.language as tl

from common.target import on_cuda


@triton.jit
def take_turn(counter_ptr, chunks, delay):
    """(1 for a second reading and 0 for a first, the group, the chunk). The group of a program that
    has nothing to do is negative or one too many.
    """
    if on_cuda():
        turn = tl.program_id(0)
    else:
        turn = tl.atomic_add(counter_ptr, 1, sem="relaxed")
    second = turn & 1
    return second, (turn >> 1) // chunks - second * delay, (turn >> 1) % chunks


@triton.jit
def arrive(counter_ptr, group):
    """Makes what this program has stored visible; how often others had arrived before."""
    tl.debug_barrier()
    return tl.atomic_add(counter_ptr + 1 + group, 1, sem="acq_rel")


@triton.jit
def wait_for(counter_ptr, group, arrivals):
    """Until as many have arrived."""
    counter_ptr += 1 + group
    while tl.atomic_add(counter_ptr, 0, sem="acquire") < arrivals:
        pass
