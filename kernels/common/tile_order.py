# SPDX-License-Identifier: Apache-2.0
"""Order in which programs walk through the output tiles of a matrix product."""

import triton
import triton.language as tl


@triton.jit
def grouped_tile(pid, tiles_m, tiles_n, GROUP_M: tl.constexpr):
    """Tile (row, column) of program pid: GROUP_M tile rows are walked column by column.

    Programs that run at the same time then share both rows of a and columns of b in the L2 cache;
    with
    GROUP_M == 1 the order is row-major.
    """
    group_size = GROUP_M * tiles_n
    group = pid // group_size
    first_m = group * GROUP_M
    rows = tl.minimum(tiles_m - first_m, GROUP_M)
    tile_m = first_m + (pid % group_size) % rows
    tile_n = (pid % group_size) // rows
    return tile_m, tile_n
