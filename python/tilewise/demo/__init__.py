# SPDX-License-Identifier: Apache-2.0
"""`python -m tilewise demo`: a pretrained model and a training run on Tilewise's kernels.

Both parts run twice in one process, on Tilewise and on stock PyTorch, and are compared. `run()` is
the whole demo; its last printed line is a JSON object with the figures.
"""

from tilewise.demo.runner import DemoOptions, run

__all__ = ["DemoOptions", "run"]
