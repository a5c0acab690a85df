# SPDX-License-Identifier: Apache-2.0
"""native_dropout forward: out = x * scale where kept, else 0, and the bool mask of what is kept.

Element i is kept where its uniform draw is < keep_probability; counters as in common/philox.py,
Note [Random number layout], with i the element's position in the dense tensor. Reads x once, writes
out and mask once.
`native_dropout_backward`: grad * mask * scale, for tensors of one layout.
"""

import triton
import triton.language as tl

from common.philox import CHUNK, GROUPS, draw, to_uniform


@triton.jit
def _drop_lane(
    x_ptr, out_ptr, mask_ptr, start, count, keep_probability, scale, bits, ACC: tl.constexpr
):
    index = start[:, None] + tl.arange(0, GROUPS)[None, :]
    inside = index < count
    keep = to_uniform(bits) < keep_probability
    x = tl.load(x_ptr + index, mask=inside, other=0.0)
    out = tl.where(keep, x.to(ACC) * scale, 0.0)
    tl.store(out_ptr + index, out.to(out_ptr.dtype.element_ty), mask=inside)
    tl.store(mask_ptr + index, keep.to(mask_ptr.dtype.element_ty), mask=inside)


@triton.jit
def native_dropout(
    x_ptr, out_ptr, mask_ptr, count, keep_probability, scale, seed, offset, offset_in_graph,
    ACC: tl.constexpr, CHUNKS: tl.constexpr,
):  # fmt: skip
    """Dense x, out, mask of `count` elements; grid cdiv(count, CHUNKS * 1024)."""
    chunk = tl.program_id(0).to(tl.int64) * CHUNKS + tl.arange(0, CHUNKS)
    bits0, bits1, bits2, bits3 = draw(seed, offset, offset_in_graph, chunk)
    start = chunk * CHUNK
    _drop_lane(x_ptr, out_ptr, mask_ptr, start, count, keep_probability, scale, bits0, ACC)
    _drop_lane(x_ptr, out_ptr, mask_ptr, start + GROUPS, count, keep_probability, scale, bits1, ACC)
    _drop_lane(
        x_ptr, out_ptr, mask_ptr, start + 2 * GROUPS, count, keep_probability, scale, bits2, ACC
    )
    _drop_lane(
        x_ptr, out_ptr, mask_ptr, start + 3 * GROUPS, count, keep_probability, scale, bits3, ACC
    )
