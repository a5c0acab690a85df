# SPDX-License-Identifier: Apache-2.0
"""Random tensors for direct calls, the same in every run after `generator` is seeded."""

import torch

generator = torch.Generator()


def x(*shape: int) -> torch.Tensor:
    """Floats of [0.25, 1.25)."""
    return torch.rand(shape, generator=generator) + 0.25
